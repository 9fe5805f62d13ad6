"""The truth about the work."""

from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from reread.analytics.errors import LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.closing import CaseCloser
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.ledger_records import Instance, Measurement, Outcome, StudyRevision
from reread.connectors.ledger_tables import INSTANCES, METADATA
from reread.connectors.states import DeliveryState, InstanceState, StudyState

EVERY_LEDGER = True
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def image(number=1, study="1.2", woman="w1", content="a", **more):
    return Instance(
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid="1.1",
        series_instance_uid=f"{study}.900",
        study_instance_uid=study,
        woman=woman,
        study_date="20260102",
        modality="MG",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=f"objects/{study}.{number}.{content}",
        size_bytes=5_000_000_000,
        dataset_digest=content,
        source="pacs",
        **more,
    )


def measured(ledger: Ledger, study="1.2", revision=1, version="1"):
    ledger.close_study(study, "test")
    ledger.start_studies([study], "run")
    ledger.finish_study(study, revision, algorithm="cad", version=version, parameters_digest="p")


def deliver(ledger, number=50, revision=1, **more):
    arguments = {
        "sop_instance_uid": f"1.2.{number}",
        "sop_class_uid": "1.9",
        "study_instance_uid": "1.2",
        "revision": revision,
        "destination": "pacs",
        "path": "r.dcm",
    }
    return ledger.add_delivery(**(arguments | more))


def test_new_duplicate_conflict(ledger):
    assert ledger.add_instance(image()) is Outcome.NEW
    assert ledger.add_instance(image()) is Outcome.DUPLICATE
    assert ledger.add_instance(image(content="b")) is Outcome.CONFLICT
    assert ledger.add_instance(image(content="b")) is Outcome.DUPLICATE
    (flagged,) = ledger.instance_reasons()
    assert (flagged.reason, flagged.path) == (Reason.CONFLICT, "objects/1.2.1.b")
    ledger.close_study("1.2", "test")
    (work,) = ledger.studies_to_measure()
    assert [item.dataset_digest for item in work.instances] == ["a"]
    assert work.instances[0] == image()
    assert ledger.counts().duplicates == 2


def test_a_better_copy_of_a_rejected_image_is_no_conflict(ledger):
    ledger.add_instance(image(content="broken"))
    ledger.reject_instance("1.2.1", Reason.UNDECODABLE, "")
    assert ledger.add_instance(image(content="good")) is Outcome.NEW
    ledger.close_study("1.2", "test")
    assert [item.dataset_digest for item in ledger.studies_to_measure()[0].instances] == ["good"]


def test_quiet_time_closes(ledger, clock):
    ledger.add_instance(image(1))
    clock.pass_s(100)
    ledger.add_instance(image(2))
    ledger.add_instance(image(1, study="1.3"))
    clock.pass_s(50)

    def closer(quiet_s):
        return CaseCloser(ledger, ClosingPolicy(ClosingRules(quiet_s=quiet_s)), clock=clock)

    assert closer(51).close() == ()
    assert closer(50).close() == (StudyRevision("1.2", 1), StudyRevision("1.3", 1))
    assert closer(50).close() == ()
    (work, _) = ledger.studies_to_measure()
    assert (work.closed_by, work.evidence) == ("quiet", "quiet for 50 s")
    assert ledger.counts().closed_by == {"quiet": 2}


def test_a_late_image_opens_a_revision_with_all_images(ledger):
    ledger.add_instance(image(1))
    measured(ledger)
    assert Measurement("cad", "1", "p") in ledger.measurements("1.2", 1)
    assert Measurement("cad", "2", "p") not in ledger.measurements("1.2", 1)
    ledger.add_instance(image(2))
    ledger.close_study("1.2", "late")
    (work,) = ledger.studies_to_measure()
    assert (work.revision, len(work.instances)) == (2, 2)
    assert len(ledger.study_work("1.2", 1).instances) == 1


def test_a_closed_revision_that_nobody_measured_is_superseded(ledger):
    ledger.add_instance(image(1))
    ledger.close_study("1.2", "early")
    ledger.add_instance(image(2))
    assert ledger.studies_to_measure() == ()
    ledger.close_study("1.2", "late")
    assert [work.revision for work in ledger.studies_to_measure()] == [2]
    assert ledger.counts().studies[StudyState.SUPERSEDED] == 1


