"""The shape of a mark on any carrier: an ellipse around a mass, a rectangle around a cluster (R1.288, R1.325).

Coordinates are those of the records: (0, 0) is the centre of the first pixel, so the image reaches from -0.5 to
columns - 0.5 and rows - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Contour, Finding, FindingKind, ImageHeader, Size

Point = tuple[float, float]
"""(x_px, y_px)"""

MARGIN_MM = 1.0
"""between a finding and its mark, so that the line does not lie on the edge that it points at"""
_STEPS = 1000
_TOLERANCE = 5e-3


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse by its centre and two perpendicular semi-axes, the longer one first."""

    center: Point
    major: Point
    """from the centre to an end of the major axis"""
    minor: Point

    @property
    def ends(self) -> tuple[Point, Point, Point, Point]:
        """Both ends of the major axis, then of the minor axis: the order of ELLIPSE in GSPS and SCOORD (R1.143)."""
        (x, y), (ax, ay), (bx, by) = self.center, self.major, self.minor
        return (x - ax, y - ay), (x + ax, y + ay), (x - bx, y - by), (x + bx, y + by)

    def level(self, x_px: float, y_px: float) -> float:
        """0 in the centre, 1 on the line, more outside."""
        dx, dy = x_px - self.center[0], y_px - self.center[1]
        (ax, ay), (bx, by) = self.major, self.minor
        along = (dx * ax + dy * ay) / max(ax * ax + ay * ay, 1e-12)
        across = (dx * bx + dy * by) / max(bx * bx + by * by, 1e-12)
        return hypot(along, across)

    def polygon(self, count: int = 72) -> Contour:
        """A polygon that encloses it, not closed; every side touches the ellipse."""
        reach = 1 / cos(pi / count)
        (x, y), (ax, ay), (bx, by) = self.center, self.major, self.minor
        angles = [2 * pi * step / count for step in range(count)]
        return tuple((x + reach * (ax * cos(t) + bx * sin(t)), y + reach * (ay * cos(t) + by * sin(t))) for t in angles)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle along the borders of the image."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Clockwise from the upper left one, as it is seen."""
        return (self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)


def mark_shape(finding: Finding, header: ImageHeader) -> Ellipse | Rectangle:
    """The mark of a finding: around its outline with `MARGIN_MM`; a rectangle stays within the image."""
    points = extent(finding, header.spacing)
    margin_px = MARGIN_MM / header.spacing.column_spacing_mm, MARGIN_MM / header.spacing.row_spacing_mm
    if finding.kind is FindingKind.CALCIFICATION:
        return enclosing_rectangle(points, margin_px, header.rows, header.columns)
    return enclosing_ellipse(points, margin_px)


def extent(finding: Finding, spacing: Size) -> Contour:
    """The outline; where there is none, the circle of its size in millimetres. Members of a cluster belong to it."""
    if len(finding.outline) >= 3:
        return finding.outline + finding.members
    x_radius = finding.size_mm / 2 / spacing.column_spacing_mm
    y_radius = finding.size_mm / 2 / spacing.row_spacing_mm
    angles = [pi * step / 16 for step in range(32)]
    circle = tuple((finding.x_px + x_radius * cos(t), finding.y_px + y_radius * sin(t)) for t in angles)
    return circle + finding.members


def enclosing_rectangle(points: Contour, margin_px: Point, rows: int, columns: int) -> Rectangle:
    """The smallest rectangle around the points with a margin, cut off at the borders of the image.

    Raises
    ------
    ValueError
        There is no point.
    """
    if not points:
        raise ValueError("a rectangle needs at least one point")
    x, y = np.asarray(points, dtype=np.float64).T
    left, right = np.clip([x.min() - margin_px[0], x.max() + margin_px[0]], -0.5, columns - 0.5)
    top, bottom = np.clip([y.min() - margin_px[1], y.max() + margin_px[1]], -0.5, rows - 0.5)
    return Rectangle(float(left), float(top), float(right), float(bottom))


