"""The content tree of a Mammography CAD SR, TID 4000 (PS3.16), from one study result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from reread.analytics.calibration import Calibration
from reread.analytics.records import FindingKind, ImageHeader, ImageResult, Provenance, StudyResult
from reread.connectors import cad_codes as c
from reread.connectors.cad_codes import CadReportOptions, Code, in_profile
from reread.connectors.cad_findings import algorithm_items, image_impression, study_impression
from reread.connectors.cad_operating_points import calibrated, operating_point_items
from reread.connectors.content_items import by_reference, code, container, date, image, number, text, time
from reread.connectors.header_values import valid_date, valid_time

MAMMOGRAPHY_CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"


@dataclass(frozen=True, slots=True)
class UnmeasuredImage:
    """An image of the study that was rejected before measurement, as far as a report can name it."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str


def cad_report_content(
    result: StudyResult,
    unmeasured: tuple[UnmeasuredImage, ...],
    provenance: Provenance,
    options: CadReportOptions | None = None,
) -> Dataset:
    """The root content item with everything below it.

    The Image Library lists the measured images in the order of the result and then those that could not be
    measured; that order is what every by-reference relationship counts (R1.157).
    """
    options = options or CadReportOptions()
    targets = {item.header.sop_instance_uid: (1, 2, place) for place, item in enumerate(result.images, start=1)}
    first = len(result.images) + 1
    rejected: list[tuple[int, ...]] = [(1, 2, place) for place in range(first, first + len(unmeasured))]
    library = [_library_entry(item.header, options) for item in result.images]
    library += [image("CONTAINS", item.sop_class_uid, item.sop_instance_uid) for item in unmeasured]
    impressions = [study_impression(result, provenance, options)]
    impressions += [
        image_impression(item, targets[item.header.sop_instance_uid], provenance, options)
        for item in result.images
        if item.succeeded
    ]
    return container(
        "",
        c.REPORT,
        [
            code("HAS CONCEPT MOD", c.LANGUAGE, c.ENGLISH, [code("HAS CONCEPT MOD", c.COUNTRY, c.UNITED_STATES)]),
            container("CONTAINS", c.IMAGE_LIBRARY, library),
            code(
                "CONTAINS",
                c.FINDINGS_SUMMARY,
                findings_summary(result, len(unmeasured)),
                [impression for impression in impressions if impression is not None],
            ),
            _detections(result.images, targets, rejected, provenance, options),
            _analyses(result.images, targets, rejected, provenance, options),
        ],
        template="4000",
    )


def findings_summary(result: StudyResult, unmeasured: int = 0) -> Code:
    """CID 6047 (R0.187): a finding is a mark at some operating point; density and geometry are not findings."""
    succeeded = [item for item in result.images if item.succeeded]
    if not succeeded:
        return c.NONE_SUCCEEDED
    all_succeeded = len(succeeded) == len(result.images) and not unmeasured
    all_succeeded = all_succeeded and all(item.density is not None for item in succeeded)
    if result.marks:
        return c.ALL_WITH if all_succeeded else c.SOME_WITH
    return c.ALL_WITHOUT if all_succeeded else c.SOME_WITHOUT


def _library_entry(header: ImageHeader, options: CadReportOptions) -> Dataset:
    """TID 4020; dates that no reader would accept are left out."""
    context = "HAS ACQ CONTEXT"
    row, column = header.patient_orientation
    items = [
        code(context, c.IMAGE_LATERALITY, in_profile(c.BREASTS[header.laterality], options)),
        code(context, c.IMAGE_VIEW, in_profile(c.VIEWS[header.view], options)),
        text(context, c.ORIENTATION_ROW, row),
        text(context, c.ORIENTATION_COLUMN, column),
    ]
    for concept, day in ((c.STUDY_DATE, header.study_date), (c.CONTENT_DATE, header.content_date)):
        moment = header.study_time if concept is c.STUDY_DATE else header.content_time
        if valid_date(day):
            items.append(date(context, concept, day))
            if valid_time(moment):
                items.append(time(context, c.STUDY_TIME if concept is c.STUDY_DATE else c.CONTENT_TIME, moment))
    items += [
        number(context, c.HORIZONTAL_SPACING, 1000 * header.spacing.column_spacing_mm, c.MICROMETER),
        number(context, c.VERTICAL_SPACING, 1000 * header.spacing.row_spacing_mm, c.MICROMETER),
    ]
    return image("CONTAINS", header.sop_class_uid, header.sop_instance_uid, items)


def _detections(
    images: Iterable[ImageResult],
    targets: Mapping[str, tuple[int, ...]],
    rejected: list[tuple[int, ...]],
    provenance: Provenance,
    options: CadReportOptions,
) -> Dataset:
    """TID 4015 and 4017: every detector ran on every image that succeeded (R0.365)."""
    images = tuple(images)
    done = [item.header for item in images if item.succeeded]
    failed = [targets[item.header.sop_instance_uid] for item in images if not item.succeeded] + rejected
    detectors = {c.MASS: FindingKind.MASS, c.CLUSTER: FindingKind.CALCIFICATION}

    def performed(kind: Code, entries: list[tuple[int, ...]], calibration: Calibration | None) -> Dataset:
        return code(
            "CONTAINS",
            c.DETECTION,
            in_profile(kind, options),
            [
                *algorithm_items(provenance),
                *(by_reference("HAS PROPERTIES", entry) for entry in entries),
                *(operating_point_items(calibration) if kind in detectors else []),
            ],
        )

    below = []
    if done:
        # an item for each kind of image, as each has operating points of its own
        succeeded = [
            performed(kind, [targets[header.sop_instance_uid] for header in headers], calibration)
            for kind in (c.MASS, c.CLUSTER, c.BREAST_GEOMETRY)
            for calibration, headers in calibrated(done, detectors.get(kind), provenance)
        ]
        below.append(container("INFERRED FROM", c.SUCCESSFUL_DETECTIONS, succeeded))
    if failed:
        attempted = [performed(kind, failed, None) for kind in (c.MASS, c.CLUSTER, c.BREAST_GEOMETRY)]
        below.append(container("INFERRED FROM", c.FAILED_DETECTIONS, attempted))
    return code("CONTAINS", c.DETECTIONS, _status(bool(done), bool(failed)), below)


def _analyses(
    images: Iterable[ImageResult],
    targets: Mapping[str, tuple[int, ...]],
    rejected: list[tuple[int, ...]],
    provenance: Provenance,
    options: CadReportOptions,
) -> Dataset:
    """TID 4016 and 4018: breast composition."""
    done = [targets[item.header.sop_instance_uid] for item in images if item.density is not None and item.succeeded]
    failed = [entry for entry in targets.values() if entry not in done] + rejected

    def performed(entries: list[tuple[int, ...]]) -> Dataset:
        references = [by_reference("HAS PROPERTIES", entry) for entry in entries]
        kind = in_profile(c.COMPOSITION_ANALYSIS, options)
        return code("CONTAINS", c.ANALYSIS, kind, [*algorithm_items(provenance), *references])

    below = []
    if done:
        below.append(container("INFERRED FROM", c.SUCCESSFUL_ANALYSES, [performed(done)]))
    if failed:
        below.append(container("INFERRED FROM", c.FAILED_ANALYSES, [performed(failed)]))
    return code("CONTAINS", c.ANALYSES, _status(bool(done), bool(failed)), below)


def _status(done: bool, failed: bool) -> Code:
    """CID 6042"""
    if done and failed:
        return c.PARTIALLY
    if done or failed:
        return c.SUCCEEDED if done else c.FAILED
    return c.NOT_ATTEMPTED
