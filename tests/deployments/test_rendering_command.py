"""`reread render` from the command line."""

from __future__ import annotations

import pytest
from result_cases import author, case_of

from reread.deployments.cli import app


def call(*arguments: object) -> int:
    return int(app([str(argument) for argument in arguments], exit_on_error=False, result_action="return_value") or 0)


@pytest.fixture
def case(tmp_path):
    result, sources = case_of(tmp_path / "in")
    author(result, sources, tmp_path / "out", ["presentation-state", "secondary-capture"])
    return tmp_path


OBJECTS = 10
"""four states and a sheet, written twice: two folders with files of the same names"""


def test_a_folder_becomes_pictures(case, capsys):
    assert call("render", case / "out", "--images", case / "in", "--out", case / "png", "--height", 300) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert sorted(said.out.split()) == sorted(str(path) for path in (case / "png").glob("*.png"))
    assert len(said.out.split()) == OBJECTS


def test_without_the_images_it_says_which_are_missing(case, capsys):
    assert call("render", case / "out", "--out", case / "png") == 1
    said = capsys.readouterr()
    assert said.err.count("is not among the files") == 8
    assert len(said.out.split()) == 2


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert call("render", tmp_path / "none", "--out", tmp_path) == 1
    assert "no such file or folder" in capsys.readouterr().err
