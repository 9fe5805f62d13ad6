"""Density as measurement groups: of each image on the region measured, of each breast on those of its views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from reread.analytics.records import Contour, DensityScore, ImageResult, Laterality
from reread.connectors.identifiers import derived_uid
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.results.document_items import CONTAINS, HAS_MODIFIER, code, container, number
from reread.connectors.results.forms import ResultCase
from reread.connectors.results.measured_region import measured_region
from reread.connectors.results.measurement_items import (
    FINDING,
    GROUP,
    MM2,
    ONE,
    PERCENT,
    algorithm,
    closed,
    dcm,
    outlined,
    sct,
    site,
    source,
    tracking,
)

_DENSITY, _COMPOSITION = dcm("112191", "Breast tissue density"), sct("129715009", "Breast composition")
_METHOD, _TWO_DIMENSIONAL = sct("370129005", "Measurement Method"), dcm("112188", "Two-dimensional method")
_COMPOSITIONS = {
    "a": sct("129716005", "Almost entirely fat"),
    "b": sct("129717001", "Scattered fibroglandular densities"),
    "c": sct("129718006", "Heterogeneously dense"),
    "d": sct("129719003", "Extremely dense"),
}
"""CID 6000"""
Regions = list[tuple[ImageResult, Contour]]


def measured_regions(images: Iterable[ImageResult]) -> Regions:
    """Each image that has a density, with the outline of what was measured there."""
    found = [(image, measured_region(image)) for image in images if image.density is not None]
    return [(image, outline) for image, outline in found if outline]


def image_densities(case: ResultCase, regions: Regions) -> Iterator[Dataset]:
    """TID 1410 for each image: one region and what was measured in it."""
    cornerstone = case.options.cornerstone_tracking
    for image, outline in regions:
        header, score = image.header, image.density
        assert score is not None, "a region is that of a density"
        name = f"{header.laterality} {header.view} density"
        identifier = derived_uid("density", header.sop_instance_uid, case.provenance.version)
        items = [
            *tracking(name, identifier, cornerstone=cornerstone),
            code(CONTAINS, FINDING, _COMPOSITION),
            code(HAS_MODIFIER, _METHOD, _TWO_DIMENSIONAL),
            *algorithm(case.provenance),
            site(header.laterality),
            *outlined(outline, score.breast_area_mm2, header, cornerstone=cornerstone),
            number(CONTAINS, _DENSITY, round(score.percent_density, 4), PERCENT),
        ]
        if header.spacing_known:
            items.append(number(CONTAINS, own.DENSE_AREA, round(score.dense_area_mm2, 4), MM2))
        items.append(number(CONTAINS, own.DENSE_THRESHOLD, round(score.dense_threshold, 6), ONE))
        yield container(CONTAINS, GROUP, [*items, *_letter(score)], template="1410")


def breast_densities(case: ResultCase, regions: Regions) -> Iterator[Dataset]:
    """TID 1501 for each breast; the regions of its views are what its number was inferred from (TID 300, TID 320).

    The method stands with the group, as for an image. OHIF opens this only where each breast has one view: it reads
    the first item below a number only if it is alone.
    """
    result = case.result
    for side, score in ((Laterality.RIGHT, result.right), (Laterality.LEFT, result.left)):
        if score is None:
            continue
        name = "Left breast density" if side is Laterality.LEFT else "Right breast density"
        identifier = derived_uid("density", result.study_instance_uid, side.value, case.provenance.version)
        sources = [
            source(closed(outline), image.header) for image, outline in regions if image.header.laterality is side
        ]
        items = [
            *tracking(name, identifier),
            code(CONTAINS, FINDING, _COMPOSITION),
            code(HAS_MODIFIER, _METHOD, _TWO_DIMENSIONAL),
            *algorithm(case.provenance),
            site(side),
            number(CONTAINS, _DENSITY, round(score.percent_density, 4), PERCENT, sources),
            *_letter(score),
        ]
        yield container(CONTAINS, GROUP, items, template="1501")


def _letter(score: DensityScore) -> list[Dataset]:
    return [code(CONTAINS, _COMPOSITION, _COMPOSITIONS[score.category])] if score.category in c.COMPOSITIONS else []
