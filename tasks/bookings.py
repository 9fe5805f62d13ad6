"""Book in the ledger what a shard did; record what never became a study."""

from __future__ import annotations

from dataclasses import asdict

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage
from reread.analytics.tables import tables
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import Measurement
from reread.connectors.ledger_results import WrittenResult
from reread.connectors.results.forms import AuthoredObject
from reread.connectors.states import InstanceState
from reread.connectors.warehouse import Warehouse
from reread.tasks.outcomes import StudyOutcome, provenance_of
from reread.tasks.plans import NightPlan
from reread.tasks.shards import ShardReport


def book_report(ledger: Ledger, plan: NightPlan, report: ShardReport, run_id: str) -> None:
    """Move the studies of a shard on, name what could not be measured, queue what is to be sent.

    A crash between any two steps repeats some of them the next night, and each may be repeated.
    """
    for outcome in report.outcomes:
        _book_study(ledger, plan, outcome, run_id)


def _book_study(ledger: Ledger, plan: NightPlan, outcome: StudyOutcome, run_id: str) -> None:
    uid, revision = outcome.study_instance_uid, outcome.revision
    route = plan.route_of(outcome.source)
    for image in outcome.rejected:
        # a worker died under this analysis; another one of the route may still measure the image
        deadly_here = image.reason is Reason.WORKER_DIED and len(route.models) > 1
        if image.sop_instance_uid and not deadly_here:
            ledger.reject_instance(image.sop_instance_uid, image.reason, image.detail)
    peers = {peer.name: peer for peer in plan.destinations}
    ledger.note_written([_written(item, outcome, plan) for item in outcome.objects])
    for item in outcome.objects:
        for peer in (peers[name] for name in item.destinations):
            ledger.add_delivery(
                sop_instance_uid=item.sop_instance_uid,
                sop_class_uid=item.sop_class_uid,
                study_instance_uid=uid,
                revision=revision,
                destination=peer.name,
                path=str(item.path.relative_to(plan.folders.data)),
                commit=peer.commits,
            )
    if outcome.failure is not None:
        detail = f"{outcome.provenance.algorithm}: {outcome.detail}" if len(route.models) > 1 else outcome.detail
        ledger.fail_study(uid, revision, outcome.failure, detail)
        return
    stamp = outcome.provenance
    # before the measurement is noted: a crash between the two must not make the missing ones forgotten
    ledger.note_unwritten(uid, revision, stamp.algorithm, outcome.unwritten)
    done = Measurement(stamp.algorithm, stamp.version, stamp.parameters_digest)
    if route.measurements <= ledger.measurements(uid, revision) | {done}:
        finish(ledger, uid, revision, done, run_id)
    else:  # others are still to come, or failed
        ledger.add_measurement(uid, revision, **asdict(done), run_id=run_id)


def _written(item: AuthoredObject, outcome: StudyOutcome, plan: NightPlan) -> WrittenResult:
    return WrittenResult(
        sop_instance_uid=item.sop_instance_uid,
        sop_class_uid=item.sop_class_uid,
        series_instance_uid=item.series_instance_uid,
        study_instance_uid=item.study_instance_uid,
        revision=outcome.revision,
        algorithm=outcome.provenance.algorithm,
        form=item.format,
        key=item.key,
        variant=item.variant,
        path=str(item.path.relative_to(plan.folders.data)),
    )


def finish(ledger: Ledger, study_instance_uid: str, revision: int, last: Measurement, run_id: str) -> None:
    """Every analysis of the route has measured the revision; without anything to deliver it has ended."""
    ledger.finish_study(study_instance_uid, revision, **asdict(last), run_id=run_id)
    if not any(item.revision == revision for item in ledger.deliveries(study_instance_uid)):
        ledger.mark_delivered(study_instance_uid, revision)


def record_rejections(ledger: Ledger, plan: NightPlan, run_id: str) -> tuple[RejectedImage, ...]:
    """Write what never came into a study (not DICOM, duplicates, conflicts, …) into the images table.

    The part has one fixed name, so each night replaces the list of the night before.
    """
    rejected = [*ledger.rejections(), *ledger.received_again()]
    rejected += [
        RejectedImage(item.path, item.reason, item.detail, item.sop_instance_uid, item.study_instance_uid)
        for item in ledger.instance_reasons()
        if item.state is InstanceState.CONFLICT
    ]
    provenance = provenance_of(MammographyAnalysis(), run_id)
    Warehouse(plan.folders.warehouse).record(tables((), provenance, orphans=rejected), part="not-in-a-study")
    return tuple(rejected)
