"""What is not a lesion: breast geometry with its numbers, nipple, selected region and image quality."""

from __future__ import annotations

from collections.abc import Iterable

from reread.analytics.records import ImageResult, View
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import INFERRED_FROM, Item, by_reference, point, polygon
from reread.connectors.reports.plain_shapes import LEAST_OUTLINE, box, center_of
from reread.connectors.reports.report_context import OF_FINDING, ReportContext
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import fitted

_BREAST, _MUSCLE, _CENTER, _OUTLINE = row(4008, 1), row(4008, 3), row(4021, 1), row(4021, 3)
_DESCRIPTION, _WHOLE_IMAGE, _DEFECT = row(4013, 1), row(4006, 18), row(4014, 1)
BREAST_BOX = "Breast Bounding Box"
_NIPPLE_LINE_TOLERANCE_MM = 10.0
"""of the CC view against the MLO view: "within 1 cm", the meaning of 111204"""


def geometry_items(image: ImageResult, context: ReportContext) -> list[Item]:
    """Breast geometry (R0.229 … R0.237), nipple (R0.238 … R0.244) and selected region (R0.293 … R0.302)."""
    entry, found = context.entry(image.header), []
    outline = image.breast.outline if image.breast is not None else ()
    if len(outline) >= LEAST_OUTLINE:
        shapes = [fitted(_BREAST, polygon(c.BREAST_OUTLINE, outline, entry))]
        if image.pectoral is not None and len(image.pectoral.outline) >= LEAST_OUTLINE:
            shapes.append(fitted(_MUSCLE, polygon(c.PECTORAL_OUTLINE, image.pectoral.outline, entry)))
        properties = [*shapes, *_numbers(image, context)]
        found.append(context.finding(c.BREAST_GEOMETRY, context.intents[None], properties))
    if image.nipple is not None:
        place = fitted(_CENTER, point(c.CENTER, image.nipple.x_px, image.nipple.y_px, entry))
        sure = context.calculated(OF_FINDING, own.NIPPLE_CONFIDENCE, image.nipple.confidence, c.ZERO_TO_ONE)
        found.append(context.finding(c.NIPPLE, context.intents[None], [place, sure]))
    if len(outline) >= LEAST_OUTLINE:
        region = [
            fitted(_CENTER, point(c.CENTER, *center_of(outline), entry)),
            fitted(_OUTLINE, polygon(c.OUTLINE, box(outline), entry)),
            context.made(_DESCRIPTION, BREAST_BOX),
        ]
        found.append(context.finding(c.SELECTED_REGION, context.not_presented, region))
    return found


def quality_item(image: ImageResult, others: Iterable[ImageResult], context: ReportContext) -> Item | None:
    """TID 4014: the defects that have a code and a criterion of their own; None when there is none of them."""
    header, positioning = image.header, image.positioning
    if positioning is None:
        return None
    defects: list[Code] = []
    if positioning.nipple_in_profile is False:
        defects.append(c.NIPPLE_NOT_IN_PROFILE)
    if header.view is View.MLO and positioning.muscle_reaches_nipple_level is False:
        defects.append(c.INSUFFICIENT_MUSCLE)
    length_mm = positioning.posterior_nipple_line_mm
    if header.view is View.CC and length_mm is not None:
        oblique_mm = next(
            (
                other.positioning.posterior_nipple_line_mm
                for other in others
                if other.header.laterality is header.laterality
                and other.header.view is View.MLO
                and other.positioning is not None
            ),
            None,
        )
        if oblique_mm is not None and abs(length_mm - oblique_mm) > _NIPPLE_LINE_TOLERANCE_MM:
            defects.append(c.NIPPLE_LINES_DIFFER)
    if not defects:
        return None
    whole = fitted(_WHOLE_IMAGE, by_reference(INFERRED_FROM, context.entry(header)))
    found = [context.made(_DEFECT, defect) for defect in defects]
    return context.finding(c.IMAGE_QUALITY, context.not_presented, [whole, *found])


def _numbers(image: ImageResult, context: ReportContext) -> list[Item]:
    """Areas, quality and positioning; the quality finding itself has no room for an image without a defect."""
    pairs: list[tuple[Code, float | None, Code]] = []
    if image.breast is not None:
        pairs.append((own.REGION_AREA, image.breast.area_mm2, c.SQUARE_MILLIMETER))
    if image.pectoral is not None:
        pairs.append((own.MUSCLE_AREA, image.pectoral.area_mm2, c.SQUARE_MILLIMETER))
    quality, positioning = image.quality, image.positioning
    if quality is not None and context.options.quality:
        pairs += [
            (own.MEAN_LEVEL, quality.mean_level, c.ZERO_TO_ONE),
            (own.CLIPPED_DARK, quality.clipped_dark, c.ZERO_TO_ONE),
            (own.CLIPPED_BRIGHT, quality.clipped_bright, c.ZERO_TO_ONE),
            (own.SHARPNESS, quality.sharpness, c.NO_UNITS),
            (own.NOISE, quality.noise, c.NO_UNITS),
            (own.MOTION, quality.motion, c.ZERO_TO_ONE),
            (own.CUT_FRONT, quality.cut_front_mm, c.MILLIMETER),
            (own.CUT_ABOVE, quality.cut_above_mm, c.MILLIMETER),
            (own.CUT_BELOW, quality.cut_below_mm, c.MILLIMETER),
        ]
    if positioning is not None and context.options.quality:
        pairs += [
            (own.NIPPLE_LINE, positioning.posterior_nipple_line_mm, c.MILLIMETER),
            (own.MUSCLE_WIDTH, positioning.muscle_width_mm, c.MILLIMETER),
            (own.MUSCLE_LENGTH, positioning.muscle_length_mm, c.MILLIMETER),
            (own.MUSCLE_ANGLE, positioning.muscle_angle_deg, c.DEGREE),
            (own.MUSCLE_BELOW_NIPPLE, positioning.muscle_below_nipple_level_mm, c.MILLIMETER),
        ]
    return [context.calculated(OF_FINDING, concept, value, unit) for concept, value, unit in pairs if value is not None]
