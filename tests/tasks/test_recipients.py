"""Two destinations that want different things, revisions that replace one another, histories: without Prefect."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_validators import assert_valid
from made_nights import night_plan, phantom_file, phantom_study, take_in
from pydicom import dcmread

from reread.analytics.measurement import NAME
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.connectors.reports.cad_reading import read_cad_report
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.results.recipients import Recipient
from reread.connectors.states import DeliveryState, StudyState
from reread.connectors.warehouse import Warehouse
from reread.tasks.bookings import book_report
from reread.tasks.deliveries import deliver_results
from reread.tasks.nights import cut_night, writings
from reread.tasks.plans import Route
from reread.tasks.shards import Shard, run_shard

CAD, SHEET, PAGE = "mammography-cad-sr", "secondary-capture", "density-page"
STUDY = "2.25.1001"
REREAD = Peer("reread", "REREAD", "127.0.0.1", 11114)
LEGACY = Recipient("old", (CAD, SHEET), CadReportOptions(CodeProfile.LEGACY, calcifications=False))


def site(data: Path, new: int = 11112, old: int = 11113, **changes: object):
    """A plan with two destinations; `old` wants legacy codes and no density page."""
    peers = (
        Peer("new", "NEW", "127.0.0.1", new, commits=False),
        Peer("old", "OLD", "127.0.0.1", old, commits=False),
    )
    route = Route("import", ("new", "old"), (CAD, SHEET, PAGE), special=(LEGACY,))
    plan = night_plan(data, *peers, sources=(), routes=(route,), **changes)
    Warehouse(plan.folders.warehouse).prepare()
    return plan


def night(plan, ledger, run_id: str = "run-1"):
    """Measure what is closed, book it; the outcomes."""
    outcomes = []
    for shard in cut_night(ledger, plan, run_id):
        report = run_shard(shard)
        book_report(ledger, plan, report, run_id)
        outcomes += report.outcomes
    return outcomes


def reports(outcomes):
    """CAD reports by variant."""
    return {item.variant: item for outcome in outcomes for item in outcome.objects if item.format == CAD}


def test_each_destination_gets_its_variant_and_nothing_is_written_twice(tmp_path):
    with (
        ArchiveServer(tmp_path / "new", "NEW", (REREAD,)) as new,
        ArchiveServer(tmp_path / "old", "OLD", (REREAD,)) as old,
    ):
        plan = site(tmp_path / "data", new.port, old.port)
        with open_ledger(plan.ledger_url) as ledger:
            take_in(plan, ledger, phantom_study(tmp_path / "in", count=2))
            (outcome,) = night(plan, ledger)
            assert outcome.failure is None, outcome.detail
            assert deliver_results(plan).sent == 5
            assert ledger.study_work(STUDY, 1).state is StudyState.DELIVERED
    wanted = {(item.format, item.variant): item.destinations for item in outcome.objects}
    assert wanted == {
        (CAD, ""): ("new",),
        (CAD, "-legacy-no-calcifications"): ("old",),
        (SHEET, ""): ("new", "old"),
        (PAGE, ""): ("new",),
    }
    assert len({item.sop_instance_uid for item in outcome.objects}) == len(outcome.objects)
    there = {name: [dcmread(path) for path in (tmp_path / name / "stored").rglob("*.dcm")] for name in ("new", "old")}
    by_uid = {item.sop_instance_uid: item for item in outcome.objects}
    for name, objects in there.items():
        assert {(by_uid[ds.SOPInstanceUID].format) for ds in objects} == set(LEGACY.formats) | (
            {PAGE} if name == "new" else set()
        )
        for ds in objects:
            assert name in by_uid[ds.SOPInstanceUID].destinations
            assert ds == dcmread(by_uid[ds.SOPInstanceUID].path)
    schemes = {
        name: {
            item.ConceptCodeSequence[0].CodingSchemeDesignator
            for ds in objects
            if ds.Modality == "SR"
            for item in ds.ContentSequence[1].ContentSequence[0].ContentSequence
            if item.ValueType == "CODE"
        }
        for name, objects in there.items()
    }
    assert schemes["new"] == {"SCT"}
    assert "SCT" not in schemes["old"]
    for item in outcome.objects:
        assert_valid(item.path)


def test_a_new_revision_names_the_report_that_it_replaces_for_each_variant(tmp_path):
    plan = site(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, [phantom_file(tmp_path / "1.dcm", 1, side="R")])
        first = reports(night(plan, ledger, "run-1"))
        take_in(plan, ledger, [phantom_file(tmp_path / "2.dcm", 2, side="L")])
        second = reports(night(plan, ledger, "run-2"))
        again = run_again(plan, ledger, 2)  # as after a crash, with the second report in the ledger already
    assert sorted(first) == sorted(second) == ["", "-legacy-no-calcifications"]
    for variant, item in second.items():
        assert read_cad_report(first[variant].path).document.predecessors == ()
        assert read_cad_report(item.path).document.predecessors == (first[variant].sop_instance_uid,)
        assert again[variant].sop_instance_uid == item.sop_instance_uid
        assert read_cad_report(again[variant].path).document.predecessors == (first[variant].sop_instance_uid,)


def run_again(plan, ledger, revision: int):
    """Measure one revision again with what the ledger knows, in spite of its measurements."""
    work = ledger.study_work(STUDY, revision)
    shard = Shard("again", "run-3", plan.folders, (work,), tuple(writings(ledger, plan, [work]).values()), plan.limits)
    return reports(run_shard(shard).outcomes)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_crash_between_deliveries_doubles_and_loses_nothing(tmp_path, monkeypatch, after):
    plan = site(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path / "in", count=1))
        (shard,) = cut_night(ledger, plan, "run-1")
        report = run_shard(shard)
        real, calls = type(ledger).add_delivery, []

        def dies(self, **named):
            if len(calls) == after:
                raise RuntimeError("power failure")
            calls.append(named)
            return real(self, **named)

        with monkeypatch.context() as patch:
            patch.setattr(type(ledger), "add_delivery", dies)
            with pytest.raises(RuntimeError, match="power"):
                book_report(ledger, plan, report, "run-1")
        ledger.recover()
        (again,) = night(plan, ledger, "run-2")
        booked = [(item.sop_instance_uid, item.destination) for item in ledger.deliveries()]
        assert sorted(booked) == sorted(
            (item.sop_instance_uid, name) for item in again.objects for name in item.destinations
        )
        assert len(booked) == 5
        assert all(item.state is DeliveryState.PENDING for item in ledger.deliveries())


def test_the_history_is_what_the_warehouse_had_when_the_night_began(tmp_path):
    plan = site(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        for year in (2021, 2023):
            path = phantom_file(tmp_path / f"{year}.dcm", year, study=f"2.25.{year}")
            ds = dcmread(path)
            ds.StudyDate = f"{year}0304"
            ds.save_as(path)
        take_in(plan, ledger, [tmp_path / "2021.dcm"])
        (alone,) = cut_night(ledger, plan, "run-1")
        assert [dict(item.earlier) for item in alone.writings] == [{}]
        book_report(ledger, plan, run_shard(alone), "run-1")
        take_in(plan, ledger, [tmp_path / "2023.dcm"])
        (later,) = cut_night(ledger, plan, "run-2")
        (writing,) = later.writings
        (before,) = writing.earlier[NAME]
        assert (before.study_date, before.percent_density > 0) == ("20210304", True)
        report = run_shard(later)
        again = run_shard(later)
        # the older study knows nothing of the younger one
        (old,) = writings(ledger, plan, [ledger.study_work("2.25.2021", 1)]).values()
    assert dict(old.earlier) == {}
    assert [item.sop_instance_uid for item in report.outcomes[0].objects] == [
        item.sop_instance_uid for item in again.outcomes[0].objects
    ]
    assert report.outcomes[0].failure is None, report.outcomes[0].detail
    keys = {item.format: item.key for item in report.outcomes[0].objects}
    assert keys[PAGE]
    assert not keys[CAD]
