"""End-of-case messages over the network (R1.11, R1.34, R1.38, R1.68 to R1.75)."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

import pytest
from loopback import House, house
from made_dicom import study, write
from made_messages import NOTIFICATION, SYNTAXES, modality, study_content
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_context

from reread.analytics.errors import LedgerError
from reread.connectors.closing import CaseCloser
from reread.connectors.dimse import DimseArchive
from reread.connectors.notification import MAX_INSTANCES
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.states import StudyState

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)
UIDS = [f"2.25.1.{number}" for number in range(1, 5)]


def store(node: House, paths: list[Path], called: str = "REREAD") -> None:
    peer = Peer("us", called, "127.0.0.1", node.listener.port)
    assert {item.status for item in DimseArchive(peer, "SENDER", timeout_s=20.0).store(paths)} == {0}


def notify(node: House, dataset: Dataset, **more: str) -> Dataset:
    with modality(node.listener.port, **more) as sender:
        return sender.notify(dataset)


def close(node: House) -> int:
    """What `reread listen` does every few seconds."""
    return len(CaseCloser(node.ledger).close())


def evidence(node: House, revision: int = 1) -> tuple[StudyState, str, str]:
    work = node.ledger.study_work("2.25.1", revision)
    return work.state, work.closed_by, work.evidence


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_all_here_closes_the_study(tmp_path, syntax):
    with house(tmp_path, SENDER) as node:
        store(node, study(tmp_path / "out", 4))
        assert evidence(node)[0] is StudyState.OPEN
        assert notify(node, study_content(UIDS), syntax=syntax).Status == 0x0000
        words = "end-of-case message: 4 of 4 instances are here"
        assert evidence(node) == (StudyState.CLOSED, "notification", words)
        # it is no object: nothing of it is kept
        assert sum(node.ledger.counts().instances.values()) == 4 and not node.ledger.rejections()
        assert not list(node.spool.incoming.iterdir())


def test_part_then_the_rest(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with house(tmp_path, SENDER) as node:
        paths = study(tmp_path / "out", 4)
        assert notify(node, study_content(UIDS)).Status == 0x0002
        store(node, paths[:3])
        assert notify(node, study_content(UIDS, uid="2.25.77.2")).Status == 0x0001
        assert close(node) == 0
        store(node, paths[3:])
        assert close(node) == 1 and evidence(node)[1] == "notification"
        assert notify(node, study_content(UIDS, uid="2.25.77.3")).Status == 0x0000
    text = caplog.text + (tmp_path / "ledger.sqlite").read_bytes().decode("latin-1")
    assert "Secret" not in text and "PatientID" not in text


def test_the_listener_may_restart_between_message_and_images(tmp_path):
    paths = study(tmp_path / "out", 4)
    with house(tmp_path, SENDER) as node:
        store(node, paths[:2])
        assert notify(node, study_content(UIDS)).Status == 0x0001
    with house(tmp_path, SENDER) as node:
        store(node, paths[2:])
        assert close(node) == 1 and evidence(node)[1] == "notification"


def test_a_late_image_opens_a_revision(tmp_path):
    with house(tmp_path, SENDER) as node:
        paths = study(tmp_path / "out", 5)
        store(node, paths[:4])
        notify(node, study_content(UIDS))
        store(node, paths[4:])
        assert close(node) == 0 and evidence(node, 2)[0] is StudyState.OPEN
        assert notify(node, study_content([*UIDS, "2.25.1.5"], uid="2.25.77.2")).Status == 0x0000
        assert evidence(node, 2)[1] == "notification"
        assert len(node.ledger.study_work("2.25.1", 2).instances) == 5


def test_a_message_that_names_nothing_is_about_what_was_sent(tmp_path):
    """R1.430: zero or more items."""
    with house(tmp_path, SENDER) as node:
        assert notify(node, study_content([])).Status == 0x0002
        store(node, study(tmp_path / "out", 1))
        assert close(node) == 0  # the empty message before it was about nothing
        assert notify(node, study_content([])).Status == 0x0000
        assert evidence(node)[1:] == ("notification", "end-of-case message: it names no instance")


def without(keyword: str) -> Dataset:
    dataset = study_content(UIDS)
    del dataset[keyword]
    return dataset


def with_value(keyword: str, value: str) -> Dataset:
    dataset = study_content(UIDS)
    dataset.add_new(keyword, "UI", value)
    return dataset


def with_bad_reference() -> Dataset:
    dataset = study_content(UIDS)
    dataset.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID = "../../etc"
    return dataset


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    ("make", "element"),
    [
        (lambda: without("StudyInstanceUID"), 0x0020000D),
        (lambda: with_value("StudyInstanceUID", ""), 0x0020000D),
        (lambda: with_value("StudyInstanceUID", "1.2/../3"), 0x0020000D),
        (lambda: without("ReferencedSeriesSequence"), 0x00081115),
        (with_bad_reference, 0x00081155),
    ],
    ids=["no study", "empty study", "study is no UID", "no series sequence", "reference is no UID"],
)
def test_invalid_data_is_refused_with_its_element(tmp_path, make, element, writing_anything):
    with house(tmp_path, SENDER) as node:
        answer = notify(node, make())
        assert (answer.Status, answer.OffendingElement) == (0xA900, element)
        assert answer.ErrorComment
        assert notify(node, study_content(UIDS)).Status == 0x0002


@pytest.fixture
def writing_anything():
    """The room's rule of strict writing is for what we author, not for what a bad modality sends."""
    from pydicom import config

    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    yield
    config.settings.writing_validation_mode = before


