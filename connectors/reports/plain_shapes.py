"""Plain shapes around an outline: its box, the ellipse that covers it, and the outline grown by a distance."""

from __future__ import annotations

from math import hypot

from reread.analytics.records import Contour, Size

LEAST_OUTLINE = 3
"""vertices of a contour that encloses anything"""


def box(contour: Contour) -> Contour:
    """The upright rectangle around a contour, clockwise from the top left."""
    xs, ys = [x for x, _ in contour], [y for _, y in contour]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def center_of(contour: Contour) -> tuple[float, float]:
    """Centre of the box (x_px, y_px)."""
    (left, top), _, (right, bottom), _ = box(contour)
    return (left + right) / 2, (top + bottom) / 2


def ellipse_axes(contour: Contour, spacing: Size) -> Contour:
    """Ends of the major axis, then of the minor axis, of an ellipse as long and as wide as the contour.

    The major axis joins the two vertices farthest apart in millimetres; the minor one is square to it through its
    middle. A contour of one point gives an ellipse of one pixel.
    """
    across_mm, down_mm = spacing.column_spacing_mm, spacing.row_spacing_mm
    points = [(x * across_mm, y * down_mm) for x, y in contour]
    pairs = ((one, other) for index, one in enumerate(points) for other in points[index + 1 :])
    start, end = max(pairs, key=lambda pair: hypot(pair[0][0] - pair[1][0], pair[0][1] - pair[1][1]))
    length = hypot(end[0] - start[0], end[1] - start[1])
    if length == 0:
        (x, y), half = contour[0], 0.5
        return ((x - half, y), (x + half, y), (x, y - half), (x, y + half))
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    square = (-along[1], along[0])
    offsets = [(x - start[0]) * square[0] + (y - start[1]) * square[1] for x, y in points]
    middle, half = (max(offsets) + min(offsets)) / 2, (max(offsets) - min(offsets)) / 2
    ends = [(x + middle * square[0], y + middle * square[1]) for x, y in (start, end)]
    center = ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2)
    ends += [(center[0] + sign * half * square[0], center[1] + sign * half * square[1]) for sign in (-1, 1)]
    return tuple((x / across_mm, y / down_mm) for x, y in ends)


def widened(contour: Contour, by_mm: float, spacing: Size) -> Contour:
    """Every vertex moved away from the middle of all by a distance; for outlines that surround their middle."""
    middle_x = sum(x for x, _ in contour) / len(contour)
    middle_y = sum(y for _, y in contour) / len(contour)
    moved = []
    for x, y in contour:
        away = hypot((x - middle_x) * spacing.column_spacing_mm, (y - middle_y) * spacing.row_spacing_mm)
        factor = 1 + by_mm / away if away > 0 else 1.0
        moved.append((middle_x + factor * (x - middle_x), middle_y + factor * (y - middle_y)))
    return tuple(moved)
