"""The content tree of a Mammography CAD SR, TID 4000 (PS3.16), from one study result."""

from __future__ import annotations

from dataclasses import dataclass

from reread.analytics.input_kind import InputKind
from reread.analytics.records import ImageHeader, Laterality, Provenance, StudyResult, View
from reread.connectors.header_values import valid_date, valid_time
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_impressions import impression_items
from reread.connectors.reports.cad_processing import (
    Run,
    all_succeeded,
    analyses,
    analyses_item,
    detections,
    detections_item,
)
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item
from reread.connectors.reports.report_context import report_context
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import item

MAMMOGRAPHY_CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
_ROOT, _LANGUAGE, _COUNTRY, _LIBRARY, _ENTRY = row(4000, 1), row(1204, 1), row(1204, 2), row(4000, 3), row(4020, 1)
_LATERALITY, _VIEW, _MODIFIER, _ROW, _COLUMN = (row(4020, number) for number in range(2, 7))
_STUDY_DATE, _STUDY_TIME, _CONTENT_DATE, _CONTENT_TIME, _ACROSS, _DOWN = (row(4020, number) for number in range(7, 13))
_SUMMARY = row(4001, 1)


@dataclass(frozen=True, slots=True)
class UnmeasuredImage:
    """An image of the study that was rejected before measurement, as far as its header tells; "" and None: it does not.

    The names are those of `ImageHeader`.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    kind: InputKind = InputKind.TWO_D
    laterality: Laterality | None = None
    view: View | None = None
    view_modifiers: tuple[str, ...] = ()
    patient_orientation: tuple[str, str] = ("", "")
    study_date: str = ""
    study_time: str = ""
    content_date: str = ""
    content_time: str = ""
    spacing_mm: tuple[float, float] | None = None
    """distance of rows, distance of columns"""


def cad_report_content(
    result: StudyResult,
    unmeasured: tuple[UnmeasuredImage, ...],
    provenance: Provenance,
    options: CadReportOptions | None = None,
) -> Item:
    """The root content item with everything below it; `content_encoding.write_content` puts it into a data set.

    The Image Library lists the measured images in the order of the result and then those that could not be
    measured; that order is what every by-reference relationship counts (R1.157).
    """
    options = options or CadReportOptions()
    entries = {
        image.sop_instance_uid: _library_entry(image, options)
        for image in (*(_described(image.header) for image in result.images), *unmeasured)
    }
    context = report_context(options, provenance, entries)
    failed = [image.sop_instance_uid for image in unmeasured]
    detected, analysed = detections(result.images, failed, context), analyses(result.images, failed, context)
    summary = findings_summary(result, (*detected, *analysed), options)
    country = context.made(_COUNTRY, c.UNITED_STATES)
    return context.made(
        _ROOT,
        None,
        [
            context.made(_LANGUAGE, c.ENGLISH, [country]),
            context.made(_LIBRARY, None, entries.values()),
            context.made(_SUMMARY, summary, impression_items(result, context), relationship="CONTAINS"),
            detections_item(detected, result.images, context),
            analyses_item(analysed, context),
        ],
    )


def findings_summary(result: StudyResult, runs: tuple[Run, ...], options: CadReportOptions) -> Code:
    """CID 6047 (R0.187): a finding is a mark at some operating point; density and geometry are not findings."""
    if not any(run.succeeded for run in runs):
        return c.NONE_SUCCEEDED
    marked = options.findings and any(
        options.operating_points or finding.operating_point == 0 for _, finding in result.marks
    )
    if marked:
        return c.ALL_WITH if all_succeeded(runs) else c.SOME_WITH
    return c.ALL_WITHOUT if all_succeeded(runs) else c.SOME_WITHOUT


def _described(header: ImageHeader) -> UnmeasuredImage:
    size = header.spacing
    return UnmeasuredImage(
        header.sop_instance_uid,
        header.sop_class_uid,
        header.series_instance_uid,
        header.input_kind,
        header.laterality,
        header.view,
        header.view_modifiers,
        header.patient_orientation,
        header.study_date,
        header.study_time,
        header.content_date,
        header.content_time,
        (size.row_spacing_mm, size.column_spacing_mm) if header.spacing_known else None,
    )


def _library_entry(image: UnmeasuredImage, options: CadReportOptions) -> Item:
    """TID 4020; what is not known and what no reader would accept is left out (R0.175 … R0.186)."""
    profile: CodeProfile = options.codes
    items: list[Item] = []
    if image.laterality is not None:
        items.append(item(_LATERALITY, c.BREASTS[image.laterality], profile=profile))
    if image.view is not None:
        modifiers = [
            item(_MODIFIER, c.MODIFIERS[name], profile=profile) for name in image.view_modifiers if name in c.MODIFIERS
        ]
        items.append(item(_VIEW, c.VIEWS[image.view], modifiers, profile=profile))
    if all(image.patient_orientation):
        items += [item(_ROW, image.patient_orientation[0]), item(_COLUMN, image.patient_orientation[1])]
    items += [
        item(place, value)
        for place, value, valid in (
            (_STUDY_DATE, image.study_date, valid_date),
            (_STUDY_TIME, image.study_time, valid_time),
            (_CONTENT_DATE, image.content_date, valid_date),
            (_CONTENT_TIME, image.content_time, valid_time),
        )
        if valid(value)
    ]
    if image.spacing_mm is not None:
        down_mm, across_mm = image.spacing_mm
        items += [
            item(_ACROSS, 1000 * across_mm, unit=c.MICROMETER),
            item(_DOWN, 1000 * down_mm, unit=c.MICROMETER),
        ]
    return item(_ENTRY, (image.sop_class_uid, image.sop_instance_uid), items, relationship="CONTAINS")
