"""Settle shards: a worker that dies is a poison image to isolate, not a lost night.

A dead worker is no failed task: Prefect leaves the future pending and `result` raises Dask's `KilledWorker`. The
shard is then split in halves, by studies and then by analyses. What dies as one study and one analysis waits until
nothing else runs, as the death may have been that of a neighbour on the same worker; then its images are probed alone,
those that kill are named, and the rest is measured. So an analysis that kills workers costs its own results only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from distributed import KilledWorker

from reread.analytics.reasons import Reason
from reread.connectors.ledger_records import Instance
from reread.connectors.onnx_models import analysis_of
from reread.tasks.outcomes import StudyOutcome, provenance_of
from reread.tasks.shards import Shard, ShardReport


class Future(Protocol):
    """What a task runner gives back."""

    def result(self, *, raise_on_failure: bool = True) -> object:
        """The value, or the exception that the task raised."""
        ...


def settle(
    shards: tuple[Shard, ...],
    submit: Callable[[Shard], Future],
    probe: Callable[[Shard, Instance], Future],
    settled: Callable[[ShardReport], None],
) -> None:
    """Bring every shard to a report; `settled` gets each as it comes.

    Parameters
    ----------
    submit
        Starts a shard on a worker.
    probe
        Starts one image alone on a worker.
    settled
        Books a report; called in this thread.
    """
    waiting = deque((shard, submit(shard)) for shard in shards)
    suspects: list[Shard] = []
    while waiting:
        shard, future = waiting.popleft()
        answer = outcome_of(future)
        if isinstance(answer, ShardReport):
            settled(answer)
        elif smaller := shard.halves():
            waiting.extend((part, submit(part)) for part in smaller)
        elif isinstance(answer, KilledWorker):
            suspects.append(shard)
        else:
            settled(_given_up(shard, answer))
    for shard in suspects:
        answer = outcome_of(submit(_without_deadly(shard, probe)))
        settled(answer if isinstance(answer, ShardReport) else _given_up(shard, answer))


def outcome_of(future: Future) -> object:
    """The report, or the exception: one the task raised, or the death of its worker."""
    try:
        return future.result(raise_on_failure=False)
    except KilledWorker as death:
        return death


def _without_deadly(shard: Shard, probe: Callable[[Shard, Instance], Future]) -> Shard:
    deadly = tuple(
        instance.sop_instance_uid
        for instance in shard.works[0].instances
        if isinstance(outcome_of(probe(shard, instance)), KilledWorker)
    )
    return replace(shard, name=f"{shard.name}p", deadly=deadly)


def _given_up(shard: Shard, answer: object) -> ShardReport:
    died = isinstance(answer, KilledWorker)
    return ShardReport(
        tuple(
            StudyOutcome(
                study_instance_uid=work.study_instance_uid,
                revision=work.revision,
                woman=work.woman,
                source=work.instances[0].source if work.instances else "",
                provenance=provenance_of(analysis_of(model), shard.run_id),
                failure=Reason.WORKER_DIED if died else Reason.MEASUREMENT_FAILED,
                detail=type(answer).__name__ if died else f"{type(answer).__name__}: {answer}"[:200],
            )
            for work in shard.works
            for model in shard.models
        )
    )
