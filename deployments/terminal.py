"""What every command shares: where it writes, and how it is told its settings."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

console = Console()

SettingsFile = Annotated[
    Path | None,
    Parameter(name="--settings", help="TOML file; default: $REREAD_SETTINGS, else site.toml if it is there."),
]


def this_program() -> str:
    """How the person can call us again: by name if it is on the path, else as they did."""
    return "reread" if shutil.which("reread") else sys.argv[0]
