"""The reference pages say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("settings.md", "tables.md", "cli.md", "reasons.md", "parameters.md", "simulation.md", "conformance.md")


def _check(folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = ["--folder", str(folder)] if folder else []
    return subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check", *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_reference_pages_are_not_stale() -> None:
    result = _check()
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_check_names_a_stale_and_a_missing_page(tmp_path: Path) -> None:
    for name in PAGES:
        (tmp_path / name).write_text((ROOT / "docs" / "reference" / name).read_text("utf-8"), "utf-8")
    (tmp_path / "cli.md").unlink()
    settings = tmp_path / "settings.md"
    settings.write_text(settings.read_text("utf-8").replace("`11112`", "`11113`"), "utf-8")
    result = _check(tmp_path)
    assert result.returncode == 1
    assert [line.split()[0] for line in result.stderr.splitlines()] == [
        "docs/reference/settings.md",
        "docs/reference/cli.md",
    ]


def test_every_field_and_column_is_explained() -> None:
    """A row of a made page with an empty meaning is an undocumented field."""
    for name, place in (("settings.md", 4), ("parameters.md", 3), ("reasons.md", 2)):
        lines = (ROOT / "docs" / "reference" / name).read_text("utf-8").splitlines()
        rows = [line.split(" | ") for line in lines if line.startswith("| `")]
        assert rows, name
        assert [row[0] for row in rows if not row[place - 1].strip(" |")] == [], name
