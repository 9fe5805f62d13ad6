"""What a shard did, as the ledger has it afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_nights import night_plan, phantom_file, phantom_study, take_in

from reread.analytics.reasons import Reason
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.connectors.states import DeliveryState, InstanceState, StudyState
from reread.connectors.warehouse import Warehouse
from reread.tasks.bookings import book_report, record_rejections
from reread.tasks.nights import cut_night
from reread.tasks.plans import Route, measurement_of
from reread.tasks.shards import ShardReport, run_shard

PACS = Peer("pacs", "PACS", "127.0.0.1", 11112)
QUIET = Peer("quiet", "QUIET", "127.0.0.1", 11113, commits=False)


@pytest.fixture
def plan(tmp_path):
    made = night_plan(tmp_path / "data", PACS, QUIET)
    Warehouse(made.folders.warehouse).prepare()
    return made


@pytest.fixture
def ledger(plan):
    with open_ledger(plan.ledger_url) as opened:
        yield opened


def measured(plan, ledger, files) -> ShardReport:
    take_in(plan, ledger, files)
    reports = [run_shard(shard) for shard in cut_night(ledger, plan, "run-1")]
    return ShardReport(tuple(outcome for report in reports for outcome in report.outcomes))


def states(counts):
    return {state: count for state, count in counts.items() if count}


def test_a_measured_study_waits_for_its_deliveries(plan, ledger, tmp_path):
    report = measured(plan, ledger, phantom_study(tmp_path, count=2))
    book_report(ledger, plan, report, "run-1")
    assert ledger.measurements("2.25.1001", 1) == {measurement_of(None)}
    assert ledger.study_work("2.25.1001", 1).state is StudyState.MEASURED
    assert states(ledger.counts().deliveries) == {DeliveryState.PENDING: 4}  # two objects, two destinations


def test_without_destination_a_measured_study_is_done(plan, ledger, tmp_path):
    alone = replace(plan, destinations=(), routes=(Route("import", (), plan.routes[0].formats),))
    book_report(ledger, alone, measured(alone, ledger, phantom_study(tmp_path, count=1)), "run-1")
    assert ledger.study_work("2.25.1001", 1).state is StudyState.DELIVERED
    # results that go nowhere can be queried all the same (R4.548)
    results, last = ledger.results_after(0, 10)
    assert last == 2 and all((plan.folders.data / item.path).is_file() for item in results)
    assert states(ledger.counts().deliveries) == {}


def test_a_failed_study_keeps_its_reason_and_so_does_its_image(plan, ledger, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path, count=1))
    (shard,) = cut_night(ledger, plan, "run-1")
    (plan.folders.spool / shard.works[0].instances[0].path).write_bytes(b"")
    book_report(ledger, plan, run_shard(shard), "run-1")
    counts = ledger.counts()
    assert states(counts.studies) == {StudyState.FAILED: 1}
    assert counts.failures == {Reason.EMPTY.value: 1}
    assert states(counts.deliveries) == {}


def test_one_bad_image_does_not_fail_its_study(plan, ledger, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path, count=2))
    (shard,) = cut_night(ledger, plan, "run-1")
    rotten = plan.folders.spool / shard.works[0].instances[0].path
    rotten.write_bytes(rotten.read_bytes()[:-500])
    book_report(ledger, plan, run_shard(shard), "run-1")
    assert ledger.study_work("2.25.1001", 1).state is StudyState.MEASURED
    assert states(ledger.counts().instances) == {InstanceState.RECEIVED: 1, InstanceState.REJECTED: 1}
    (named,) = ledger.instance_reasons()
    assert (named.sop_instance_uid, named.reason) == ("2.25.1001.1", Reason.TRUNCATED)


def test_what_never_came_into_a_study_is_recorded_once(plan, ledger, tmp_path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    one = phantom_file(tmp_path / "one.dcm", 1)
    other = phantom_file(tmp_path / "other.dcm", 2)
    other.write_bytes(other.read_bytes().replace(b"2.25.1001.2", b"2.25.1001.1"))
    take_in(plan, ledger, [one, one, other, tmp_path / "letter.pdf"])
    for run_id in ("run-1", "run-2"):
        rejected = record_rejections(ledger, plan, run_id)
        assert sorted(image.reason for image in rejected) == [Reason.CONFLICT, Reason.DUPLICATE, Reason.NOT_DICOM]
    rows = Warehouse(plan.folders.warehouse).query("SELECT reason, run_id FROM problems ORDER BY reason").rows
    assert rows == tuple((word, "run-2") for word in ("conflicting_duplicate", "duplicate", "not_dicom"))
