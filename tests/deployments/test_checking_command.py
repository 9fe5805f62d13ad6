"""`reread check` says what is wrong, as lines or as JSON, and tells a script by its exit code."""

from __future__ import annotations

import json

import pytest
from made_reports import whole_report
from report_files import save_report

from reread.deployments.checking_command import check
from reread.deployments.cli import app


@pytest.fixture
def good(tmp_path):
    return save_report(whole_report(), tmp_path / "good.dcm")


@pytest.fixture
def broken(tmp_path):
    ds = whole_report()
    del ds.ContentSequence[1]
    return save_report(ds, tmp_path / "broken.dcm")


def test_a_good_report(good, capsys):
    assert check(good) == 0
    assert capsys.readouterr().out == f"{good}: Mammography CAD SR, ok\n"


def test_a_broken_report_names_rule_place_and_reason(broken, capsys):
    assert check(broken) == 1
    said = capsys.readouterr().out
    assert f"{broken}: Mammography CAD SR, " in said
    assert "  TID4000-3  1  Mammography CAD Report\n      Image Library is missing\n" in said


def test_json(good, broken, capsys):
    assert check(good.parent, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    by_file = {item["file"]: item for item in document["files"]}
    assert by_file[str(good)]["violations"] == []
    assert {
        "rule": "TID4000-3",
        "path": "1",
        "where": "Mammography CAD Report",
        "detail": "Image Library is missing",
    } in (by_file[str(broken)]["violations"])
    assert document["missing"] == []


def test_what_cannot_be_read_is_another_exit_code(tmp_path, good, capsys):
    (tmp_path / "text.dcm").write_text("no DICOM")
    assert check(tmp_path / "text.dcm", good) == 2
    assert "cannot be read" in capsys.readouterr().out
    assert check(tmp_path / "nowhere.dcm") == 2
    assert "no such file" in capsys.readouterr().out
    assert check() == 2


def test_notices_count_only_when_asked(tmp_path, capsys):
    ds = whole_report()
    ds.ContentSequence[1].ConceptNameCodeSequence[0].CodeMeaning = "Library of images"
    path = save_report(ds, tmp_path / "a.dcm")
    assert check(path) == 0
    assert "notice PS3.16-meaning  1.2" in capsys.readouterr().out
    assert check(path, strict=True) == 1


def test_the_command_is_there(good, capsys):
    assert app(["check", str(good)], exit_on_error=False, result_action="return_value") == 0
    assert "ok" in capsys.readouterr().out
