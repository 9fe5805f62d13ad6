"""Other people's validators, for the tests of what we write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(tool: Path, *arguments: Path | str) -> tuple[int, str]:
    """Exit status and all output of one tool; skips the test when it is not installed."""
    if not tool.exists():
        pytest.skip(f"{tool.name} is not installed at {tool.parent.name}")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout + done.stderr


def console_script(name: str) -> Path:
    """A dicom3tools program of this environment."""
    return Path(sys.executable).parent / name


def dcmtk(name: str) -> Path:
    """A dcmtk program of the system; packages of this environment install other programs under the same names."""
    return Path("/usr/bin") / name


def assert_valid(path: Path) -> None:
    """dciodvfy finds no error; structured reports also satisfy dcsrdump and dcmtk's relationship rules."""
    status, said = run(console_script("dciodvfy"), path)
    errors = [line for line in said.splitlines() if line.startswith("Error")]
    assert (status, errors) == (0, [])
    if "MammographyCADSR" in said:
        status, said = run(console_script("dcsrdump"), path)
        assert status == 0
        assert "Error" not in said
        if dcmtk("dsrdump").exists():
            status, said = run(dcmtk("dsrdump"), path)
            assert status == 0, said[:2000]
            assert not [line for line in said.splitlines() if line.startswith("E: ")]