def test_two_patients_under_one_study_are_never_combined_and_none_is_lost(ledger):
    for number, woman in ((1, "w1"), (2, "w2"), (3, "w1"), (4, "w2")):
        assert ledger.add_instance(image(number, woman=woman)) is Outcome.NEW
    ledger.close_study("1.2", "test")
    works = ledger.studies_to_measure()
    assert [(work.woman, [i.sop_instance_uid for i in work.instances]) for work in works] == [
        ("w1", ["1.2.1", "1.2.3"]),
        ("w2", ["1.2.2", "1.2.4"]),
    ]
    assert all(work.two_patients for work in works) and len({work.revision for work in works}) == 2
    assert [item.reason for item in ledger.instance_reasons("1.2")] == [Reason.TWO_PATIENTS] * 4
    assert ledger.counts().two_patient_studies == 1
    # a late image of the first woman joins her images only
    ledger.add_instance(image(5, woman="w1"))
    ledger.close_study("1.2", "late")
    assert {work.woman: len(work.instances) for work in ledger.studies_to_measure()} == {"w1": 3, "w2": 2}


def test_ignored_objects_open_nothing_but_are_known(ledger):
    ledger.add_instance(image(1, state=InstanceState.IGNORED))
    assert ledger.close_study("1.2", "test") == ()
    assert ledger.known_instances("1.2") == {"1.2.1"}


def test_claims_are_exclusive(ledger):
    ledger.add_instance(image())
    ledger.close_study("1.2", "test")
    assert len(ledger.start_studies(["1.2"], "run1")) == 1
    assert ledger.start_studies(["1.2"], "run2") == ()
    ledger.fail_study("1.2", 1, Reason.WORKER_DIED, "twice")
    assert ledger.counts().failures == {"worker_died": 1}
    with pytest.raises(LedgerError, match="from failed to measured"):
        ledger.finish_study("1.2", 1, algorithm="cad", version="1", parameters_digest="p")
    ledger.requeue_study("1.2", 1)
    assert len(ledger.start_studies(["1.2"], "run3")) == 1


def test_finish_twice_and_another_version(ledger):
    ledger.add_instance(image())
    measured(ledger)
    ledger.finish_study("1.2", 1, algorithm="cad", version="1", parameters_digest="p")
    ledger.requeue_study("1.2", 1)
    ledger.start_studies(["1.2"], "run2")
    ledger.finish_study("1.2", 1, algorithm="cad", version="2", parameters_digest="p")
    assert ledger.measurements("1.2", 1) == {Measurement("cad", version, "p") for version in "12"}


def test_rejections_are_booked_once(ledger):
    assert ledger.reject("rejected/a", Reason.EMPTY, "", digest="d")
    assert not ledger.reject("rejected/a", Reason.EMPTY, "", digest="d")
    assert ledger.reject("rejected/b", Reason.NOT_DICOM, "x", digest="e", study_instance_uid="1.2")
    assert [item.reason for item in ledger.rejections()] == [Reason.EMPTY, Reason.NOT_DICOM]


def test_crash_recovery(ledger, ledger_url, clock):
    ledger.add_instance(image())
    ledger.close_study("1.2", "test")
    ledger.start_studies(["1.2"], "run")
    deliver(ledger)
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    with open_ledger(ledger_url, clock) as again:
        assert again.studies_to_measure() == () and again.pending_deliveries(clock.now) == ()
        recovery = again.recover()
        assert (recovery.studies, recovery.deliveries) == (1, 1)
        assert len(again.studies_to_measure()) == len(again.pending_deliveries(clock.now)) == 1
        again.recover()
        assert again.counts().studies[StudyState.CLOSED] == 1


def test_delivery_is_planned_once_retried_and_given_up(ledger, clock):
    ledger.add_instance(image())
    measured(ledger)
    assert deliver(ledger) and not deliver(ledger) and deliver(ledger, destination="other")
    retry = {"retry_interval_s": 60, "retry_duration_s": 100}
    states = []
    for _ in range(4):
        due = ledger.mark_sending(ledger.pending_deliveries(clock.now, "pacs"))
        if due:
            states.append(ledger.mark_failed("1.2.50", "pacs", "no", **retry))
        assert ledger.pending_deliveries(clock.now, "pacs") == ()
        clock.pass_s(60)
    assert states == [DeliveryState.FAILED, DeliveryState.FAILED, DeliveryState.GIVEN_UP]
    assert ledger.counts().studies[StudyState.MEASURED] == 1


