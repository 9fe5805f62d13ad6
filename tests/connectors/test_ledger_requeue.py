"""A person puts back what failed or was given up; nothing else moves, and it is remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reread.analytics.errors import LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.ledger_records import Instance
from reread.connectors.ledger_requeue import Selection
from reread.connectors.ledger_results import WrittenResult
from reread.connectors.ledger_unwritten import WRITING_ATTEMPTS
from reread.connectors.states import DeliveryState, InstanceState, StudyState

EVERY_LEDGER = True
DONE = {"algorithm": "cad", "version": "1", "parameters_digest": "p"}
ALL = Selection()


def image(study, number=1, content="a", source="pacs"):
    return Instance(
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid="1.1",
        series_instance_uid=f"{study}.900",
        study_instance_uid=study,
        woman="w",
        study_date="20260102",
        modality="MG",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=f"objects/{study}.{number}.{content}",
        size_bytes=10,
        dataset_digest=content,
        source=source,
    )


def arrive(ledger, study, source="pacs"):
    ledger.add_instance(image(study, source=source))
    ledger.close_study(study, "test")


def start(ledger, study, source="pacs"):
    arrive(ledger, study, source)
    ledger.start_studies([study], "run")


def fail(ledger, study, reason=Reason.MEASUREMENT_FAILED, detail="", source="pacs"):
    start(ledger, study, source)
    ledger.fail_study(study, 1, reason, detail)


def plan_delivery(ledger, study, destination, number=50):
    ledger.add_delivery(
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid="1.9",
        study_instance_uid=study,
        revision=1,
        destination=destination,
        path="r.dcm",
        commit=False,
    )


def give_up(ledger, clock, study, *destinations, why="C-STORE answered 0xA700", source="pacs"):
    """A study that went to "good" and was given up at the others."""
    start(ledger, study, source)
    for destination in ("good", *destinations):
        plan_delivery(ledger, study, destination)
    ledger.finish_study(study, 1, **DONE)
    for delivery in ledger.mark_sending(ledger.pending_deliveries(clock.now)):
        if delivery.destination == "good":
            ledger.mark_sent(delivery.sop_instance_uid, "good")
        else:
            ledger.mark_failed(
                delivery.sop_instance_uid, delivery.destination, why, retry_interval_s=0, retry_duration_s=0
            )


def miss(ledger, study, form="cine", why="no font", attempts=WRITING_ATTEMPTS):
    start(ledger, study)
    ledger.note_unwritten(study, 1, "cad", {form: why})
    ledger.finish_study(study, 1, **DONE)
    for _ in range(attempts - 1):
        ledger.reopen_unwritten()
        ledger.start_studies([study], "run")
        ledger.note_unwritten(study, 1, "cad", {form: why})
        ledger.finish_study(study, 1, **DONE)


def everything(ledger):
    with ledger._read() as connection:
        names = ("study_revisions", "instances", "deliveries", "unwritten_results", "events")
        return {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in names}


def test_a_failed_study_waits_to_be_measured_again(ledger):
    fail(ledger, "1.1", detail="out of memory")
    arrive(ledger, "1.2")
    (item,) = ledger.requeue(ALL, "admin")
    assert (item.study_instance_uid, item.was, item.sentence) == (
        "1.1",
        "failed (measurement_failed: out of memory)",
        "measured again",
    )
    work = ledger.study_work("1.1", 1)
    assert (work.state, len(work.instances)) == (StudyState.CLOSED, 1)
    assert ledger.troubles() == ()
    assert ledger.requeue(ALL, "admin") == ()  # once is enough


def test_who_did_it_and_when_is_kept_without_patient_data(ledger, clock):
    fail(ledger, "1.1")
    clock.pass_s(60)
    ledger.requeue(ALL, "admin")
    (event,) = ledger.events()
    assert (event.happened_at, event.actor, event.action) == (clock.now, "admin", "requeue")
    assert (event.study_instance_uid, event.revision) == ("1.1", 1)
    assert event.detail == "failed (measurement_failed): measured again"


def test_images_that_were_rejected_are_tried_again_and_seen_again(ledger):
    ledger.add_instance(image("1.1", 1))
    ledger.add_instance(image("1.1", 2))
    ledger.close_study("1.1", "test")
    ledger.start_studies(["1.1"], "run")
    for number in (1, 2):
        ledger.reject_instance(f"1.1.{number}", Reason.UNDECODABLE, "no codec")
    ledger.fail_study("1.1", 1, Reason.UNDECODABLE, "")
    last = ledger.last_instance()
    (item,) = ledger.requeue(ALL, "admin")
    assert (item.images, item.sentence) == (2, "measured again; 2 rejected images tried again")
    work = ledger.study_work("1.1", 1)
    assert [one.sop_instance_uid for one in work.instances] == ["1.1.1", "1.1.2"]
    assert {(one.state, one.reason, one.detail) for one in work.instances} == {(InstanceState.RECEIVED, None, "")}
    # the catalogue goes by numbers: what it took out comes after all that it knows
    assert len(ledger.instances_after(last, 10)[0]) == 2
    assert ledger.count_rejected_instances() == 0
    ledger.start_studies(["1.1"], "run-2")
    ledger.finish_study("1.1", 1, **DONE)


def test_an_image_that_a_better_copy_replaced_stays_rejected(ledger):
    ledger.add_instance(image("1.1", 1, "broken"))
    ledger.close_study("1.1", "test")
    ledger.start_studies(["1.1"], "run")
    ledger.reject_instance("1.1.1", Reason.UNDECODABLE, "")
    ledger.fail_study("1.1", 1, Reason.UNDECODABLE, "")
    ledger.add_instance(image("1.1", 1, "good"))
    ledger.close_study("1.1", "late")  # the second revision; it waits already
    assert ledger.requeue(ALL, "admin") == ()
    ledger.start_studies(["1.1"], "run")
    ledger.fail_study("1.1", 2, Reason.MEASUREMENT_FAILED, "")
    (item,) = ledger.requeue(ALL, "admin")
    assert (item.revision, item.images) == (2, 0)
    assert [one.dataset_digest for one in ledger.study_work("1.1", 2).instances] == ["good"]


def test_a_delivery_that_was_given_up_is_sent_again_and_what_arrived_is_not(ledger, clock):
    give_up(ledger, clock, "1.1", "bad", "worse")
    assert ledger.study_work("1.1", 1).state is StudyState.PARTIAL
    (item,) = ledger.requeue(Selection(destination="bad"), "admin")
    assert (item.deliveries, item.measure) == (1, False)
    assert ledger.study_work("1.1", 1).state is StudyState.MEASURED
    (due,) = ledger.mark_sending(ledger.pending_deliveries(clock.now))
    assert (due.destination, due.attempts) == ("bad", 2)
    # its time for trying began anew
    clock.pass_s(5)
    again = ledger.mark_failed(due.sop_instance_uid, "bad", "no", retry_interval_s=0, retry_duration_s=10)
    assert again is DeliveryState.FAILED
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    ledger.mark_sent(due.sop_instance_uid, "bad")
    assert ledger.study_work("1.1", 1).state is StudyState.PARTIAL  # the other one is still missing
    ledger.requeue(ALL, "admin")
    (due,) = ledger.mark_sending(ledger.pending_deliveries(clock.now))
    ledger.mark_sent(due.sop_instance_uid, "worse")
    assert ledger.study_work("1.1", 1).state is StudyState.DELIVERED
    assert {d.destination: d.attempts for d in ledger.deliveries()} == {"good": 1, "bad": 3, "worse": 2}


def test_a_form_that_was_given_up_is_written_again_by_the_next_night(ledger):
    miss(ledger, "1.1")
    assert ledger.reopen_unwritten() == 0
    (item,) = ledger.requeue(ALL, "admin")
    assert (item.forms, item.measure) == (("cine",), False)
    assert ledger.study_work("1.1", 1).state is StudyState.PARTIAL
    assert ledger.reopen_unwritten() == 1
    assert [work.study_instance_uid for work in ledger.studies_to_measure()] == ["1.1"]
    assert ledger.unwritten()[0].attempts == 1


def test_a_form_that_is_tried_again_by_itself_is_left_to_it(ledger):
    miss(ledger, "1.1", attempts=1)
    assert ledger.requeue(ALL, "admin") == ()
    (item,) = ledger.requeue(Selection(("1.1",)), "admin")
    assert item.refused == "nothing of it failed or was given up"


def test_what_is_in_flight_is_refused_and_stays(ledger, clock):
    ledger.add_instance(image("1.1"))
    arrive(ledger, "1.2")
    start(ledger, "1.3")
    give_up(ledger, clock, "1.4", "bad")
    plan_delivery(ledger, "1.4", "slow", 51)
    ledger.mark_sending(ledger.pending_deliveries(clock.now))
    before = everything(ledger)
    found = ledger.requeue(Selection(("1.1", "1.2", "1.3", "1.4")), "admin")
    assert [(item.study_instance_uid, item.refused.split(";")[0]) for item in found] == [
        ("1.1", "not complete yet"),
        ("1.2", "waits to be measured already"),
        ("1.3", "being measured"),
        ("1.4", "a result is being sent"),
    ]
    assert everything(ledger) == before
    assert ledger.recover().studies == 1


def test_a_dry_run_says_the_same_and_changes_nothing(ledger, clock):
    fail(ledger, "1.1")
    give_up(ledger, clock, "1.2", "bad")
    miss(ledger, "1.3")
    before = everything(ledger)
    told = ledger.requeue(ALL, "admin", dry_run=True)
    assert everything(ledger) == before
    assert len(told) == 3 and told == ledger.requeue(ALL, "admin")
    assert everything(ledger) != before


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(states=("failed",)), ["1.1", "1.2"]),
        (Selection(states=("partial",)), ["1.3", "1.4"]),
        (Selection(reason="worker_died"), ["1.2"]),
        (Selection(reason="0xA700"), ["1.3"]),
        (Selection(reason="no FONT"), ["1.4"]),
        (Selection(source="import"), ["1.2"]),
        (Selection(destination="bad"), ["1.3"]),
        (Selection(destination="good"), []),
        (Selection(studies=("1.1", "1.4")), ["1.1", "1.4"]),
        (Selection(states=("failed",), reason="0xA700"), []),
    ],
)
def test_conditions(ledger, clock, selection, expected):
    fail(ledger, "1.1")
    fail(ledger, "1.2", Reason.WORKER_DIED, source="import")
    give_up(ledger, clock, "1.3", "bad")
    miss(ledger, "1.4")
    assert [item.study_instance_uid for item in ledger.requeue(selection, "admin") if not item.refused] == expected


def test_a_span_of_time(ledger, clock):
    begin = clock.now
    for study in ("1.1", "1.2", "1.3"):
        fail(ledger, study)
        clock.pass_s(3600)
    hour = timedelta(hours=1)

    def found(**span):
        return [item.study_instance_uid for item in ledger.requeue(Selection(**span), "admin", dry_run=True)]

    assert found(since=begin + hour) == ["1.2", "1.3"]
    assert found(until=begin + hour) == ["1.1"]
    assert found(since=begin + hour, until=begin + 2 * hour) == ["1.2"]


def test_an_unknown_study_is_an_error_and_nothing_is_put_back(ledger):
    fail(ledger, "1.1")
    before = everything(ledger)
    with pytest.raises(LedgerError, match=r"no study 1\.404"):
        ledger.requeue(Selection(("1.1", "1.404")), "admin")
    assert everything(ledger) == before


def test_what_was_measured_is_measured_again_only_when_asked(ledger, clock):
    give_up(ledger, clock, "1.1")
    assert ledger.study_work("1.1", 1).state is StudyState.DELIVERED
    assert ledger.requeue(ALL, "admin") == ()
    (item,) = ledger.requeue(Selection(states=("delivered",), again=True), "admin")
    assert item.measure
    assert [work.study_instance_uid for work in ledger.studies_to_measure()] == ["1.1"]


def test_results_that_tell_of_a_failure_are_replaced_by_a_new_revision(ledger, clock):
    """The UIDs of results are those of revision and algorithm: the good one must not go out under the bad one's."""
    start(ledger, "1.1")
    ledger.note_written([WrittenResult("1.1.50", "1.9", "1.8", "1.1", 1, "cad", "cad-sr", "k", "", "r.dcm")])
    plan_delivery(ledger, "1.1", "good")
    ledger.fail_study("1.1", 1, Reason.MEASUREMENT_FAILED, "")
    ledger.requeue(ALL, "admin")
    assert ledger.study_work("1.1", 1).state is StudyState.SUPERSEDED
    (work,) = ledger.studies_to_measure()
    assert (work.revision, [one.sop_instance_uid for one in work.instances]) == (2, ["1.1.1"])
    assert (work.closed_by, work.woman) == (ledger.study_work("1.1", 1).closed_by, "w")
    assert ledger.requeue(ALL, "admin") == ()


def test_whoever_receives_meanwhile_need_not_wait_for_hundreds(ledger, monkeypatch):
    for number in range(250):
        fail(ledger, f"1.{number}")
    writes, real = [], type(ledger)._write
    monkeypatch.setattr(type(ledger), "_write", lambda self: writes.append(self) or real(self))
    assert len(ledger.requeue(ALL, "admin")) == 250
    assert len(writes) == 3
    assert ledger.counts().studies[StudyState.CLOSED] == 250
    assert len(ledger.events(1000)) == 250
