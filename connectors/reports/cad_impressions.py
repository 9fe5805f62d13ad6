"""The individual impressions of a report: TID 4003 with 4002."""

from __future__ import annotations

from collections.abc import Iterable

from reread.analytics.records import ImageResult, StudyResult
from reread.connectors.reports.cad_breast import geometry_items, quality_item
from reread.connectors.reports.cad_composites import Feature, feature_item, features
from reread.connectors.reports.cad_density import breast_numbers, image_composition, study_composition
from reread.connectors.reports.codes import OPTIONAL, REQUIRED
from reread.connectors.reports.content_items import CONTAINS, Item
from reread.connectors.reports.report_context import ReportContext
from reread.connectors.reports.report_options import Impressions
from reread.connectors.reports.templates import row

_IMPRESSION, _INTENT, _DESCRIPTION = row(4003, 1), row(4003, 2), row(4002, 5)


def impression_items(result: StudyResult, context: ReportContext) -> list[Item]:
    """Density of the breasts, then each image or each detection, then what several images show; none when empty."""
    options = context.options
    measured = [image for image in result.images if image.succeeded]
    found = [_density(result, context)] if options.density else []
    marks = features(measured, context)
    per_image = options.impressions is Impressions.PER_IMAGE
    for image in measured:
        uid = image.header.sop_instance_uid
        own = [feature for feature in marks if feature.images == (uid,)]
        items = _about(image, measured, context)
        if per_image:
            # composite features before findings (TID 4003 rows 4 and 5)
            features_first = sorted(own, key=lambda feature: feature.is_single)
            made = [feature_item(feature, context) for feature in features_first]
            count = sum(not feature.is_single for feature in own)
            items = [*made[:count], *items, *made[count:]]
        said = f"{image.header.laterality} {image.header.view}"
        found.append(_impression(said, items, context))
        if not per_image:
            found += [_detection(feature, f"{said}: ", context) for feature in own]
    found += [
        _detection(feature, f"{next(feature.placed).image.header.laterality}: ", context)
        for feature in marks
        if len(feature.images) > 1
    ]
    return [impression for impression in found if impression is not None]


def _about(image: ImageResult, measured: Iterable[ImageResult], context: ReportContext) -> list[Item]:
    """All of an image but its marks."""
    geometry = geometry_items(image, context) if context.options.geometry else []
    items: list[Item | None] = []
    if context.options.density:
        items.append(image_composition(image, geometry, context))
    items += geometry
    if context.options.quality:
        items.append(quality_item(image, measured, context))
    return [item for item in items if item is not None]


def _density(result: StudyResult, context: ReportContext) -> Item | None:
    """R0.189 … R0.213"""
    composition = study_composition(result, context)
    if composition is None:
        return None
    return _impression("Breast density", [composition], context, breast_numbers(result, context))


def _detection(feature: Feature, said: str, context: ReportContext) -> Item | None:
    kinds = dict.fromkeys(item.finding.kind.value for item in feature.placed)
    views = dict.fromkeys(item.image.header.view.value for item in feature.placed)
    where = f" in {' and '.join(views)}" if len(views) > 1 else ""
    required = any(item.finding.operating_point == 0 for item in feature.placed)
    items = [feature_item(feature, context)]
    return _impression(f"{said}{' with '.join(kinds)}{where}", items, context, required=required)


def _impression(
    said: str, items: list[Item], context: ReportContext, numbers: Iterable[Item] = (), *, required: bool = True
) -> Item | None:
    """One impression; a container without a finding is no valid one (TID 4003 rows 4 and 5)."""
    if not items:
        return None
    below = [
        context.made(_INTENT, REQUIRED if required else OPTIONAL),
        context.made(_DESCRIPTION, said, relationship=CONTAINS),
        *context.contained,
        *numbers,
        *items,
    ]
    return context.made(_IMPRESSION, None, below)
