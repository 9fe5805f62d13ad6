"""What is drawn over a picture, as plain geometry: the same for pixels (marks burned in) and for a page (SVG).

Coordinates are pixels of the picture, from its upper left corner, so that the centre of the first pixel is at 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reread.analytics.records import (
    Contour,
    Finding,
    FindingKind,
    ImageHeader,
    ImageResult,
    Laterality,
    Nature,
)

SMALLEST_MARK = 0.0115
"""least half extent of a mark, as a part of the height of the picture"""


@dataclass(frozen=True, slots=True)
class Mark:
    """One finding at an operating point; an ellipse for a mass, a rectangle for a cluster (R1.288)."""

    kind: FindingKind
    nature: Nature
    index: int
    """`finding_index` of the findings table"""
    operating_point: int
    score: float
    x: float
    y: float
    half_width: float
    half_height: float
    members: Contour
    """centres of the single calcifications"""


@dataclass(frozen=True, slots=True)
class Overlay:
    """All that is drawn over the picture of one image."""

    width: int
    height: int
    skin: Contour
    """without the part along the edges of the image; open when it has such"""
    muscle: Contour
    nipple: tuple[float, float] | None
    nipple_seen: bool
    marks: tuple[Mark, ...]
    """by falling score"""
    pixel_mm: float | None
    """side of a pixel of the picture; None: not known"""


class Projection:
    """From the stored image to a picture with square pixels that hangs as radiologists hang it.

    Parameters
    ----------
    chest_wall_on_left
        In the stored image.
    height_px
        Height of the picture.
    """

    def __init__(self, header: ImageHeader, *, chest_wall_on_left: bool, height_px: int) -> None:
        spacing = header.spacing
        self._scale_y = height_px / header.rows
        self._scale_x = self._scale_y * spacing.column_spacing_mm / spacing.row_spacing_mm
        self._columns = header.columns
        self.height_px = height_px
        self.width_px = max(1, round(header.columns * self._scale_x))
        self.mirrored = chest_wall_on_left != (header.laterality is Laterality.LEFT)
        self.pixel_mm = spacing.row_spacing_mm / self._scale_y if header.spacing_known else None

    def point(self, x_px: float, y_px: float) -> tuple[float, float]:
        """A point of the stored image in the picture."""
        x_px = self._columns - 1 - x_px if self.mirrored else x_px
        return (x_px + 0.5) * self._scale_x, (y_px + 0.5) * self._scale_y

    def contour(self, contour: Contour) -> Contour:
        """The same for a contour."""
        return tuple(self.point(x_px, y_px) for x_px, y_px in contour)


def hung(result: ImageResult, height_px: int) -> Projection:
    """The projection of an image as it hangs."""
    return Projection(result.header, chest_wall_on_left=chest_wall_on_left(result), height_px=height_px)


def chest_wall_on_left(result: ImageResult) -> bool:
    """Of the stored image: measured, or as the header says where the breast was not found."""
    if result.breast is not None:
        return result.breast.chest_wall_on_left
    return not result.header.patient_orientation[0].startswith("P")


def overlay_of(result: ImageResult, projection: Projection) -> Overlay:
    """What is drawn over the picture of an image; findings below all operating points are not."""
    ordered = sorted(result.findings, key=lambda finding: -finding.score)
    counts = dict.fromkeys(FindingKind, 0)
    marks = []
    for finding in ordered:
        index, counts[finding.kind] = counts[finding.kind], counts[finding.kind] + 1
        if finding.operating_point is not None:
            marks.append(_mark(finding, finding.operating_point, index, projection))
    nipple = result.nipple
    return Overlay(
        width=projection.width_px,
        height=projection.height_px,
        skin=_inside(projection.contour(result.breast.outline), projection) if result.breast else (),
        muscle=_inside(projection.contour(result.pectoral.outline), projection) if result.pectoral else (),
        nipple=projection.point(nipple.x_px, nipple.y_px) if nipple else None,
        nipple_seen=nipple is not None and nipple.confidence >= 0.5,
        marks=tuple(marks),
        pixel_mm=projection.pixel_mm,
    )


def _mark(finding: Finding, point: int, index: int, projection: Projection) -> Mark:
    x, y = projection.point(finding.x_px, finding.y_px)
    least = SMALLEST_MARK * projection.height_px
    half_width = half_height = least
    if finding.outline:
        outline = np.array(projection.contour(finding.outline))
        low, high = outline.min(axis=0), outline.max(axis=0)
        # the box of the outline, with room for the line around it
        x, y = (float(middle) for middle in (low + high) / 2)
        grow = 1.2 if finding.kind is FindingKind.MASS else 1.1
        half_width, half_height = (max(least, float(half) * grow) for half in (high - low) / 2)
    elif projection.pixel_mm:
        half_width = half_height = max(least, 0.6 * finding.size_mm / projection.pixel_mm)
    return Mark(
        kind=finding.kind,
        nature=finding.nature,
        index=index,
        operating_point=point,
        score=finding.score,
        x=x,
        y=y,
        half_width=half_width,
        half_height=half_height,
        members=projection.contour(finding.members),
    )


def _inside(contour: Contour, projection: Projection) -> Contour:
    """The closed contour as an open line without its longest run along the edges of the image."""
    near = 0.003 * projection.height_px + 1.0
    on_edge = [min(x, y, projection.width_px - x, projection.height_px - y) < near for x, y in contour]
    if all(on_edge) or not any(on_edge):
        return (*contour, contour[0]) if contour and not any(on_edge) else ()
    count = len(contour)
    # start in the longest run of vertices on the edge, so that what is left is in one piece
    best_start, best_length = 0, 0
    for start in range(count):
        length = 0
        while length < count and on_edge[(start + length) % count]:
            length += 1
        if length > best_length:
            best_start, best_length = start, length
    turned = [contour[(best_start + best_length - 1 + step) % count] for step in range(count - best_length + 2)]
    return tuple(turned)
