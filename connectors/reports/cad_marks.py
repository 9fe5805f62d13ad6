"""Masses and clusters of calcifications as findings: TID 4006 with 4009, 4010, 4011, 4021, 1400 and 1401."""

from __future__ import annotations

from math import hypot

from reread.analytics.records import Finding, FindingKind, ImageHeader, ImageResult
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.content_items import INFERRED_FROM, Item, ellipse, line, point, polygon
from reread.connectors.reports.plain_shapes import LEAST_OUTLINE, box, ellipse_axes, widened
from reread.connectors.reports.report_context import OF_FINDING, ReportContext
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import fitted

_CERTAINTY, _CENTER, _OUTLINE, _SECOND = row(4006, 6), row(4021, 1), row(4021, 3), row(4021, 5)
_COUNT, _AREA = row(4010, 3), row(1401, 1)
_ENDS_OF_AN_AXIS = 2


def is_written(finding: Finding, context: ReportContext) -> bool:
    """Whether a finding is in the report: candidates below every operating point are not (R1.287)."""
    if finding.operating_point is None or not context.options.findings:
        return False
    return context.options.operating_points or finding.operating_point == 0


def mark(finding: Finding, identifier: int, image: ImageResult, context: ReportContext, relationship: str) -> Item:
    """A mass (R0.245 … R0.263) or a cluster (R0.264 … R0.282).

    Parameters
    ----------
    identifier
        Place of the finding in the result of its image, from 1.
    """
    options = context.options
    entry = context.entry(image.header)
    properties: list[Item] = []
    if options.certainty:
        properties.append(context.made(_CERTAINTY, 100 * finding.score))
    properties.append(fitted(_CENTER, point(c.CENTER, finding.x_px, finding.y_px, entry)))
    properties += _outlines(finding, image.header, entry, context)
    if options.metrics:
        properties += _measures(finding, image, entry, context)
        properties += _calculated(finding, context)
    number, of = context.calculated, OF_FINDING
    properties.append(number(of, own.FINDING_IDENTIFIER, identifier, c.NO_UNITS, c.UNSPECIFIED_METHOD))
    if finding.match is not None:
        properties.append(number(of, own.PLACE_IDENTIFIER, finding.match, c.NO_UNITS, c.UNSPECIFIED_METHOD))
    if finding.composite is not None:
        properties.append(number(of, own.COMPOSITE_IDENTIFIER, finding.composite, c.NO_UNITS, c.UNSPECIFIED_METHOD))
    if options.calcifications:
        sizes: tuple[float | None, ...] = finding.member_sizes_mm
        if len(sizes) != len(finding.members):
            sizes = (None,) * len(finding.members)
        for (x_px, y_px), size_mm in zip(finding.members, sizes, strict=True):
            properties.append(_calcification(x_px, y_px, size_mm, entry, context))
    intent = context.intents[finding.operating_point]
    return context.finding(c.FINDING_CODES[finding.kind], intent, properties, relationship)


def _outlines(finding: Finding, header: ImageHeader, entry: Item, context: ReportContext) -> list[Item]:
    """TID 4021 rows 3 and 5"""
    found: list[Item] = []
    contour, spacing = finding.outline, header.spacing
    if not context.options.outlines or len(contour) < LEAST_OUTLINE:
        return found
    is_mass = finding.kind is FindingKind.MASS
    if not context.options.markers:
        outline = polygon(c.OUTLINE, contour, entry)
    elif is_mass:
        outline = ellipse(c.OUTLINE, ellipse_axes(contour, spacing), entry)
    else:
        outline = polygon(c.OUTLINE, box(contour), entry)
    found.append(fitted(_OUTLINE, outline))
    margin_mm = finding.shape.margin_mm if finding.shape else None
    if margin_mm and context.options.outer_margin and is_mass:
        # the outline runs at half of the contrast; a quarter of it is left half a margin further out
        outer = polygon(c.OUTER_MARGIN, widened(contour, margin_mm / 2, spacing), entry)
        found.append(fitted(_SECOND, outer))
    return found


def _measures(finding: Finding, image: ImageResult, entry: Item, context: ReportContext) -> list[Item]:
    """TID 4010 rows 3 to 5, TID 4011 rows 4 and 5"""
    shape = finding.shape
    found: list[Item] = []
    if finding.kind is FindingKind.CALCIFICATION and finding.members:
        found.append(context.made(_COUNT, len(finding.members)))
    path = None
    if shape and len(shape.long_axis) == _ENDS_OF_AN_AXIS:
        path = line(INFERRED_FROM, c.PATH, shape.long_axis, entry)
    found.append(context.length(c.LONG_AXIS, finding.size_mm, path))
    nipple_mm = shape.nipple_distance_mm if shape else _nipple_distance_mm(finding, image)
    if nipple_mm is not None:
        found.append(context.length(c.NIPPLE_DISTANCE, nipple_mm))
    if shape:
        found.append(context.length(c.CHEST_WALL_DISTANCE, shape.chest_wall_distance_mm))
        if shape.area_mm2 > 0:
            found.append(context.made(_AREA, shape.area_mm2, concept=c.AREA, unit=c.SQUARE_MILLIMETER))
    return found


def _calculated(finding: Finding, context: ReportContext) -> list[Item]:
    """Numbers without a standard concept (R0.258 … R0.263, R0.278 … R0.281)."""
    shape, number, of = finding.shape, context.calculated, OF_FINDING
    found = [number(of, own.SCORE, finding.score, c.ZERO_TO_ONE, said=finding.nature.value)]
    if finding.evidence is not None:
        found.append(number(of, own.EVIDENCE, finding.evidence, c.NO_UNITS))
    if shape:
        found.append(number(of, own.CONTRAST, shape.contrast_percent, c.PERCENT))
        if shape.margin_mm is not None:
            found.append(number(of, own.MARGIN_WIDTH, shape.margin_mm, c.MILLIMETER))
        if shape.spiculation_percent is not None:
            found.append(number(of, own.SPICULATION, shape.spiculation_percent, c.PERCENT))
    return found


def _calcification(x_px: float, y_px: float, size_mm: float | None, entry: Item, context: ReportContext) -> Item:
    """TID 4009, below its cluster (R0.283 … R0.292)"""
    properties = [fitted(_CENTER, point(c.CENTER, x_px, y_px, entry))]
    if size_mm and context.options.metrics:
        properties.append(context.length(c.LONG_AXIS, size_mm))
    return context.finding(c.CALCIFICATION, context.intents[None], properties, INFERRED_FROM)


def _nipple_distance_mm(finding: Finding, image: ImageResult) -> float | None:
    if image.nipple is None:
        return None
    size = image.header.spacing
    return hypot(
        (finding.x_px - image.nipple.x_px) * size.column_spacing_mm,
        (finding.y_px - image.nipple.y_px) * size.row_spacing_mm,
    )
