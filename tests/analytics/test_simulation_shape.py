"""The compressed breast: its frame, its chords, its volume."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reread.analytics.records import View
from reread.analytics.simulation_grids import Axis, enlarge, sampled
from reread.analytics.simulation_shape import SOURCE_MM, Compression, Muscle, SkinDistance


def compressed(**changes: object) -> Compression:
    plain = {
        "view": View.CC,
        "angle_deg": 0.0,
        "depth_mm": 80.0,
        "up_mm": 90.0,
        "down_mm": 85.0,
        "exponent": 2.0,
        "upper_exponent": 2.0,
        "ripple": (),
        "centre_mm": 115.0,
        "height_mm": 230.0,
        "width_mm": 180.0,
        "thickness_mm": 50.0,
        "tilt": 0.0,
        "bottom_mm": 12.0,
        "skin_mm": 1.5,
        "muscle": None,
    }
    return Compression(**plain | changes)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(
    depth=st.floats(0.05, 0.9),
    lateral=st.floats(-0.7, 0.7),
    superior=st.floats(-0.7, 0.7),
    angle=st.floats(0, 60),
    tilt=st.floats(0, 0.08),
)
def test_a_point_of_the_breast_is_found_again_in_any_view(depth, lateral, superior, angle, tilt):
    if depth**2 + lateral**2 + superior**2 > 0.9:
        return
    breast = compressed(angle_deg=angle, tilt=tilt, ripple=(0.02, -0.01), upper_exponent=1.7)
    ball = tuple(np.array([value]) for value in (depth, lateral, superior))
    again = breast.to_ball(*breast.from_ball(*ball))
    assert [float(value[0]) for value in again] == pytest.approx([depth, lateral, superior], abs=1e-6)


def solid(breast: Compression, skin: SkinDistance, x, y, z) -> np.ndarray:
    """Whether points are inside: a half circle across the edge, no ray involved."""
    half = breast.half_thickness(x)
    short = np.maximum(half - skin_at(skin, x, y), 0)
    return (np.hypot(short, z - breast.middle_mm) <= half) & (skin_at(skin, x, y) > 0)


def skin_at(skin: SkinDistance, x, y) -> np.ndarray:
    """The distance at points, from the grid of one millimetre."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(skin.grid.astype(float), np.stack([y + 12.0, x + 12.0]), order=3, mode="nearest")


@pytest.mark.parametrize("tilt", [0.0, 0.04])
def test_chords_are_those_of_marching_along_the_rays(tilt):
    breast = compressed(tilt=tilt, ripple=(0.02, 0.01))
    skin = SkinDistance.of(breast)
    pitch = 2.0
    rays = skin.rays((115, 55), pitch)
    low, high = rays.span()
    chord = (high - low) * rays.oblique
    v, u = np.meshgrid((np.arange(115) + 0.5) * pitch, (np.arange(55) + 0.5) * pitch, indexing="ij")
    step = 0.1
    marched = np.zeros_like(u)
    for z in np.arange(breast.bottom_mm + step / 2, breast.bottom_mm + breast.thickness_mm, step):
        shrink = 1 - z / SOURCE_MM
        y = (v - breast.height_mm / 2) * shrink + breast.height_mm / 2
        marched += solid(breast, skin, u * shrink, y, np.full_like(u, z)) * step
    marched *= rays.oblique
    assert np.abs(chord - marched).max() < 2.0  # at the very rim, where a chord begins like a square root
    assert np.abs(chord - marched).mean() < 0.08
    assert chord.sum() == pytest.approx(marched.sum(), rel=2e-3)


def test_the_volume_is_that_of_the_solid():
    """A half ellipse with a rim of a half circle; by counting points, not by the integral under test."""
    breast = compressed()
    skin = SkinDistance.of(breast)
    rng = np.random.default_rng(1)
    x, y, z = rng.uniform(0, 85, 400_000), rng.uniform(20, 210, 400_000), rng.uniform(12, 62, 400_000)
    counted = float(solid(breast, skin, x, y, z).mean()) * 85 * 190 * 50
    assert skin.volume_mm3() == pytest.approx(counted, rel=5e-3)
    flat = np.pi / 4 * 80 * (90 + 85) * 50
    assert 0.8 * flat < skin.volume_mm3() < flat
    skin_volume = skin.volume_mm3() - skin.volume_mm3(1.5)
    surface = np.pi / 4 * 80 * (90 + 85) * 2
    assert surface * 1.5 < skin_volume < surface * 1.5 * 1.6


def test_the_skin_line_is_where_the_chords_end():
    breast = compressed()
    skin = SkinDistance.of(breast)
    low, high = skin.rays((920, 400), 0.25).span()
    line = breast.outline(800)
    u, v = breast.on_detector(line[:, 0], line[:, 1], np.full(len(line), breast.middle_mm))
    keep = (v > 1) & (v < 229)
    for x, y in zip(u[keep][::40], v[keep][::40], strict=True):
        row = round(y / 0.25 - 0.5)
        reach = np.flatnonzero((high > low)[row])
        end = (reach[-1] + 0.5) * 0.25 if reach.size else 0.0
        # near the top the line runs along the rows; there a row tells little
        if x > 25:
            assert end == pytest.approx(x, abs=1.0)


def test_the_muscle_lies_behind_its_line():
    breast = compressed(view=View.MLO, muscle=Muscle(40.0, 100.0, 0.0, 0.6))
    x, y = np.array([1.0, 39.0, 25.0, 60.0]), np.array([1.0, 10.0, 20.0, 10.0])
    assert (breast.muscle_depth(x, y) > 0).tolist() == [True, False, True, False]
    share = breast.muscle_share(x, y)
    assert share[0] > share[2] > 0
    assert share[1] == share[3] == 0
    assert share.max() <= 0.6


def test_splines_are_exact_for_cubics_and_their_slopes():
    y, x = np.mgrid[0:30, 0:40].astype(float)
    grid = (0.01 * x**3 - 0.2 * x * y + 0.003 * y**3).astype(np.float32)
    rows, columns = np.linspace(0, 29, 111), np.linspace(0, 39, 137)
    yy, xx = np.meshgrid(rows, columns, indexing="ij")
    value = sampled(grid, Axis.at(rows, 30), Axis.at(columns, 40))
    assert value == pytest.approx(0.01 * xx**3 - 0.2 * xx * yy + 0.003 * yy**3, abs=2e-3)
    slope = sampled(grid, Axis.at(rows, 30), Axis.at(columns, 40, 1))
    assert slope == pytest.approx(0.03 * xx**2 - 0.2 * yy, abs=2e-3)
    assert enlarge(np.full((10, 12), 3, dtype=np.float32), 0.8, 0.1, (80, 96)) == pytest.approx(3, abs=1e-5)
