"""The shape of the project: rooms, their walls, their paperwork."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("analytics", "connectors", "tasks", "flows", "deployments")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST_FILE = 450
# where programs of one machine lie; /usr/bin is everywhere
MACHINE_PATHS = ("/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/")


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed (extra `test`)")
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.slow
def test_no_room_leans_on_a_room_above_it():
    done = tool("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
    assert "4 kept" in done.stdout


@pytest.mark.slow
def test_types_are_clean():
    if not (ROOT / ".links" / "reread").exists():
        pytest.skip("`make lint` or `make test` makes .links/reread, by which mypy sees the rooms as one package")
    done = tool("mypy")
    assert done.returncode == 0, done.stdout


def test_style_is_clean():
    done = tool("ruff", "check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout
    done = tool("ruff", "format", "--check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout


def test_the_packages_in_pyproject_are_the_folders():
    listed = settings()["tool"]["setuptools"]
    found = {f"reread.{'.'.join(path.parent.relative_to(ROOT).parts)}": path.parent for path in SOURCES}
    assert set(listed["packages"]) == set(found)
    assert {name: ROOT / folder for name, folder in listed["package-dir"].items()} == found
    for room in ROOMS:
        assert (ROOT / room / "py.typed").is_file()
        assert (ROOT / room / "__init__.py").is_file()
    assert not (ROOT / "__init__.py").exists()  # there is no root package


def test_only_one_import_name_is_installed():
    ours = {name for name, distributions in packages_distributions().items() if "reread" in distributions}
    assert {name for name in ours if not name.startswith("__editable__")} == {"reread"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_is_explained(path):
    tree = ast.parse(path.read_text())
    silent = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                silent.append(node.name)
            if isinstance(node, ast.ClassDef):
                silent += [f"{node.name}.{inner.name}" for inner in silent_methods(node)]
    assert silent == []


def silent_methods(owner: ast.ClassDef) -> list[ast.FunctionDef]:
    """Public methods without docstring; a property whose name says it all, and an override, need none."""
    return [
        inner
        for inner in owner.body
        if isinstance(inner, ast.FunctionDef)
        and not inner.name.startswith("_")
        and not ast.get_docstring(inner)
        and not inner.decorator_list
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_answers_one_question(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_no_file_names_a_place_of_one_machine():
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            text = content.decode("utf-8", "replace")
            found += [f"{path.relative_to(ROOT)}: {place}" for place in MACHINE_PATHS if place in text]
    assert found == []


def test_the_environment_is_read_in_one_room():
    readers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and path.parts[-2] != "deployments"
    ]
    assert readers == []


def test_the_version_of_the_demo_data_is_fixed():
    """The demo's figures in the documentation hold for these images only."""
    (sample,) = settings()["project"]["optional-dependencies"]["demo"]
    assert "==" in sample
