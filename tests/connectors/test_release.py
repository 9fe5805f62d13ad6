"""A commitment reported at the very moment of our release is answered and kept, and nothing follows the release.

pynetdicom answers a report in a thread that its release does not wait for, and tells of an answer before it sends it.
"""

from __future__ import annotations

import threading
import time

import pytest
from made_dicom import MAMMOGRAM
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.dimse_messages import N_EVENT_REPORT_RSP
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from reread.connectors import dimse
from reread.connectors.commitment import Reference
from reread.connectors.dimse import DimseArchive
from reread.connectors.peers import Peer


class Archive:
    """Reports a commitment on the association that asked, a moment after it answered."""

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self.answers: list[int | None] = []
        self.ends: list[str] = []
        self._threads: list[threading.Thread] = []
        ae = AE("PACS")
        ae.dimse_timeout = 5
        ae.add_supported_context(StorageCommitmentPushModel)
        handlers = [
            (evt.EVT_N_ACTION, self._asked),
            (evt.EVT_RELEASED, lambda _: self.ends.append("released")),
            (evt.EVT_ABORTED, lambda _: self.ends.append("aborted")),
        ]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.peer = Peer("pacs", "PACS", "127.0.0.1", self._server.server_address[1])

    def _asked(self, event):
        transaction = event.action_information.TransactionUID
        thread = threading.Thread(target=self._report, args=(event.assoc, transaction))
        self._threads.append(thread)
        thread.start()
        return 0x0000, None

    def _report(self, association, transaction):
        time.sleep(self.after_s)
        report, item = Dataset(), Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MAMMOGRAM, "2.25.1"
        report.TransactionUID, report.ReferencedSOPSequence = transaction, [item]
        status, _ = association.send_n_event_report(
            report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.answers.append(status.get("Status"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for thread in self._threads:
            thread.join(20)
        for association in self._server.active_associations:
            association.join(20)
        self._server.shutdown()


@pytest.fixture
def slow_reader(monkeypatch):
    """Reading the report takes until after the time-out."""
    read = dimse.read_result

    def slowly(information):
        time.sleep(0.6)
        return read(information)

    monkeypatch.setattr(dimse, "read_result", slowly)


@pytest.fixture
def slow_answer(monkeypatch):
    """Between the notice that an answer is sent and its sending lies a moment."""
    encode = N_EVENT_REPORT_RSP.encode_msg

    def slowly(message, *arguments):
        time.sleep(0.6)
        return encode(message, *arguments)

    monkeypatch.setattr(N_EVENT_REPORT_RSP, "encode_msg", slowly)


def test_a_report_at_the_moment_of_the_release(slow_reader):
    with Archive(after_s=0.2) as archive:
        asking = DimseArchive(archive.peer, "REREAD", timeout_s=10, commitment_timeout_s=0.5)
        outcome = asking.commit([Reference(MAMMOGRAM, "2.25.1")])
    assert outcome.result is not None and len(outcome.result.committed) == 1
    assert (archive.answers, archive.ends) == ([0x0000], ["released"])


def test_a_report_in_time_is_answered_before_the_release(slow_answer):
    with Archive(after_s=0.1) as archive:
        outcome = DimseArchive(archive.peer, "REREAD", timeout_s=10, commitment_timeout_s=5).commit(
            [Reference(MAMMOGRAM, "2.25.1")]
        )
    assert outcome.result is not None
    assert (archive.answers, archive.ends) == ([0x0000], ["released"])