@pytest.mark.slow
def test_more_than_can_be_a_case_is_refused(tmp_path):
    with house(tmp_path, SENDER) as node:
        answer = notify(node, study_content(f"2.25.1.{number}" for number in range(MAX_INSTANCES + 1)))
        assert answer.Status == 0xC002
        assert notify(node, study_content(f"2.25.1.{number}" for number in range(MAX_INSTANCES))).Status == 0x0002


def test_a_ledger_that_does_not_answer_is_an_internal_error(tmp_path, monkeypatch):
    with house(tmp_path, SENDER) as node:

        def broken(*_: object) -> None:
            raise LedgerError("disk I/O error")

        monkeypatch.setattr(node.ledger, "announce_study_content", broken)
        assert notify(node, study_content(UIDS)).Status == 0x0110
        monkeypatch.undo()
        assert notify(node, study_content(UIDS)).Status == 0x0002


def test_a_destination_may_not_announce(tmp_path):
    reader = Peer("reader", "SENDER", "127.0.0.1", 11999, frozenset({PeerRole.DESTINATION}))
    with house(tmp_path, reader) as node:
        assert notify(node, study_content(UIDS)).Status == 0x0124


def test_other_transfer_syntaxes_are_not_accepted(tmp_path):
    """R1.38."""
    with house(tmp_path, SENDER) as node:
        contexts = [build_context(NOTIFICATION, "1.2.840.10008.1.2.4.90"), build_context("1.2.840.10008.1.1")]
        association = AE("SENDER").associate("127.0.0.1", node.listener.port, contexts=contexts, ae_title="REREAD")
        assert [item.abstract_syntax for item in association.accepted_contexts] == ["1.2.840.10008.1.1"]
        association.release()


def test_a_sequence_item_without_references_names_nothing(tmp_path):
    with house(tmp_path, SENDER) as node:
        dataset = study_content(UIDS)
        empty = Dataset()
        empty.SeriesInstanceUID = "2.25.1.901"
        dataset.ReferencedSeriesSequence = Sequence([*dataset.ReferencedSeriesSequence, empty])
        store(node, study(tmp_path / "out", 4))
        assert notify(node, dataset).Status == 0x0000


def test_a_cohort_over_several_associations(tmp_path):
    """R4.37: across patients and associations; everything else the sender stores is not part of it."""
    with house(tmp_path, SENDER, also_called=("RR_MULTIPATIENT",)) as node:
        for number in (1, 2):
            paths = study(tmp_path / "out", 2, study=f"2.25.{number}", patient=f"P{number}")
            store(node, paths, "RR_MULTIPATIENT")
        store(node, study(tmp_path / "out", 1, study="2.25.3"))
        (cohort,) = node.ledger.cohorts()
        assert (cohort.studies, cohort.instances, cohort.is_open) == (2, 4, True)
        assert (cohort.key.calling_ae_title, cohort.key.called_ae_title) == ("SENDER", "RR_MULTIPATIENT")
        # a message ends a case, not a cohort
        assert notify(node, study_content(["2.25.1.1", "2.25.1.2"])).Status == 0x0000
        assert evidence(node)[0] is StudyState.OPEN
        assert {case.cohort for case in node.ledger.open_cases()} == {1, None}


STORESCU = Path("/usr/bin/storescu")
PROFILE = """
[[TransferSyntaxes]]
[Plain]
TransferSyntax1 = LittleEndianExplicit
[[PresentationContexts]]
[Case]
PresentationContext1 = 1.2.840.10008.1.9\\Plain
PresentationContext2 = 1.2.840.10008.5.1.4.1.1.1.2\\Plain
[[Profiles]]
[Modality]
PresentationContexts = Case
"""


@pytest.mark.skipif(not STORESCU.is_file(), reason="dcmtk's storescu is not installed")
def test_dcmtk_sends_images_and_message_in_one_association(tmp_path):
    """R1.68. storescu proposes the retired class only by a profile; dcmsend knows it under no option."""
    (tmp_path / "profile.cfg").write_text(PROFILE)
    message = study_content(UIDS)
    message.file_meta = FileMetaDataset()
    message.file_meta.TransferSyntaxUID = SYNTAXES[1]
    paths = [*study(tmp_path / "out", 4), write(message, tmp_path / "message.dcm")]
    with house(tmp_path, SENDER) as node:
        options = ["-v", "-xf", tmp_path / "profile.cfg", "Modality", "-aet", "SENDER", "-aec", "REREAD"]
        done = subprocess.run(
            [STORESCU, *options, "127.0.0.1", str(node.listener.port), *map(str, paths)],
            env={**os.environ, "TCP_NODELAY": "1"},
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("Received Store Response (Success)") == 5
        assert evidence(node)[:2] == (StudyState.CLOSED, "notification")
