"""What was run on which images, and how it ended: TID 4015 to 4018."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reread.analytics.calibration import Calibration
from reread.analytics.measurement import NAME
from reread.analytics.records import FindingKind, ImageResult
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_operating_points import calibrated, operating_point_items
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import HAS_PROPERTIES, Item, by_reference
from reread.connectors.reports.report_context import ReportContext
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import fitted

_DETECTION, _ANALYSIS, _ON_DETECTED, _ON_ANALYSED = row(4017, 1), row(4018, 1), row(4017, 4), row(4018, 4)
_DETECTED, _NOT_DETECTED, _ANALYSED, _NOT_ANALYSED = row(4015, 1), row(4015, 3), row(4016, 1), row(4016, 3)
_DETECTIONS, _ANALYSES = row(4000, 6), row(4000, 8)
_KINDS = {c.MASS: FindingKind.MASS, c.CLUSTER: FindingKind.CALCIFICATION}


@dataclass(frozen=True, slots=True)
class Run:
    """One kind of detection or analysis, by SOP Instance UID of the images."""

    kind: Code
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]


def detections(images: Sequence[ImageResult], unmeasured: Sequence[str], context: ReportContext) -> tuple[Run, ...]:
    """The detectors; one may have succeeded on some images and failed on others (R0.365)."""
    kinds: list[Run] = []
    if context.options.findings:
        kinds += [_run(kind, images, [item.succeeded for item in images], unmeasured) for kind in (c.MASS, c.CLUSTER)]
    if context.options.geometry:
        found = [item.succeeded and item.breast is not None for item in images]
        kinds.append(_run(c.BREAST_GEOMETRY, images, found, unmeasured))
    return tuple(kinds)


def analyses(images: Sequence[ImageResult], unmeasured: Sequence[str], context: ReportContext) -> tuple[Run, ...]:
    """Composition, image quality where it was measured at all, and which findings belong together."""
    kinds: list[Run] = []
    if context.options.density:
        done = [item.succeeded and (item.density is not None or item.volumetric is not None) for item in images]
        kinds.append(_run(c.COMPOSITION_ANALYSIS, images, done, unmeasured))
    if context.options.quality and any(item.quality is not None or item.positioning is not None for item in images):
        # too little breast to say anything of its quality is an answer, not a failure
        kinds.append(_run(c.QUALITY_ANALYSIS, images, [item.succeeded for item in images], unmeasured))
    # another analysis does not look for what belongs together
    if context.options.composites and context.options.findings and context.provenance.algorithm == NAME:
        kinds.append(_run(c.COLLOCATION_ANALYSIS, images, [item.succeeded for item in images], unmeasured))
    return tuple(kinds)


def all_succeeded(runs: Sequence[Run]) -> bool:
    """Whether everything succeeded on every image."""
    return not any(run.failed for run in runs)


def detections_item(runs: Sequence[Run], images: Sequence[ImageResult], context: ReportContext) -> Item:
    """TID 4000 row 6 with 4015 and 4017 (R0.303 … R0.327)."""
    headers = {image.header.sop_instance_uid: image.header for image in images}

    def performed(kind: Code, uids: Sequence[str], calibration: Calibration | None) -> Item:
        on = [fitted(_ON_DETECTED, by_reference(HAS_PROPERTIES, context.entries[uid])) for uid in uids]
        points = operating_point_items(calibration, context) if kind in _KINDS else []
        return context.made(_DETECTION, kind, [*context.algorithm, *on, *points])

    below = []
    if any(run.succeeded for run in runs):
        # an item for each kind of image, as each has operating points of its own
        done = [
            performed(run.kind, [header.sop_instance_uid for header in part], calibration)
            for run in runs
            if run.succeeded
            for calibration, part in calibrated(
                [headers[uid] for uid in run.succeeded], _KINDS.get(run.kind), context.provenance
            )
        ]
        below.append(context.made(_DETECTED, None, done))
    if any(run.failed for run in runs):
        failed = [performed(run.kind, run.failed, None) for run in runs if run.failed]
        below.append(context.made(_NOT_DETECTED, None, failed))
    return context.made(_DETECTIONS, _status(runs), below)


def analyses_item(runs: Sequence[Run], context: ReportContext) -> Item:
    """TID 4000 row 8 with 4016 and 4018 (R0.328 … R0.337)."""

    def performed(run: Run, images: tuple[str, ...]) -> Item:
        on = [fitted(_ON_ANALYSED, by_reference(HAS_PROPERTIES, context.entries[uid])) for uid in images]
        return context.made(_ANALYSIS, run.kind, [*context.algorithm, *on])

    below = []
    if any(run.succeeded for run in runs):
        done = [performed(run, run.succeeded) for run in runs if run.succeeded]
        below.append(context.made(_ANALYSED, None, done))
    if any(run.failed for run in runs):
        below.append(context.made(_NOT_ANALYSED, None, [performed(run, run.failed) for run in runs if run.failed]))
    return context.made(_ANALYSES, _status(runs), below)


def _run(kind: Code, images: Sequence[ImageResult], done: Sequence[bool], unmeasured: Sequence[str]) -> Run:
    uids = [item.header.sop_instance_uid for item in images]
    succeeded = tuple(uid for uid, well in zip(uids, done, strict=True) if well)
    failed = tuple(uid for uid, well in zip(uids, done, strict=True) if not well)
    return Run(kind, succeeded, (*failed, *unmeasured))


def _status(runs: Sequence[Run]) -> Code:
    """CID 6042"""
    done, failed = any(run.succeeded for run in runs), any(run.failed for run in runs)
    if done and failed:
        return c.PARTIALLY
    if done or failed:
        return c.SUCCEEDED if done else c.FAILED
    return c.NOT_ATTEMPTED
