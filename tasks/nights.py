"""The beginning and the end of a night: which shards there are, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reread.analytics.records import RejectedImage
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import StudyWork
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.tasks.arrivals import Arrivals
from reread.tasks.deliveries import Deliveries
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.plans import NightPlan, Route
from reread.tasks.shards import Shard, cut_shards


@dataclass(frozen=True, slots=True)
class NightReport:
    """What happened in a night."""

    run_id: str
    arrivals: Arrivals
    outcomes: tuple[StudyOutcome, ...]
    rejected: tuple[RejectedImage, ...]
    """files that never came into a study, of this and earlier nights"""
    deliveries: Deliveries

    @property
    def failed(self) -> tuple[StudyOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.failure is not None)

    @property
    def headline(self) -> str:
        """One line without patient data."""
        return (
            f"{self.arrivals.studies_found} studies found, {self.arrivals.instances_arrived} images fetched, "
            f"{len(self.outcomes) - len(self.failed)} studies measured, {len(self.failed)} failed, "
            f"{self.deliveries.sent} objects sent, {self.deliveries.committed} committed"
        )


def cut_night(ledger: Ledger, plan: NightPlan, run_id: str) -> tuple[Shard, ...]:
    """Claim what is to be measured and cut it into shards; what was measured with this version is not done again."""
    works: dict[OnnxModel | None, list[StudyWork]] = {}
    for work in ledger.start_studies({work.study_instance_uid for work in ledger.studies_to_measure()}, run_id):
        key = (work.study_instance_uid, work.revision)
        model = _route(plan, work).model
        analysis = analysis_of(model)
        if ledger.is_measured(*key, analysis.name, analysis.version, analysis.parameters_digest):
            ledger.finish_study(
                *key,
                algorithm=analysis.name,
                version=analysis.version,
                parameters_digest=analysis.parameters_digest,
                run_id=run_id,
            )
        else:
            works.setdefault(model, []).append(work)
    return tuple(
        shard
        for model, group in works.items()
        for shard in cut_shards(
            tuple(group),
            tuple(_route(plan, work).formats for work in group),
            run_id=run_id,
            folders=plan.folders,
            limits=plan.limits,
            studies_per_shard=plan.studies_per_shard,
            workers=plan.workers,
            model=model,
        )
    )


def _route(plan: NightPlan, work: StudyWork) -> Route:
    return plan.route_of(work.instances[0].source if work.instances else "")


def summary(
    run_id: str,
    arrivals: Arrivals,
    outcomes: Sequence[StudyOutcome],
    rejected: Sequence[RejectedImage],
    deliveries: Deliveries,
) -> NightReport:
    """Put the night together, studies in a stable order."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.study_instance_uid, outcome.revision))
    return NightReport(run_id, arrivals, tuple(ordered), tuple(rejected), deliveries)
