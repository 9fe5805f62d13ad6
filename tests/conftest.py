"""Makes `tests/` importable, so that `from phantoms import phantom` works under importlib mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
