"""The command line in the folder of a made site, with the Prefect server of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def reread(site: Path, prefect_url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command; no setting of this process or of the developer gets in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "REREAD"))}
    return subprocess.run(
        [sys.executable, "-m", "reread.deployments.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=site,
        env={**kept, "COLUMNS": "200", "PREFECT_API_URL": prefect_url},
        stdin=subprocess.DEVNULL,
        timeout=200,
    )
