"""Book in the ledger what a shard did; record what never became a study."""

from __future__ import annotations

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.records import RejectedImage
from reread.analytics.tables import tables
from reread.connectors.ledger import Ledger
from reread.connectors.onnx_models import analysis_of
from reread.connectors.states import InstanceState
from reread.connectors.warehouse import Warehouse
from reread.tasks.outcomes import StudyOutcome, provenance_of
from reread.tasks.plans import NightPlan
from reread.tasks.shards import ShardReport


def book_report(ledger: Ledger, plan: NightPlan, report: ShardReport, run_id: str) -> None:
    """Move the studies of a shard on, name what could not be measured, queue what is to be sent."""
    for outcome in report.outcomes:
        _book_study(ledger, plan, outcome, run_id)


def _book_study(ledger: Ledger, plan: NightPlan, outcome: StudyOutcome, run_id: str) -> None:
    uid, revision = outcome.study_instance_uid, outcome.revision
    for image in outcome.rejected:
        if image.sop_instance_uid:
            ledger.reject_instance(image.sop_instance_uid, image.reason, image.detail)
    peers = {peer.name: peer for peer in plan.destinations}
    destinations = [peers[name] for name in plan.route_of(outcome.source).destinations]
    for item in outcome.objects:
        ledger.add_result(item.sop_instance_uid, str(item.path.relative_to(plan.folders.data)))
        for peer in destinations:
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
        ledger.fail_study(uid, revision, outcome.failure, outcome.detail)
        return
    analysis = analysis_of(plan.route_of(outcome.source).model)
    ledger.finish_study(
        uid,
        revision,
        algorithm=analysis.name,
        version=analysis.version,
        parameters_digest=analysis.parameters_digest,
        run_id=run_id,
    )
    if not (outcome.objects and destinations):
        ledger.mark_delivered(uid, revision)


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
