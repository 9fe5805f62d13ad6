"""Parts of measurement groups (TID 1410 and 1501): what is tracked, where, by which algorithm, on which outline."""

from __future__ import annotations

from itertools import pairwise

from pydicom.dataset import Dataset

from reread.analytics.records import Contour, ImageHeader, Laterality, Provenance
from reread.connectors.reports.codes import Code
from reread.connectors.results.document_items import (
    CONTAINS,
    HAS_CONTEXT,
    HAS_MODIFIER,
    code,
    number,
    region,
    text,
    uid,
)

INFERRED_FROM = "INFERRED FROM"
CORNERSTONE_TOOL = "Cornerstone3DTools@^0.1.0:PlanarFreehandROI"
"""how OHIF knows an outline as one that its own tool could have drawn; what follows it is free"""


def dcm(value: str, meaning: str) -> Code:
    """A code of PS3.16 annex D."""
    return Code(value, "DCM", meaning)


def sct(value: str, meaning: str) -> Code:
    """A code of SNOMED CT."""
    return Code(value, "SCT", meaning)


GROUP, FINDING = dcm("125007", "Measurement Group"), dcm("121071", "Finding")
AREA = sct("42798000", "Area")
MM2, PERCENT = Code("mm2", "UCUM", "square millimeter"), Code("%", "UCUM", "Percent")
ONE = Code("1", "UCUM", "no units")
_PIXELS = Code("{pixels}", "UCUM", "pixels")
_REGION, _SOURCE = dcm("111030", "Image Region"), dcm("121112", "Source of Measurement")
_TRACKING, _TRACKING_UID = dcm("112039", "Tracking Identifier"), dcm("112040", "Tracking Unique Identifier")
_COMMENT = dcm("121106", "Comment")
_SITE, _LATERALITY = sct("363698007", "Finding Site"), sct("272741003", "Laterality")
_BREAST = sct("76752008", "Breast")
_SIDES = {Laterality.LEFT: sct("7771000", "Left"), Laterality.RIGHT: sct("24028007", "Right")}
_ALGORITHM_NAME, _ALGORITHM_VERSION = dcm("111001", "Algorithm Name"), dcm("111003", "Algorithm Version")
_ALGORITHM_PARAMETERS = dcm("111002", "Algorithm Parameters")


def tracking(name: str, identifier: str, *, cornerstone: bool = False) -> list[Dataset]:
    """Name and UID of what is measured; the name stands in a comment where the identifier is that of a tool."""
    if not cornerstone:
        return [text(HAS_CONTEXT, _TRACKING, name), uid(HAS_CONTEXT, _TRACKING_UID, identifier)]
    return [
        text(HAS_CONTEXT, _TRACKING, f"{CORNERSTONE_TOOL}:{name}"),
        uid(HAS_CONTEXT, _TRACKING_UID, identifier),
        text(CONTAINS, _COMMENT, name),
    ]


def site(side: Laterality) -> Dataset:
    """The breast"""
    return code(HAS_MODIFIER, _SITE, _BREAST, [code(HAS_MODIFIER, _LATERALITY, _SIDES[side])])


def algorithm(provenance: Provenance) -> list[Dataset]:
    """TID 4019"""
    return [
        text(HAS_MODIFIER, _ALGORITHM_NAME, provenance.algorithm),
        text(HAS_MODIFIER, _ALGORITHM_VERSION, provenance.version),
        text(HAS_MODIFIER, _ALGORITHM_PARAMETERS, f"SHA-256 of parameters: {provenance.parameters_digest}"),
    ]


def outlined(outline: Contour, area_mm2: float, header: ImageHeader, *, cornerstone: bool = False) -> list[Dataset]:
    """The one region of TID 1410, closed, and its area; in pixels, and only for OHIF, where no size is known.

    OHIF takes over the outline on which the first number of a group rests, so it then stands there too (TID 320).
    """
    points = closed(outline)
    found = [region(CONTAINS, _REGION, "POLYLINE", points, header)]
    below = [source(points, header)] if cornerstone else []
    if header.spacing_known:
        found.append(number(CONTAINS, AREA, round(area_mm2, 4), MM2, below))
    elif cornerstone:
        found.append(number(CONTAINS, AREA, round(area_px(points), 2), _PIXELS, below))
    return found


def source(points: list[tuple[float, float]], header: ImageHeader) -> Dataset:
    """What a number was measured on (TID 320)."""
    return region(INFERRED_FROM, _SOURCE, "POLYLINE", points, header)


def closed(outline: Contour) -> list[tuple[float, float]]:
    """The last point repeats the first; no point directly repeats another."""
    points = [point for place, point in enumerate(outline) if place == 0 or point != outline[place - 1]]
    return points if points[0] == points[-1] else [*points, points[0]]


def area_px(points: list[tuple[float, float]]) -> float:
    """Area of a closed polygon (shoelace formula)."""
    return abs(sum(x * y_after - x_after * y for (x, y), (x_after, y_after) in pairwise(points))) / 2


def area_mm2(points: list[tuple[float, float]], header: ImageHeader) -> float:
    """The same, of the region that the report draws."""
    return area_px(points) * header.spacing.column_spacing_mm * header.spacing.row_spacing_mm
