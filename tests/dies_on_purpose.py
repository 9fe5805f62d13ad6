"""A measurement that takes its process down on some files, as a codec that crashes does.

Here and not in a test module: worker processes are spawned and import it by name.
"""

from __future__ import annotations

import os
from pathlib import Path

from reread.connectors.mammograms import ReadLimits
from reread.tasks.rereading import RereadImage, reread_file


def reread_or_die(path: Path, limits: ReadLimits) -> RereadImage:
    """Measure; end the process at once on files named ``deadly…``."""
    if path.name.startswith("deadly"):
        os._exit(139)
    return reread_file(path, limits)
