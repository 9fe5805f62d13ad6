"""The beginning and the end of a night: which shards there are, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reread.analytics.records import RejectedImage
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import StudyWork
from reread.connectors.onnx_models import OnnxModel
from reread.connectors.report_intake import ReportCounts
from reread.tasks.arrivals import Arrivals
from reread.tasks.bookings import finish
from reread.tasks.deliveries import Deliveries
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.plans import NightPlan, Route, measurement_of
from reread.tasks.shards import Shard, cut_shards


@dataclass(frozen=True, slots=True)
class NightReport:
    """What happened in a night."""

    run_id: str
    arrivals: Arrivals
    outcomes: tuple[StudyOutcome, ...]
    """one for each study revision and analysis"""
    rejected: tuple[RejectedImage, ...]
    """files that never came into a study, of this and earlier nights"""
    deliveries: Deliveries
    reports: ReportCounts = field(default_factory=ReportCounts)
    """structured reports of others that came and were read"""

    @property
    def failed(self) -> tuple[StudyOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.failure is not None)

    @property
    def headline(self) -> str:
        """One line without patient data; a study of which one analysis failed is failed."""
        studies, failed = (
            len({(outcome.study_instance_uid, outcome.revision) for outcome in outcomes})
            for outcomes in (self.outcomes, self.failed)
        )
        return (
            f"{self.arrivals.studies_found} studies found, {self.arrivals.instances_arrived} images fetched, "
            f"{studies - failed} studies measured, {failed} failed, "
            f"{self.deliveries.sent} objects sent, {self.deliveries.committed} committed"
            f"{'; ' if self.reports.total else ''}{self.reports.sentence}"
        )


def cut_night(ledger: Ledger, plan: NightPlan, run_id: str) -> tuple[Shard, ...]:
    """Claim what is to be measured and cut it into shards, oldest first.

    What an analysis measured with this version is not done again: a study that a crash or a failure left between two
    analyses gets the missing ones only.
    """
    groups: dict[tuple[OnnxModel | None, ...], list[StudyWork]] = {}
    # a set has another order in each process, and with it shards and rows
    uids = dict.fromkeys(work.study_instance_uid for work in ledger.studies_to_measure())
    for work in ledger.start_studies(uids, run_id):
        models = _route(plan, work).models
        done = ledger.measurements(work.study_instance_uid, work.revision)
        missing = tuple(model for model in models if measurement_of(model) not in done)
        if missing:
            groups.setdefault(missing, []).append(work)
        else:
            finish(ledger, work.study_instance_uid, work.revision, measurement_of(models[-1]), run_id)
    return tuple(
        shard
        for number, (models, group) in enumerate(groups.items())
        for shard in cut_shards(
            tuple(group),
            tuple(_route(plan, work).formats for work in group),
            run_id=run_id,
            folders=plan.folders,
            limits=plan.limits,
            studies_per_shard=plan.studies_per_shard,
            workers=plan.workers,
            models=models,
            prefix=f"{number}-" if number else "",
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
    reports: ReportCounts | None = None,
) -> NightReport:
    """Put the night together, studies and their analyses in a stable order."""
    ordered = sorted(
        outcomes, key=lambda outcome: (outcome.study_instance_uid, outcome.revision, outcome.provenance.algorithm)
    )
    return NightReport(run_id, arrivals, tuple(ordered), tuple(rejected), deliveries, reports or ReportCounts())
