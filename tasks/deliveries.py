"""Send results to their destinations and ask for storage commitment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

from prefect import task
from prefect.cache_policies import NO_CACHE

from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.outbox import send_due
from reread.connectors.states import DeliveryState
from reread.tasks.plans import NightPlan
from reread.tasks.progress import report_progress

_LISTEN_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What one round of sending did, over all destinations."""

    sent: int
    committed: int
    awaiting: int
    failed: int
    given_up: int


@task(name="deliver-results", cache_policy=NO_CACHE)
def deliver_results_task(plan: NightPlan) -> Deliveries:
    """`deliver_results` as a step of a night."""
    return deliver_results(plan)


def deliver_results(plan: NightPlan) -> Deliveries:
    """One round: everything that is due, to every destination."""
    sums: Counter[str] = Counter()
    with open_ledger(plan.ledger_url) as ledger:
        committed_before = ledger.counts().deliveries[DeliveryState.COMMITTED]
        for done, peer in enumerate(plan.destinations):
            report_progress(f"sending to {peer.name}", done, len(plan.destinations))
            archive = DimseArchive(peer, plan.ae_title, commitment_timeout_s=plan.commitment_association_s)
            report = send_due(archive, ledger, plan.folders.data.__truediv__, plan.outbox, datetime.now(UTC))
            for name in Deliveries.__slots__:
                sums[name] += getattr(report, name)
        report_progress("sending", len(plan.destinations), len(plan.destinations))
        if sums["awaiting"]:
            sums["awaiting"] = _hear(ledger, sums["awaiting"], plan.commitment_timeout_s)
        sums["committed"] = ledger.counts().deliveries[DeliveryState.COMMITTED] - committed_before
    return Deliveries(**{name: sums[name] for name in Deliveries.__slots__})


def _hear(ledger: Ledger, asked: int, timeout_s: float) -> int:
    """Wait for commitments that the listener hears; how many are still not answered."""
    deadline = monotonic() + timeout_s
    while (awaiting := ledger.awaiting_commitments()) and monotonic() < deadline:
        report_progress("waiting for storage commitment", max(0, asked - awaiting), asked)
        sleep(_LISTEN_AGAIN_S)
    return awaiting
