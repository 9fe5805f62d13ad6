"""Storage Commitment Push Model SCP (PS3.4 annex J): we answer for what ledger and spool hold (R4.554, R1.82 to R1.87).

A request is in the ledger before its N-ACTION is answered, and is reported after a restart too. What it asks
for is looked at when it is reported: the ledger has the object, under that SOP class, and the file is in the
spool with its full size. The report goes out on an association that we open to the peer, as SCP by role
selection (R4.236), or on the one that asked where the peer wants that; it is repeated until the peer takes it.

A transaction UID that is in use for other objects is answered 0000 and reported with 0131 for all of them:
0131 is a Failure Reason (PS3.3 C.14.1.1), no status of an N-ACTION. The same request once more is reported once more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from pynetdicom import build_context, build_role, evt
from pynetdicom.dimse_messages import N_ACTION_RSP
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from reread.analytics.errors import ArchiveUnreachable, InputError, LedgerError, SettingsInvalid
from reread.connectors.calling import association_with
from reread.connectors.commitment import (
    DUPLICATE_TRANSACTION,
    REQUEST_COMMITMENT,
    CommitmentResult,
    Reference,
    judge,
    read_request,
    result_dataset,
)
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_commitments import CommitmentRequest, RequestOutcome, RequestState
from reread.connectors.outgoing import REPORT_COMMITMENT as REPORT
from reread.connectors.outgoing import Outcome
from reread.connectors.peers import Peer
from reread.connectors.services import UNCOMPRESSED, Handler, Offer, StatusMeaning
from reread.connectors.spool import Spool, check_uid
from reread.connectors.storage_classes import STORAGE_CLASSES

LOG = logging.getLogger(__name__)

_SUCCESS, _PROCESSING_FAILURE, _NO_SUCH_INSTANCE = 0x0000, 0x0110, 0x0112
_INVALID_ARGUMENT, _NO_SUCH_ACTION, _NOT_AUTHORISED = 0x0115, 0x0123, 0x0124
REPORT_TIMEOUT_S = 30.0
"""for an association with a peer that gets a report, and for its answers"""
_LEASE_S = 5 * REPORT_TIMEOUT_S
"""no other process reports a request that this one is reporting"""


class CommitmentService:
    """N-ACTION of the Storage Commitment Push Model, with us as SCP; the reports go out from a thread.

    Parameters
    ----------
    ledger, spool
        What we answer from.
    gate
        Knows who asks.
    peers
        Where reports go.
    retry_interval_s, retry_duration_s
        For reports that the peer did not take.
    poll_s
        How often the ledger is asked for requests that are due, of this and of other processes.
    """

    name = "Storage Commitment"

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        gate: Gatekeeper,
        peers: Sequence[Peer],
        *,
        retry_interval_s: float = 60.0,
        retry_duration_s: float = 86400.0,
        poll_s: float = 2.0,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._gate = gate
        self._peers: Mapping[str, Peer] = {peer.name: peer for peer in peers}
        self._retry = {"retry_interval_s": retry_interval_s, "retry_duration_s": retry_duration_s}
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._answered: WeakKeyDictionary[Any, list[int]] = WeakKeyDictionary()
        """by association: requests whose N-ACTION is being answered"""
        self._asking: WeakValueDictionary[int, Any] = WeakValueDictionary()
        """by request: the association that asked"""
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def offers(self) -> Sequence[Offer]:
        """The push model, with the peer as SCU."""
        return (Offer(StorageCommitmentPushModel, UNCOMPRESSED, peer_scu=True, peer_scp=False),)

    def handlers(self) -> Sequence[Handler]:
        """N-ACTION; and EVT_DIMSE_SENT, after which the report may go out."""
        return ((evt.EVT_N_ACTION, self._on_action), (evt.EVT_DIMSE_SENT, self._on_sent))

    def statuses(self) -> Sequence[StatusMeaning]:
        """Those of the N-ACTION response; Failure Reasons are in `commitment.FAILURE_REASONS`."""
        return (
            StatusMeaning(_SUCCESS, "success", "the request was booked; the result follows in an N-EVENT-REPORT"),
            StatusMeaning(_PROCESSING_FAILURE, "failure", "the request could not be booked"),
            StatusMeaning(_NO_SUCH_INSTANCE, "failure", "the SOP instance is not the one of the push model"),
            StatusMeaning(
                _INVALID_ARGUMENT, "failure", "the transaction UID or the references are missing or are no UIDs"
            ),
            StatusMeaning(_NO_SUCH_ACTION, "failure", "the action type is not 1"),
            StatusMeaning(_NOT_AUTHORISED, "refused", "the caller is not known any longer"),
        )

    def start(self) -> None:
        """Report what is due, now and from now on."""
        self._stopping = False
        self._thread = threading.Thread(target=self._report_all, name="commitment reports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the report that is going out; the others wait in the ledger."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _on_action(self, event: Any) -> tuple[int, None]:
        status = self._book(event)
        if status != _SUCCESS:
            LOG.warning("a storage commitment request was refused with 0x%04X", status)
        return status, None

    def _book(self, event: Any) -> int:
        if event.action_type != REQUEST_COMMITMENT:
            return _NO_SUCH_ACTION
        if event.request.RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return _NO_SUCH_INSTANCE
        peer = self._gate.caller(event.assoc)
        if peer is None:
            return _NOT_AUTHORISED
        try:
            transaction, references = read_request(event.action_information)
            for uid in (
                transaction,
                *(uid for item in references for uid in (item.sop_class_uid, item.sop_instance_uid)),
            ):
                check_uid(uid)
        except (InputError, AttributeError, TypeError, ValueError):
            return _INVALID_ARGUMENT
        called = str(event.assoc.requestor.primitive.called_ae_title).strip()
        try:
            number, outcome = self._ledger.add_commitment_request(peer.name, called, transaction, references)
        except LedgerError as error:
            LOG.error("a storage commitment request could not be booked: %s", error)
            return _PROCESSING_FAILURE
        if outcome is RequestOutcome.DUPLICATE:
            LOG.warning("%s used the transaction UID %s twice", peer.name, transaction)
        with self._lock:
            self._answered.setdefault(event.assoc, []).append(number)
            self._asking[number] = event.assoc
        return _SUCCESS

    def _on_sent(self, event: Any) -> None:
        """The report may go out only after the answer to the N-ACTION did."""
        if not isinstance(event.message, N_ACTION_RSP):
            return
        with self._lock:
            numbers = self._answered.pop(event.assoc, [])
        for number in numbers:
            try:
                self._ledger.report_now(number)
            except LedgerError as error:
                LOG.warning("a storage commitment report is late: %s", error)
        self._wake.set()

    def _report_all(self) -> None:
        while not self._stopping:
            try:
                request = self._ledger.claim_commitment_request(_LEASE_S)
                if request is not None:
                    state = self._ledger.settle_commitment_request(request.number, self._report(request), **self._retry)
                    if state is RequestState.GIVEN_UP:
                        LOG.error("a storage commitment result for %s was given up", request.peer)
                    continue
            except LedgerError as error:
                LOG.error("storage commitment: %s", error)
            self._wake.wait(self._poll_s)
            self._wake.clear()

    def _report(self, request: CommitmentRequest) -> bool:
        """Tell the peer; whether it took it."""
        peer = self._peers.get(request.peer)
        if peer is None:
            LOG.warning("a storage commitment result for %s, which is no peer any longer", request.peer)
            return False
        try:
            message = result_dataset(*self._result(request))
            return self._on_same(request, peer, message) or self._on_own(request, peer, message)
        except LedgerError:
            raise
        except (ArchiveUnreachable, SettingsInvalid) as error:
            LOG.error("a storage commitment result could not be delivered to %s: %s", peer.name, error)
        except Exception as error:  # whatever the toolkit raises: the thread goes on, the report is tried again
            LOG.error("a storage commitment result could not be delivered to %s: %s", peer.name, type(error).__name__)
        return False

    def _result(self, request: CommitmentRequest) -> tuple[CommitmentResult, dict[str, str]]:
        copies = self._ledger.held_copies(item.sop_instance_uid for item in request.references)
        committed: list[Reference] = []
        failed: dict[str, int] = {}
        classes: dict[str, str] = {}
        for item in request.references:
            reason = (
                DUPLICATE_TRANSACTION
                if request.duplicate
                else judge(item, copies.get(item.sop_instance_uid, ()), self._size, STORAGE_CLASSES.__contains__)
            )
            if reason is None:
                committed.append(item)
            else:
                failed[item.sop_instance_uid] = reason
                classes[item.sop_instance_uid] = item.sop_class_uid
        return CommitmentResult(request.transaction_uid, tuple(committed), failed), classes

    def _size(self, relative: str) -> int | None:
        path: Path = self._spool.resolve(relative)
        return path.stat().st_size if path.is_file() else None

    def _on_same(self, request: CommitmentRequest, peer: Peer, message: tuple[int, Any]) -> bool:
        association = self._asking.get(request.number)
        if not peer.report_on_same_association or association is None or not association.is_established:
            return False
        return _send(association, message)

    def _on_own(self, request: CommitmentRequest, peer: Peer, message: tuple[int, Any]) -> bool:
        contexts = [build_context(item.abstract_syntax, list(item.transfer_syntaxes)) for item in REPORT.contexts]
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        with association_with(
            peer, request.called_ae_title, contexts, timeout_s=REPORT_TIMEOUT_S, negotiation=[role]
        ) as association:
            return _send(association, message)


def _send(association: Any, message: tuple[int, Any]) -> bool:
    kind, dataset = message
    status, _ = association.send_n_event_report(
        dataset, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    code = int(status.Status) if "Status" in status else None
    taken = code is not None and REPORT.outcome(code) is Outcome.DONE
    if not taken:
        answer = "no answer" if code is None else f"0x{code:04X}"
        LOG.warning("a storage commitment result was not taken: %s", answer)
    return taken
