"""Density of a breast and of an image: calculated values of TID 4002, and breast composition, TID 4006 with 4007."""

from __future__ import annotations

from collections.abc import Sequence

from reread.analytics.records import DensityScore, ImageResult, StudyResult, VolumetricDensity
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import INFERRED_FROM, Item, by_reference
from reread.connectors.reports.report_context import OF_FINDING, OF_IMPRESSION, Calculated, ReportContext
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import fitted

_COMPOSITION, _FIBROGLANDULAR, _GEOMETRY = row(4007, 1), row(4007, 2), row(4006, 10)


def breast_numbers(result: StudyResult, context: ReportContext) -> list[Item]:
    """Both breasts, then right and left: percent, category and letter of each method (R0.195 … R0.206)."""
    found: list[Item] = []
    for breast, area, volume in (
        (c.BOTH_BREASTS, result.density, result.volumetric),
        (c.RIGHT_BREAST, result.right, result.volumetric_right),
        (c.LEFT_BREAST, result.left, result.volumetric_left),
    ):
        if area is not None:
            found += _area(area, OF_IMPRESSION, context, breast)
        if volume is not None:
            found += _volume(volume, OF_IMPRESSION, context, breast)
    return found


def study_composition(result: StudyResult, context: ReportContext) -> Item | None:
    """The one composition finding beside the numbers of the breasts (R0.207 … R0.213)."""
    scores = (result.density, result.volumetric, result.right, result.left)
    category = next((score.category for score in scores if score is not None), "")
    if category not in c.COMPOSITIONS:
        return None
    return context.finding(c.COMPOSITION, context.not_presented, [context.made(_COMPOSITION, c.COMPOSITIONS[category])])


def image_composition(image: ImageResult, geometry: Sequence[Item], context: ReportContext) -> Item | None:
    """Composition of one image, with all numbers behind it; it refers to the geometry, which tells the image."""
    area, volume = image.density, image.volumetric
    if area is None and volume is None:
        return None
    category = area.category if area is not None else volume.category if volume is not None else ""
    properties = [context.made(_COMPOSITION, c.COMPOSITIONS[category])]
    if area is not None:
        properties.append(context.made(_FIBROGLANDULAR, area.percent_density))
    properties += [
        fitted(_GEOMETRY, by_reference(INFERRED_FROM, item)) for item in geometry if item.code == c.BREAST_GEOMETRY
    ]
    if area is not None:
        properties += _area(area, OF_FINDING, context)
    if volume is not None:
        properties += _volume(volume, OF_FINDING, context)
        properties.append(context.calculated(OF_FINDING, own.THICKNESS, volume.thickness_mm, c.MILLIMETER))
        properties.append(context.calculated(OF_FINDING, own.FAT_ATTENUATION, volume.fat_attenuation, c.NO_UNITS))
    return context.finding(c.COMPOSITION, context.not_presented, properties)


def _area(score: DensityScore, rows: Calculated, context: ReportContext, breast: Code | None = None) -> list[Item]:
    """With the method "two-dimensional"."""

    def number(concept: Code, value: float, unit: Code, said: str = "") -> Item:
        return context.calculated(rows, concept, value, unit, c.TWO_DIMENSIONAL, said=said, breast=breast)

    return [
        number(c.TISSUE_DENSITY, score.percent_density, c.PERCENT, score.category),
        number(own.DENSITY_CATEGORY, _grade(score.category), c.ONE_TO_FOUR, score.category),
        number(own.DENSE_AREA, score.dense_area_mm2, c.SQUARE_MILLIMETER),
        number(own.BREAST_AREA, score.breast_area_mm2, c.SQUARE_MILLIMETER),
        number(own.DENSE_THRESHOLD, score.dense_threshold, c.ZERO_TO_ONE),
    ]


def _volume(
    score: VolumetricDensity, rows: Calculated, context: ReportContext, breast: Code | None = None
) -> list[Item]:
    """With the method "three-dimensional"."""

    def number(concept: Code, value: float, unit: Code, said: str = "") -> Item:
        return context.calculated(rows, concept, value, unit, c.THREE_DIMENSIONAL, said=said, breast=breast)

    return [
        number(c.TISSUE_DENSITY, score.volumetric_percent, c.PERCENT, score.category),
        number(own.DENSITY_CATEGORY, _grade(score.category), c.ONE_TO_FOUR, score.category),
        number(c.TISSUE_VOLUME, score.gland_volume_cm3, c.CUBIC_CENTIMETER),
        number(c.BREAST_VOLUME, score.breast_volume_cm3, c.CUBIC_CENTIMETER),
    ]


def _grade(category: str) -> int:
    return 1 + "abcd".index(category)
