"""Sending what is due: store, then storage commitment, then a final state for every object (R0.104 to R0.108)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.uid import generate_uid

from reread.analytics.errors import ArchiveError, ArchiveUnreachable
from reread.connectors.archive import Archive
from reread.connectors.commitment import Reference
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import Delivery
from reread.connectors.states import DeliveryState

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxPolicy:
    """Seconds."""

    retry_interval_s: float = 60.0
    retry_duration_s: float = 86400.0
    commitment_limit_s: float = 86400.0
    """a commitment that is not answered for this long has failed (R4.234: 24 h)"""
    batch: int = 200
    """objects in one association"""


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """What one round did for one destination."""

    destination: str
    sent: int
    committed: int
    awaiting: int
    """commitment was asked for and is not answered yet"""
    failed: int
    given_up: int


def send_due(
    archive: Archive, ledger: Ledger, resolve: Callable[[str], Path], policy: OutboxPolicy, now: datetime
) -> OutboxReport:
    """One round for one destination: everything that is due, once. Calling it again is harmless.

    Parameters
    ----------
    archive
        The destination; its name is the destination's name in the ledger.
    resolve
        From the path in the delivery to the file.
    now
        Aware time; decides what is due.

    Returns
    -------
    OutboxReport
        An unreachable archive is no exception here: its deliveries are FAILED and tried again later.
    """
    name = archive.name
    retry = {"retry_interval_s": policy.retry_interval_s, "retry_duration_s": policy.retry_duration_s}
    failed = ledger.fail_overdue_commitments(now, policy.commitment_limit_s, destination=name, **retry)
    sent = given_up = 0
    due = ledger.pending_deliveries(now, name)
    for start in range(0, len(due), policy.batch):
        claimed = ledger.mark_sending(due[start : start + policy.batch])
        for delivery, problem in _store(archive, claimed, resolve):
            if not problem:
                ledger.mark_sent(delivery.sop_instance_uid, name)
                sent += 1
                continue
            LOG.warning("%s: a delivery failed: %s", name, problem)
            state = ledger.mark_failed(delivery.sop_instance_uid, name, problem, **retry)
            given_up += state is DeliveryState.GIVEN_UP
            failed += state is DeliveryState.FAILED
    committed, refused, awaiting = _commit(archive, ledger, retry)
    return OutboxReport(name, sent, committed, awaiting, failed + refused, given_up)


def _store(
    archive: Archive, deliveries: tuple[Delivery, ...], resolve: Callable[[str], Path]
) -> list[tuple[Delivery, str]]:
    """Each delivery with its problem, empty when it was stored."""
    if not deliveries:
        return []
    paths = {resolve(delivery.path): delivery for delivery in deliveries}
    try:
        outcomes = archive.store(tuple(paths))
    except (ArchiveError, OSError) as error:
        return [(delivery, f"{type(error).__name__}: {error}") for delivery in deliveries]
    answers = []
    for outcome in outcomes:
        delivery = paths[outcome.path]
        problem = "" if outcome.stored else f"C-STORE answered 0x{outcome.status:04X} {outcome.detail}".strip()
        if outcome.sop_instance_uid and outcome.sop_instance_uid != delivery.sop_instance_uid:
            problem = "the file holds another SOP Instance UID than the ledger says"
        answers.append((delivery, problem))
    return answers


def _commit(archive: Archive, ledger: Ledger, retry: dict[str, float]) -> tuple[int, int, int]:
    """Ask for commitment, one request for each study (R4.229); committed, refused, still awaited."""
    committed = refused = awaiting = 0
    studies: dict[str, list[Delivery]] = {}
    for delivery in ledger.uncommitted_deliveries(archive.name):
        studies.setdefault(delivery.study_instance_uid, []).append(delivery)
    for deliveries in studies.values():
        transaction = str(generate_uid())
        ledger.open_transaction(transaction, archive.name, [item.sop_instance_uid for item in deliveries])
        references = [Reference(item.sop_class_uid, item.sop_instance_uid) for item in deliveries]
        try:
            outcome = archive.commit(references, transaction)
        except ArchiveUnreachable as error:
            # asked again in the next round; the objects are there
            LOG.warning("%s: commitment could not be asked for: %s", archive.name, error)
            ledger.withdraw_transaction(transaction)
            awaiting += len(deliveries)
            continue
        except ArchiveError as error:
            causes = {item.sop_instance_uid: str(error) for item in deliveries}
            ledger.apply_commitment(transaction, (), causes, **retry)
            refused += len(deliveries)
            continue
        if outcome.result is None:
            awaiting += len(deliveries)
            continue
        safe = [reference.sop_instance_uid for reference in outcome.result.committed]
        ledger.apply_commitment(transaction, safe, outcome.result.causes, **retry)
        committed += len(safe)
        refused += len(outcome.result.failed)
    return committed, refused, awaiting