def test_commitment_makes_a_study_delivered(ledger, clock):
    ledger.add_instance(image())
    measured(ledger)
    deliver(ledger, 50)
    deliver(ledger, 51)
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    for uid in ("1.2.50", "1.2.51"):
        ledger.mark_sent(uid, "pacs")
    ledger.open_transaction("9.1", "pacs", ["1.2.50", "1.2.51"])
    assert not ledger.apply_commitment("9.404", ["1.2.50"], {})
    assert ledger.apply_commitment("9.1", ["1.2.50"], {"1.2.51": "0x0112"}, retry_interval_s=0)
    assert [item.state for item in ledger.deliveries()] == [DeliveryState.COMMITTED, DeliveryState.FAILED]
    assert ledger.counts().studies[StudyState.MEASURED] == 1
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    ledger.mark_sent("1.2.51", "pacs")
    ledger.open_transaction("9.2", "pacs", ["1.2.51"])
    assert ledger.apply_commitment("9.2", ["1.2.51"], {})
    assert ledger.counts().studies[StudyState.DELIVERED] == 1


def test_an_overdue_commitment_is_sent_again(ledger, clock):
    deliver(ledger)
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    ledger.mark_sent("1.2.50", "pacs")
    ledger.open_transaction("9.1", "pacs", ["1.2.50"])
    retry = {"retry_interval_s": 0, "retry_duration_s": 1000}
    clock.pass_s(50)
    assert ledger.fail_overdue_commitments(clock.now, 60, destination="pacs", **retry) == 0
    clock.pass_s(10)
    assert ledger.fail_overdue_commitments(clock.now, 60, destination="pacs", **retry) == 1
    assert len(ledger.pending_deliveries(clock.now)) == 1
    # the late answer is still welcome
    assert ledger.apply_commitment("9.1", ["1.2.50"], {})
    assert ledger.deliveries()[0].state is DeliveryState.COMMITTED


def _add_many(url, start):
    with open_ledger(url) as ledger:
        for number in range(start, start + 40):
            ledger.add_instance(image(number % 60))


def test_several_processes(ledger_url):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(ledger_url, start)) for start in (0, 20, 40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with open_ledger(ledger_url) as ledger:
        assert len(ledger.known_instances("1.2")) == 60
        assert ledger.counts().duplicates == 60 and ledger.counts().studies[StudyState.OPEN] == 1


def test_durable_and_versioned(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{path}") as ledger, ledger._read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    connection = sqlite3.connect(path)
    connection.execute("update ledger_schema set version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="schema version 99"):
        open_ledger(f"sqlite:///{path}")


def test_refuses_a_ledger_that_would_be_forgotten():
    with pytest.raises(LedgerError, match="name a file"):
        open_ledger("sqlite://")


def test_the_schema_compiles_for_postgresql():
    for table in METADATA.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect())).strip().startswith("CREATE TABLE")


def test_a_reader_sees_one_moment(ledger, ledger_url):
    """Open cases are asked for with five statements; what arrives between two of them must not tear the answer."""
    ledger.add_instance(image(1))
    with ledger._read() as connection, open_ledger(ledger_url) as other:
        query = select(func.count()).select_from(INSTANCES)
        assert connection.execute(query).scalar_one() == 1
        other.add_instance(image(2))
        assert connection.execute(query).scalar_one() == 1
    with ledger._read() as connection:
        assert connection.execute(query).scalar_one() == 2


def test_texts_that_a_database_does_not_take_do_not_keep_an_object_out(ledger):
    strange = replace(image(), modality="M\0G" * 20, study_date="2026\0", source="p" * 200, detail="a\0\ud800é")
    assert ledger.add_instance(strange) is Outcome.NEW
    assert ledger.add_instance(strange) is Outcome.DUPLICATE
    ledger.close_study("1.2", "test")
    ((found,),) = (work.instances for work in ledger.studies_to_measure())
    assert (found.study_date, found.source, found.detail) == ("2026", "p" * 64, "a\\ud800é")
    long = "1." + "2" * 100
    assert ledger.reject("r/\0", Reason.NOT_DICOM, "d\0", sop_instance_uid=long, study_instance_uid=long)
    assert ledger.rejections()[0].sop_instance_uid == long[:64]
    assert ledger.known_instances(long) == {long[:64]}


def test_large_sizes_survive(ledger):
    ledger.add_instance(replace(image(), size_bytes=6_000_000_001))
    ledger.close_study("1.2", "test")
    assert ledger.studies_to_measure()[0].instances[0].size_bytes == 6_000_000_001
