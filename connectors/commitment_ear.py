"""The ear for storage commitment: results that a peer reports on an association that it opens (R1.88, R4.235)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from reread.analytics.errors import InputError
from reread.connectors.commitment import ALL_COMMITTED, FAILURES_EXIST, CommitmentResult, read_result
from reread.connectors.ledger import Ledger
from reread.connectors.services import Handler, Offer, StatusMeaning

_SUCCESS, _PROCESSING_FAILURE, _NO_SUCH_EVENT, _UID_MISMATCH = 0x0000, 0x0110, 0x0113, 0x0119


class CommitmentEar:
    """N-EVENT-REPORT of the Storage Commitment Push Model, with us as SCU.

    Parameters
    ----------
    ledger
        Where results are booked.
    retry_interval_s, retry_duration_s
        For deliveries whose commitment failed.
    """

    name = "Storage Commitment (results)"

    def __init__(self, ledger: Ledger, retry_interval_s: float, retry_duration_s: float) -> None:
        self._ledger = ledger
        self._retry_interval_s = retry_interval_s
        self._retry_duration_s = retry_duration_s

    def offers(self) -> Sequence[Offer]:
        """The push model, with the peer as SCP."""
        # a peer that does not propose the role is let in by the other half, `CommitmentService`
        return (Offer(StorageCommitmentPushModel, peer_scu=False, peer_scp=True),)

    def handlers(self) -> Sequence[Handler]:
        """N-EVENT-REPORT."""
        return ((evt.EVT_N_EVENT_REPORT, self._on_event_report),)

    def statuses(self) -> Sequence[StatusMeaning]:
        """Those of the N-EVENT-REPORT response."""
        return (
            StatusMeaning(_SUCCESS, "success", "the result was booked"),
            StatusMeaning(_PROCESSING_FAILURE, "failure", "the report could not be read"),
            StatusMeaning(_NO_SUCH_EVENT, "failure", "the event type is neither 1 nor 2"),
            StatusMeaning(_UID_MISMATCH, "failure", "the Transaction UID is none of ours"),
        )

    def _on_event_report(self, event: Any) -> tuple[int, None]:
        try:
            if event.event_type not in (ALL_COMMITTED, FAILURES_EXIST):
                return _NO_SUCH_EVENT, None  # R4.259
            result = read_result(event.event_information)
        except (InputError, ValueError, AttributeError):
            return _PROCESSING_FAILURE, None  # R1.90
        known = book_commitment(self._ledger, result, self._retry_interval_s, self._retry_duration_s)
        return (_SUCCESS if known else _UID_MISMATCH), None  # R1.91


def book_commitment(ledger: Ledger, result: CommitmentResult, retry_interval_s: float, retry_duration_s: float) -> bool:
    """Write a storage commitment result into the ledger; False if nobody asked for it."""
    return ledger.apply_commitment(
        result.transaction_uid,
        (reference.sop_instance_uid for reference in result.committed),
        result.causes,
        retry_interval_s=retry_interval_s,
        retry_duration_s=retry_duration_s,
    )
