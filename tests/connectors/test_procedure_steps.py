"""Procedure steps of modalities over the network (PS3.4 F.7)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import House, house
from made_dicom import study
from made_messages import begun, ended, modality
from pydicom.dataset import Dataset
from pynetdicom import evt

from reread.analytics.errors import LedgerError
from reread.connectors.closing import CaseCloser
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger_announcements import ProcedureStep
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.procedure_steps import MAX_INSTANCES, StepRefused, changed, created, read_change
from reread.connectors.states import StepStatus, StudyState

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)
UID = "2.25.88.1"
UIDS = [f"2.25.1.{number}" for number in range(1, 5)]


def store(node: House, paths: list[Path]) -> None:
    peer = Peer("us", "REREAD", "127.0.0.1", node.listener.port)
    assert {item.status for item in DimseArchive(peer, "SENDER", timeout_s=20.0).store(paths)} == {0}


def state(node: House) -> tuple[StudyState, str, str]:
    work = node.ledger.study_work("2.25.1", 1)
    return work.state, work.closed_by, work.evidence


def test_a_completed_step_closes_its_study(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        assert sender.create(begun(), UID).Status == 0x0000
        store(node, study(tmp_path / "out", 4))
        assert sender.set(ended(instances=UIDS), UID).Status == 0x0000
        words = "the completed procedure step: 4 of 4 instances are here"
        assert state(node) == (StudyState.CLOSED, "procedure_step", words)
        step = node.ledger.procedure_step(UID)
        assert step == ProcedureStep(
            UID,
            StepStatus.COMPLETED,
            ("2.25.1",),
            "sender",
            "20260102083000.25",
            "20260102084500",
            1,
            frozenset(UIDS),
        )
    text = caplog.text + (tmp_path / "ledger.sqlite").read_bytes().decode("latin-1")
    assert "Secret" not in text and "PPS1" not in text


def test_a_restart_between_create_and_set_does_not_matter(tmp_path):
    paths = study(tmp_path / "out", 4)
    with house(tmp_path, SENDER) as node:
        with modality(node.listener.port) as sender:
            assert sender.create(begun(), UID).Status == 0x0000
        store(node, paths[:2])
    with house(tmp_path, SENDER) as node:
        with modality(node.listener.port) as sender:
            assert sender.create(begun(), UID).Status == 0x0111
            assert sender.set(ended(instances=UIDS), UID).Status == 0x0000
        assert state(node)[0] is StudyState.OPEN
        store(node, paths[2:])
        CaseCloser(node.ledger).close()
        assert state(node)[:2] == (StudyState.CLOSED, "procedure_step")


def test_a_step_in_progress_holds_the_study(tmp_path):
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.create(begun(), UID)
        store(node, study(tmp_path / "out", 2))
        closer = CaseCloser(node.ledger, ClosingPolicy(ClosingRules(quiet_s=0.0)))
        assert closer.close() == ()
        # what was made before the end was broken off is all that there is
        assert sender.set(ended("DISCONTINUED", UIDS), UID).Status == 0x0000
        assert state(node)[0] is StudyState.OPEN
        assert len(closer.close()) == 1
        assert state(node)[1:] == ("quiet", "quiet for 0 s; a procedure step was discontinued")


def test_images_are_added_before_the_end(tmp_path):
    """An N-SET replaces the Performed Series Sequence as a whole."""
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.create(begun(), UID)
        between = ended("IN PROGRESS", UIDS[:2])
        del between.PerformedProcedureStepEndDate, between.PerformedProcedureStepEndTime
        assert sender.set(between, UID).Status == 0x0000
        assert node.ledger.procedure_step(UID).instances == set(UIDS[:2])
        last = ended(instances=UIDS)
        del last.PerformedSeriesSequence
        assert sender.set(last, UID).Status == 0x0000
        assert node.ledger.procedure_step(UID).instances == set(UIDS[:2])


@pytest.mark.parametrize("final", ["COMPLETED", "DISCONTINUED"])
def test_after_the_end_nothing_changes(tmp_path, final):
    """PS3.4 F.7.2.2.3 and table F.7.2-2."""
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.create(begun(), UID)
        assert sender.set(ended(final, UIDS), UID).Status == 0x0000
        before = node.ledger.procedure_step(UID)
        for again in (ended("COMPLETED", UIDS[:1]), ended("IN PROGRESS"), Dataset()):
            again.PerformedProcedureStepDescription = "later"
            answer = sender.set(again, UID)
            assert answer.Status == 0x0110 and answer.ErrorID == 0xA710
            assert answer.ErrorComment == "Performed Procedure Step Object may no longer be updated"
        assert node.ledger.procedure_step(UID) == before


def test_statuses_of_n_set(tmp_path):
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        assert sender.set(ended(), UID).Status == 0x0112
        sender.create(begun(), UID)
        assert sender.set(ended("FINISHED"), UID).Status == 0x0106
        assert sender.set(ended(series=0), UID).Status == 0x0120
        endless = ended()
        del endless.PerformedProcedureStepEndTime
        assert sender.set(endless, UID).Status == 0x0120
        assert sender.set(ended(instances=(f"2.25.1.{n}" for n in range(MAX_INSTANCES + 1))), UID).Status == 0x0213
        assert node.ledger.procedure_step(UID).status is StepStatus.IN_PROGRESS
        assert sender.set(ended(instances=UIDS), UID).Status == 0x0000


@pytest.mark.parametrize(
    "keyword",
    [
        "ScheduledStepAttributesSequence",
        "PerformedProcedureStepID",
        "PerformedStationAETitle",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformedProcedureStepStatus",
        "Modality",
    ],
)
def test_what_an_n_create_needs(tmp_path, keyword):
    empty, lacking = begun(), begun()
    setattr(empty, keyword, [] if keyword.endswith("Sequence") else "")
    del lacking[keyword]
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        assert [sender.create(dataset, UID).Status for dataset in (lacking, empty)] == [0x0120, 0x0121]
        assert node.ledger.procedure_step(UID) is None


def test_other_statuses_of_n_create(tmp_path, monkeypatch):
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        done, nameless = begun(), begun()
        done.PerformedProcedureStepStatus = "COMPLETED"
        assert sender.create(done, UID).Status == 0x0106
        nameless.ScheduledStepAttributesSequence[0].StudyInstanceUID = ""
        assert sender.create(nameless, UID).Status == 0x0121
        assert sender.create(None, UID).Status == 0x0120  # no data set at all
        timeless = begun()
        timeless.PerformedProcedureStepStartDate = "20260102"
        timeless.PerformedProcedureStepStartTime = "083000"
        assert sender.create(timeless, UID).Status == 0x0000
        assert sender.create(begun(), UID).Status == 0x0111

        def broken(*_: object) -> None:
            raise LedgerError("disk I/O error")

        monkeypatch.setattr(node.ledger, "create_step", broken)
        answer = sender.create(begun(), "2.25.88.2")
        assert (answer.Status, answer.ErrorComment) == (0x0110, "internal error")
        monkeypatch.undo()
        assert sender.create(begun(), "2.25.88.2").Status == 0x0000


def test_a_step_without_a_uid_gets_one_of_ours(tmp_path):
    """PS3.7 10.1.5.1.4: it is in the answer."""
    answers = []

    def heard(event):
        answers.append(str(event.message.command_set.get("AffectedSOPInstanceUID", "")))

    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.association.bind(evt.EVT_DIMSE_RECV, heard)
        assert sender.create(begun(), None).Status == 0x0000
        (uid,) = answers
        assert node.ledger.procedure_step(uid).studies == ("2.25.1",)


def test_one_step_for_two_studies(tmp_path):
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.create(begun("2.25.1", "2.25.2"), UID)
        store(node, study(tmp_path / "out", 1) + study(tmp_path / "out", 1, study="2.25.2"))
        assert sender.set(ended(instances=["2.25.1.1", "2.25.2.1"]), UID).Status == 0x0000
        assert {work.closed_by for work in node.ledger.studies_to_measure()} == {"procedure_step"}
        assert len(node.ledger.studies_to_measure()) == 2


def test_a_destination_may_not_speak_of_cases(tmp_path):
    reader = Peer("reader", "SENDER", "127.0.0.1", 11999, frozenset({PeerRole.DESTINATION}))
    with house(tmp_path, reader) as node, modality(node.listener.port) as sender:
        assert sender.create(begun(), UID).Status == 0x0124
        assert sender.set(ended(), UID).Status == 0x0124


def test_a_failure_to_close_does_not_take_the_step_back(tmp_path, monkeypatch):
    with house(tmp_path, SENDER) as node, modality(node.listener.port) as sender:
        sender.create(begun(), UID)
        store(node, study(tmp_path / "out", 1))

        def broken(*_: object) -> None:
            raise LedgerError("locked")

        monkeypatch.setattr(node.ledger, "close_cases", broken)
        assert sender.set(ended(instances=UIDS[:1]), UID).Status == 0x0000
        monkeypatch.undo()
        assert node.ledger.procedure_step(UID).status is StepStatus.COMPLETED
        assert len(CaseCloser(node.ledger).close()) == 1


MESSAGES = st.tuples(st.sampled_from([*StepStatus, "", "HALF"]), st.integers(0, 2), st.integers(0, 4))


@given(st.lists(MESSAGES, max_size=6))
def test_the_state_machine(messages):
    """A step ends once, with a series and an end; nothing that was refused changes it."""
    step = created(begun(), UID, "sender")
    ends = 0
    for status, series, count in messages:
        before = step
        try:
            step = changed(step, read_change(ended(str(status), UIDS[:count], series)))
        except StepRefused as refused:
            assert step is before
            assert (refused.status == 0x0110) == (before.status is not StepStatus.IN_PROGRESS)
            continue
        assert before.status is StepStatus.IN_PROGRESS
        if step.status is not StepStatus.IN_PROGRESS:
            ends += 1
            assert step.series_count and step.ended
    assert ends <= 1
