"""Ellipses and rectangles of marks: they enclose what they mark and stay where they must."""

from __future__ import annotations

from itertools import pairwise
from math import hypot

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.analytics.records import Finding, FindingKind, Size
from reread.connectors.results.mark_shapes import (
    Ellipse,
    clipped,
    enclosing_ellipse,
    enclosing_rectangle,
    ends_inside,
    extent,
    fitted,
)

COORDINATE = st.floats(-20, 6000, allow_nan=False)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=40)
MARGIN = st.tuples(st.floats(0.5, 40), st.floats(0.5, 40))


@given(POINTS, MARGIN)
def test_the_ellipse_encloses_every_point_with_its_margin(points, margin):
    ellipse = enclosing_ellipse(tuple(points), margin)
    for x, y in points:
        assert ellipse.level(x, y) < 1
        assert ellipse.level(x + margin[0], y) <= 1 + 1e-6
        assert ellipse.level(x, y - margin[1]) <= 1 + 1e-6


@given(POINTS, MARGIN)
def test_its_axes_are_perpendicular_and_its_ends_lie_on_it(points, margin):
    ellipse = enclosing_ellipse(tuple(points), margin)
    (ax, ay), (bx, by) = ellipse.major, ellipse.minor
    assert abs(ax * bx + ay * by) <= 1e-6 * hypot(ax, ay) * hypot(bx, by)
    assert hypot(ax, ay) >= hypot(bx, by) - 1e-9
    for x, y in ellipse.ends:
        assert ellipse.level(x, y) == pytest.approx(1, abs=1e-6)


def test_around_the_ends_of_an_ellipse_it_is_that_ellipse_and_not_more():
    turned = np.radians(30)
    angles = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    x = 500 + 60 * np.cos(angles) * np.cos(turned) - 25 * np.sin(angles) * np.sin(turned)
    y = 700 + 60 * np.cos(angles) * np.sin(turned) + 25 * np.sin(angles) * np.cos(turned)
    ellipse = enclosing_ellipse(tuple(zip(x, y, strict=True)), (0.01, 0.01))
    assert hypot(*ellipse.major) == pytest.approx(60, rel=0.01)
    assert hypot(*ellipse.minor) == pytest.approx(25, rel=0.01)
    assert ellipse.center == pytest.approx((500, 700), abs=0.5)


@given(POINTS, MARGIN)
def test_the_polygon_encloses_the_ellipse(points, margin):
    ellipse = enclosing_ellipse(tuple(points), margin)
    corners = ellipse.polygon(48)
    middles = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(corners)]
    assert min(ellipse.level(x, y) for x, y in middles) >= 1 - 1e-6
    assert max(ellipse.level(x, y) for x, y in corners) < 1.01


@given(POINTS, MARGIN, st.integers(2, 6000), st.integers(2, 6000))
def test_the_rectangle_encloses_what_can_be_seen_of_the_points(points, margin, rows, columns):
    found = enclosing_rectangle(tuple(points), margin, rows, columns)
    assert -0.5 <= found.left <= found.right <= columns - 0.5
    assert -0.5 <= found.top <= found.bottom <= rows - 0.5
    for x, y in clipped(tuple(points), rows, columns):
        assert found.left <= x <= found.right
        assert found.top <= y <= found.bottom


@given(POINTS, MARGIN, st.integers(2, 6000), st.integers(2, 6000))
def test_a_fitted_ellipse_has_its_ends_on_the_image(points, margin, rows, columns):
    ellipse = enclosing_ellipse(tuple(points), margin)
    inside = fitted(ellipse, rows, columns)
    assert all(-0.5 - 1e-6 <= x <= columns - 0.5 + 1e-6 for x, _ in inside.ends)
    assert all(-0.5 - 1e-6 <= y <= rows - 0.5 + 1e-6 for _, y in inside.ends)
    assert hypot(*inside.major) >= hypot(*inside.minor)
    if ends_inside(ellipse, rows, columns):
        assert inside is ellipse


def test_a_clipped_ellipse_reaches_into_the_corner_that_it_covers():
    outline = clipped(Ellipse((2.0, 2.0), (30.0, 0.0), (0.0, 20.0)).polygon(), 100, 100)
    assert (-0.5, -0.5) in outline
    assert max(x for x, _ in outline) == pytest.approx(32, abs=0.1)


def test_without_an_outline_the_size_makes_a_circle_in_millimetres():
    finding = Finding(FindingKind.MASS, 100.0, 50.0, 0.5, 0, (), 12.0)
    points = np.array(extent(finding, Size(row_spacing_mm=0.2, column_spacing_mm=0.1)))
    assert np.ptp(points[:, 0]) == pytest.approx(120)
    assert np.ptp(points[:, 1]) == pytest.approx(60)


def test_shapes_need_points():
    with pytest.raises(ValueError, match="point"):
        enclosing_rectangle((), (1.0, 1.0), 10, 10)
    with pytest.raises(ValueError, match="margin"):
        enclosing_ellipse(((1.0, 1.0),), (0.0, 1.0))
