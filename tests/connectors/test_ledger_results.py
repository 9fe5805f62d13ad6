"""What was written of a study, as the ledger gives it to the next revision."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_nights import night_plan, phantom_file, take_in

from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_results import WrittenResult

EVERY_LEDGER = True
REPORT = WrittenResult("2.25.1.1", "2.25.3", "2.25.4", "2.25.1", 1, "an-analysis", "cad", "", "-legacy", "r/1.dcm")


@pytest.fixture
def site(tmp_path, ledger_url):
    """A ledger with two studies."""
    plan = night_plan(tmp_path / "data", ledger_url=ledger_url)
    with open_ledger(plan.ledger_url) as ledger:
        for study in ("2.25.1", "2.25.2"):
            take_in(plan, ledger, [phantom_file(tmp_path / f"{study}.dcm", study=study)])
        yield plan, ledger


def test_it_is_given_back_in_the_order_of_its_first_writing(site):
    _, ledger = site
    second = replace(REPORT, sop_instance_uid="2.25.1.0", variant="")
    other = replace(REPORT, sop_instance_uid="2.25.2.1", study_instance_uid="2.25.2")
    ledger.note_written([REPORT, second])
    ledger.note_written([other])
    # written again after a crash, or under another path: nothing moves
    ledger.note_written([replace(second, path="elsewhere.dcm"), REPORT])
    woman = ledger.study_work("2.25.1", 1).woman
    assert ledger.written_of(["2.25.1", "2.25.1"]) == {("2.25.1", woman): (REPORT, second)}
    assert ledger.written_of(["2.25.2", "2.25.1"])[("2.25.2", woman)] == (other,)
    assert ledger.written_of([]) == ledger.written_of(["2.25.9"]) == {}
    assert [item.path for item in ledger.results_after(0, 10)[0]] == ["r/1.dcm"] * 3


def test_results_from_before_the_table_was_there_stay_as_they_are(site):
    _, ledger = site
    ledger.add_result(REPORT.sop_instance_uid, REPORT.path)
    assert ledger.written_of(["2.25.1"]) == {}
    ledger.note_written([REPORT])
    ((found,),) = ledger.written_of(["2.25.1"]).values()
    assert found == REPORT
    assert len(ledger.results_after(0, 10)[0]) == 1


def test_more_studies_than_fit_into_one_question(site):
    _, ledger = site
    ledger.note_written([REPORT])
    many = [f"2.25.7.{number}" for number in range(1201)]
    assert [key[0] for key in ledger.written_of([*many, "2.25.1"])] == ["2.25.1"]


def test_a_woman_has_her_own_reports(site, tmp_path):
    plan, ledger = site
    ledger.note_written([REPORT])
    take_in(plan, ledger, [phantom_file(tmp_path / "b.dcm", 2, study="2.25.1", patient="T-2")])
    ledger.note_written([replace(REPORT, sop_instance_uid="2.25.1.2", revision=2)])
    written = ledger.written_of(["2.25.1"])
    assert len(written) == 2
    assert {len(items) for items in written.values()} == {1}
