"""The state machines of the ledger, each one table of allowed transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from reread.analytics.errors import LedgerError


class InstanceState(StrEnum):
    """What became of one instance (dispositions R0.92 to R0.95)."""

    RECEIVED = "received"
    """stored and queued for measuring"""
    IGNORED = "ignored"
    """stored, success answered, not measured"""
    PASSED_THROUGH = "passed_through"
    """stored, to be forwarded unchanged, not measured"""
    CONFLICT = "conflict"
    """stored beside another object of the same SOP Instance UID, not measured"""
    REJECTED = "rejected"
    """turned out unusable later; the bytes are kept"""


class StudyState(StrEnum):
    """Where one revision of a study is."""

    OPEN = "open"
    CLOSED = "closed"
    """complete by evidence, waiting to be measured"""
    MEASURING = "measuring"
    MEASURED = "measured"
    DELIVERED = "delivered"
    """every result reached its final state"""
    PARTIAL = "partial"
    """measured; some of its results were not written or given up, the others reached their final state"""
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """a late image came before this revision was measured, or it failed and was put back as the next one"""


class DeliveryState(StrEnum):
    """Where one result is on its way to one destination (R4.233, R0.104 to R0.108)."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    COMMITTED = "committed"
    FAILED = "failed"
    """will be tried again"""
    GIVEN_UP = "given_up"


class StepStatus(StrEnum):
    """Performed Procedure Step Status (0040,0252), as DICOM writes it (PS3.3 C.4.14)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


INSTANCE_TRANSITIONS: Mapping[InstanceState, frozenset[InstanceState]] = {
    InstanceState.RECEIVED: frozenset({InstanceState.REJECTED, InstanceState.IGNORED}),
    InstanceState.IGNORED: frozenset(),
    InstanceState.PASSED_THROUGH: frozenset(),
    InstanceState.CONFLICT: frozenset(),
    # back to received: the study that failed for it is put back by a person
    InstanceState.REJECTED: frozenset({InstanceState.RECEIVED}),
}

STUDY_TRANSITIONS: Mapping[StudyState, frozenset[StudyState]] = {
    StudyState.OPEN: frozenset({StudyState.CLOSED}),
    StudyState.CLOSED: frozenset({StudyState.MEASURING, StudyState.SUPERSEDED}),
    # back to closed: recovery after a crash
    StudyState.MEASURING: frozenset({StudyState.MEASURED, StudyState.FAILED, StudyState.CLOSED}),
    # back to closed: another algorithm version is to measure the same revision
    StudyState.MEASURED: frozenset({StudyState.DELIVERED, StudyState.PARTIAL, StudyState.FAILED, StudyState.CLOSED}),
    StudyState.DELIVERED: frozenset({StudyState.CLOSED}),
    # back to measured: a delivery that was given up is tried again; to delivered: its commitment came late
    StudyState.PARTIAL: frozenset({StudyState.DELIVERED, StudyState.MEASURED, StudyState.CLOSED}),
    StudyState.FAILED: frozenset({StudyState.CLOSED, StudyState.SUPERSEDED}),
    StudyState.SUPERSEDED: frozenset(),
}

DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENDING}),
    # back to pending: recovery after a crash
    DeliveryState.SENDING: frozenset(
        {DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.GIVEN_UP, DeliveryState.PENDING}
    ),
    DeliveryState.SENT: frozenset({DeliveryState.COMMITTED, DeliveryState.FAILED, DeliveryState.GIVEN_UP}),
    # a commitment may still come in after it was counted as late
    DeliveryState.FAILED: frozenset({DeliveryState.SENDING, DeliveryState.COMMITTED, DeliveryState.GIVEN_UP}),
    DeliveryState.COMMITTED: frozenset(),
    # back to pending: a person puts it back
    DeliveryState.GIVEN_UP: frozenset({DeliveryState.COMMITTED, DeliveryState.PENDING}),
}

STEP_TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = {
    # an N-SET may repeat the status (PS3.4 F.7.2.2.2); after the end nothing changes any more (F.7.2.2.3)
    StepStatus.IN_PROGRESS: frozenset(StepStatus),
    StepStatus.COMPLETED: frozenset(),
    StepStatus.DISCONTINUED: frozenset(),
}


def move_instance(now: InstanceState, to: InstanceState) -> InstanceState:
    """Give the new state, or raise `LedgerError` if the table forbids the step."""
    if to not in INSTANCE_TRANSITIONS[now]:
        raise LedgerError(f"an instance cannot go from {now} to {to}")
    return to


def move_study(now: StudyState, to: StudyState) -> StudyState:
    """Give the new state, or raise `LedgerError` if the table forbids the step."""
    if to not in STUDY_TRANSITIONS[now]:
        raise LedgerError(f"a study cannot go from {now} to {to}")
    return to


def move_delivery(now: DeliveryState, to: DeliveryState) -> DeliveryState:
    """Give the new state, or raise `LedgerError` if the table forbids the step."""
    if to not in DELIVERY_TRANSITIONS[now]:
        raise LedgerError(f"a delivery cannot go from {now} to {to}")
    return to