def enclosing_ellipse(points: Contour, margin_px: Point) -> Ellipse:
    """The smallest ellipse around the points, each with a lozenge of the margin around it.

    Khachiyan's ascent (Todd and Yildirim, Discrete Appl. Math. 155, 2007, 1731), then scaled so that no point is
    outside; its area is within a percent of the smallest.

    Raises
    ------
    ValueError
        There is no point, or a margin is not positive.
    """
    if not points or min(margin_px) <= 0:
        raise ValueError("an ellipse needs a point and a positive margin")
    lozenge = np.array([[margin_px[0], 0], [-margin_px[0], 0], [0, margin_px[1]], [0, -margin_px[1]]])
    cloud = (np.asarray(points, dtype=np.float64)[:, None, :] + lozenge).reshape(-1, 2)
    middle = cloud.mean(axis=0)
    size = float(np.abs(cloud - middle).max())
    centred = (cloud - middle) / size
    # only corners of the hull can be touched; that they are rounded to float32 here is made good by the scaling
    corners = cv2.convexHull(centred.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    weights = _ascent(corners)
    centre = weights @ corners
    spread = (corners * weights[:, None]).T @ corners - np.outer(centre, centre)
    values, vectors = np.linalg.eigh(spread)
    away = (centred - centre) @ vectors
    scale = float(np.sqrt((away**2 / values).sum(axis=1).max()))
    minor, major = (np.sqrt(values) * scale * size)[:, None] * vectors.T
    x, y = centre * size + middle
    return Ellipse((float(x), float(y)), (float(major[0]), float(major[1])), (float(minor[0]), float(minor[1])))


def _ascent(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the points whose moments are those of the smallest ellipse; sum 1."""
    lifted = np.column_stack([centred, np.ones(len(centred))])
    weights = np.full(len(centred), 1 / len(centred))
    for _ in range(_STEPS):
        moments = lifted.T @ (lifted * weights[:, None])
        reach = np.einsum("ij,jk,ik->i", lifted, np.linalg.inv(moments), lifted)
        furthest = int(np.argmax(reach))
        if reach[furthest] <= 3 * (1 + _TOLERANCE):
            break
        step = (reach[furthest] - 3) / (3 * (reach[furthest] - 1))
        weights *= 1 - step
        weights[furthest] += step
    return weights


def ends_inside(ellipse: Ellipse, rows: int, columns: int) -> bool:
    """Whether all four ends lie on the image, as coordinates of a graphic must."""
    return all(-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5 for x, y in ellipse.ends)


def fitted(ellipse: Ellipse, rows: int, columns: int) -> Ellipse:
    """An ellipse whose ends lie on the image: itself, or the one in the visible part of its bounding rectangle.

    For receivers that know nothing but ellipses; it need not enclose what the full one does.
    """
    if ends_inside(ellipse, rows, columns):
        return ellipse
    (x, y), (ax, ay), (bx, by) = ellipse.center, ellipse.major, ellipse.minor
    half_width, half_height = hypot(ax, bx), hypot(ay, by)
    left, right = np.clip([x - half_width, x + half_width], -0.5, columns - 0.5)
    top, bottom = np.clip([y - half_height, y + half_height], -0.5, rows - 0.5)
    across, down = (float(right - left) / 2, 0.0), (0.0, float(bottom - top) / 2)
    major, minor = (across, down) if across[0] >= down[1] else (down, across)
    return Ellipse((float(left + right) / 2, float(top + bottom) / 2), major, minor)


def clipped(points: Contour, rows: int, columns: int) -> Contour:
    """Each point brought onto the image: the part of a convex outline that can be seen."""
    kept = [(min(max(x, -0.5), columns - 0.5), min(max(y, -0.5), rows - 0.5)) for x, y in points]
    return tuple(point for place, point in enumerate(kept) if place == 0 or point != kept[place - 1])
