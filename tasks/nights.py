"""The beginning and the end of a night: which shards there are, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reread.analytics.records import RejectedImage
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import StudyWork
from reread.connectors.ledger_results import WrittenResult
from reread.connectors.onnx_models import OnnxModel
from reread.connectors.report_intake import ReportCounts
from reread.connectors.results.authoring import known_forms
from reread.connectors.results.forms import AuthoredObject
from reread.connectors.results.histories import histories
from reread.connectors.results.recipients import Writing, show_history
from reread.connectors.warehouse import Warehouse
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
    def partial(self) -> tuple[StudyOutcome, ...]:
        """Measured, with results that could not be written."""
        return tuple(outcome for outcome in self.outcomes if outcome.failure is None and outcome.unwritten)

    @property
    def headline(self) -> str:
        """One line without patient data; a study of which one analysis failed is failed."""
        studies, failed, partial = (
            len({(outcome.study_instance_uid, outcome.revision) for outcome in outcomes})
            for outcomes in (self.outcomes, self.failed, self.partial)
        )
        missing = f"{partial} with results that could not be written, " if partial else ""
        return (
            f"{self.arrivals.studies_found} studies found, {self.arrivals.instances_arrived} images fetched, "
            f"{studies - failed} studies measured, {failed} failed, {missing}"
            f"{self.deliveries.sent} objects sent, {self.deliveries.committed} committed"
            f"{'; ' if self.reports.total else ''}{self.reports.sentence}"
        )


def cut_night(ledger: Ledger, plan: NightPlan, run_id: str) -> tuple[Shard, ...]:
    """Claim what is to be measured and cut it into shards, oldest first.

    What an analysis measured with this version is not done again: a study that a crash or a failure left between two
    analyses gets the missing ones only. One of which results could not be written is read again for those only.
    """
    groups: dict[tuple[tuple[OnnxModel | None, ...], bool], list[StudyWork]] = {}
    ledger.reopen_unwritten()
    # a set has another order in each process, and with it shards and rows
    uids = dict.fromkeys(work.study_instance_uid for work in ledger.studies_to_measure())
    for work in ledger.start_studies(uids, run_id):
        models = _route(plan, work).models
        done = ledger.measurements(work.study_instance_uid, work.revision)
        unwritten = {
            form.algorithm for form in ledger.unwritten(work.study_instance_uid, work.revision) if not form.given_up
        }
        missing = tuple(model for model in models if measurement_of(model) not in done)
        again = tuple(
            model for model in models if model not in missing and measurement_of(model).algorithm in unwritten
        )
        for which, before in ((missing, False), (again, True)):
            if which:
                groups.setdefault((which, before), []).append(work)
        if not missing and not again:
            finish(ledger, work.study_instance_uid, work.revision, measurement_of(models[-1]), run_id)
    written = writings(ledger, plan, [work for group in groups.values() for work in group])
    return tuple(
        shard
        for number, ((models, again), group) in enumerate(groups.items())
        for shard in cut_shards(
            tuple(group),
            tuple(written[work.study_instance_uid, work.revision] for work in group),
            run_id=run_id,
            folders=plan.folders,
            limits=plan.limits,
            studies_per_shard=plan.studies_per_shard,
            workers=plan.workers,
            models=models,
            prefix=f"{number}-" if number else "",
            again=again,
        )
    )


def writings(ledger: Ledger, plan: NightPlan, works: Sequence[StudyWork]) -> dict[tuple[str, int], Writing]:
    """By study and revision what is to be written: for whom, with which history, in place of what.

    Earlier examinations are those that the warehouse has now, whichever order a night measures in.
    """
    recipients = {work.study_instance_uid: _route(plan, work).recipients for work in works}
    forms = known_forms()
    shown = [work.woman for work in works if show_history(forms, recipients[work.study_instance_uid])]
    known = histories(Warehouse(plan.folders.warehouse), frozenset(shown))
    before = ledger.written_of([work.study_instance_uid for work in works])
    return {
        (work.study_instance_uid, work.revision): Writing(
            recipients[work.study_instance_uid],
            plan.language,
            known.before(work.woman, work.study_date),
            _predecessors(before.get((work.study_instance_uid, work.woman), ()), work.revision, plan),
        )
        for work in works
    }


def _predecessors(
    results: Sequence[WrittenResult], revision: int, plan: NightPlan
) -> dict[str, tuple[AuthoredObject, ...]]:
    found: dict[str, tuple[AuthoredObject, ...]] = {}
    for item in results:
        if item.revision <= revision:
            authored = AuthoredObject(
                item.form,
                item.sop_class_uid,
                item.sop_instance_uid,
                item.series_instance_uid,
                item.study_instance_uid,
                plan.folders.data / item.path,
                item.key,
                item.variant,
            )
            found[item.algorithm] = (*found.get(item.algorithm, ()), authored)
    return found


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
