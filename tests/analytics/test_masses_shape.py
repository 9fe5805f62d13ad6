"""Outline, axis, edge, spiculation and place of a mass candidate."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.lines import line_map, running_towards
from reread.analytics.masses import MassParameters, find_masses, nature_of
from reread.analytics.masses_maps import MassMapParameters, mass_maps, standardised
from reread.analytics.masses_shape import long_axis, margin_mm, short_axis
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, Mammogram, Nature, Shape, View


def nearest(image: Mammogram, x_px: float, y_px: float) -> Finding:
    breast = find_breast(image)
    pectoral = find_pectoral(breast, image.header.view)
    found = find_masses(breast, pectoral, nipple=find_nipple(breast, pectoral), spacing=image.header.spacing)
    return min(found, key=lambda f: np.hypot(f.x_px - x_px, f.y_px - y_px))


def blurred_disc(sigma: float) -> np.ndarray:
    y, x = np.mgrid[0:120, 0:120]
    disc = (np.hypot(x - 60, y - 60) <= 20).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(disc, (0, 0), sigma), np.float32)


CIRCLE = np.array([(60 + 20 * np.cos(a), 60 + 20 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40, endpoint=False)])


def test_a_softer_edge_has_a_wider_margin() -> None:
    widths = [margin_mm(blurred_disc(sigma), CIRCLE, (1.0, 0.0), 0.5) for sigma in (1.0, 3.0, 6.0)]
    # the step of a Gaussian falls from 75 to 25 % over 1.35 standard deviations
    assert widths == pytest.approx([0.5 * 1.35 * sigma for sigma in (1.0, 3.0, 6.0)], abs=0.6)
    assert widths == sorted(widths)


def test_no_contrast_has_no_margin() -> None:
    assert margin_mm(blurred_disc(2.0), CIRCLE, (0.2, 0.2), 0.5) == float("inf")


@given(st.floats(0, np.pi), st.floats(5, 40), st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_long_axis_of_an_ellipse(angle: float, half: float, ratio: float) -> None:
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x, y = half * np.cos(t), ratio * half * np.sin(t)
    turned = np.column_stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]) + 100
    ends, length = long_axis(turned)
    assert length == pytest.approx(2 * half, rel=0.01)
    assert np.hypot(*(ends[0] - ends[1])) == pytest.approx(length, rel=1e-6)
    chord, width = short_axis(turned, ends)
    assert width == pytest.approx(2 * ratio * half, rel=0.03, abs=0.1)
    assert np.hypot(*(chord[0] - chord[1])) == pytest.approx(width, rel=1e-6)
    assert abs(np.dot(chord[0] - chord[1], ends[0] - ends[1])) < 1e-6 * length**2


def test_short_axis_of_points_on_a_line_and_of_one_point() -> None:
    line = np.array([(3.0, 4.0), (6.0, 8.0), (9.0, 12.0)])
    assert short_axis(line, long_axis(line)[0])[1] == pytest.approx(0, abs=1e-6)
    assert short_axis(line[:1], line[[0, 0]])[1] == 0


@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_contrast_and_distances_of_the_planted_mass(view: View) -> None:
    truth = phantom(view, gland_radius_mm=12)
    assert truth.mass is not None
    finding = nearest(truth.mammogram, *truth.mass)
    shape = finding.shape
    assert shape is not None and shape.nipple_distance_mm is not None
    nipple_mm = np.hypot(truth.mass[0] - truth.nipple[0], truth.mass[1] - truth.nipple[1]) * 0.2
    assert shape.nipple_distance_mm == pytest.approx(nipple_mm, abs=8)
    if view is View.CC:
        assert shape.chest_wall_distance_mm == pytest.approx(truth.mass[0] * 0.2, abs=3)
    else:
        rows, columns = np.nonzero(truth.pectoral)
        edge_mm = np.hypot(columns - truth.mass[0], rows - truth.mass[1]).min() * 0.2
        assert shape.chest_wall_distance_mm == pytest.approx(edge_mm, abs=6)
    assert shape.area_mm2 == pytest.approx(np.pi * truth.mass_radius_mm**2, rel=0.6)
    assert shape.contrast_percent > 20
    assert shape.margin_mm is not None and 0.5 < shape.margin_mm < 6
    ends = np.array(shape.long_axis) * 0.2
    assert np.hypot(*(ends[0] - ends[1])) == pytest.approx(finding.size_mm, abs=1.5)
    chord = np.array(shape.short_axis) * 0.2
    assert shape.short_axis_mm == pytest.approx(np.hypot(*(chord[0] - chord[1])), abs=1.5)
    assert shape.short_axis_mm <= finding.size_mm


def with_spokes(straight: bool) -> Mammogram:
    """Sixteen lines around a place, running to it or along circles around it."""
    image = phantom(View.CC, cluster=False, mass=False, label=False, gland_radius_mm=6).mammogram
    lines = np.zeros(image.pixels.shape, np.float32)
    for number in range(16):
        angle = 2 * np.pi * number / 16
        turn = angle if straight else angle + np.pi / 2
        x, y = 170 + 50 * np.cos(angle), 300 + 50 * np.sin(angle)
        dx, dy = 26 * np.cos(turn), 26 * np.sin(turn)
        cv2.line(lines, (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy)), 1.0, 2, cv2.LINE_AA)
    return Mammogram(image.header, (image.pixels + 0.15 * cv2.GaussianBlur(lines, (0, 0), 1.5)).astype(np.float32))


def spiculation(image: Mammogram) -> tuple[float, float]:
    breast = find_breast(image)
    at = breast.frame.from_stored(np.array([[170.0, 300.0]]))[0]
    return running_towards(line_map(breast, None), at[0], at[1], 3.0)


def test_spokes_run_towards_their_hub_and_circles_do_not() -> None:
    share, standard = spiculation(with_spokes(straight=True))
    assert share > 0.3 and standard > 10
    around, less = spiculation(with_spokes(straight=False))
    assert around < 0.25 * share and less < 0.25 * standard


def test_far_from_the_breast_nothing_runs_anywhere() -> None:
    breast = find_breast(phantom(View.CC).mammogram)
    assert running_towards(line_map(breast, None), -5000.0, -5000.0, 5.0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("spiculation_percent", "contrast_percent", "nature"),
    [(30.0, 2.0, Nature.DISTORTION), (30.0, 40.0, Nature.MASS), (3.0, 2.0, Nature.MASS)],
)
def test_lines_without_a_centre_are_a_distortion(
    spiculation_percent: float, contrast_percent: float, nature: Nature
) -> None:
    shape = Shape((), 50.0, contrast_percent, 2.0, spiculation_percent, 40.0, 30.0)
    assert nature_of(shape, MassParameters()) is nature


def test_maps_do_not_depend_on_gain_and_offset() -> None:
    image = phantom(View.CC, label=False).mammogram
    breast = find_breast(image)
    plain = mass_maps(breast, None)
    changed = Mammogram(image.header, (0.6 * image.pixels + 0.2).astype(np.float32))
    other = mass_maps(find_breast(changed), None)
    assert other.evidence.shape == plain.evidence.shape
    # the skin line may move by a pixel
    assert np.abs(other.evidence - plain.evidence)[plain.usable].mean() < 0.03


def test_half_a_mass_at_the_chest_wall_counts() -> None:
    def evidence(cut_px: int) -> float:
        y, x = np.mgrid[0:1000, 0:800]
        image = phantom(View.CC, mass=False, cluster=False, label=False, gland_radius_mm=4).mammogram
        bump = 0.1 * (1 - np.tanh((np.hypot(x - cut_px, y - 500) * 0.2 - 6) / 1.2))
        maps = mass_maps(find_breast(Mammogram(image.header, (image.pixels + bump).astype(np.float32))), None)
        at = maps.frame.from_stored(np.array([[float(cut_px), 500.0]]))[0].round().astype(int)
        return float(maps.evidence[at[1] - 3 : at[1] + 4, max(0, at[0] - 3) : at[0] + 4].max())

    assert evidence(2) > 0.7 * evidence(180)


def test_standardised_has_median_zero_and_unit_spread() -> None:
    plane = np.random.default_rng(1).normal(3.0, 7.0, (60, 60)).astype(np.float32)
    core = np.ones_like(plane, dtype=bool)
    out = standardised(plane, core)
    assert np.median(out) == pytest.approx(0, abs=1e-5)
    assert out.std() == pytest.approx(1, rel=1e-4)


def test_nothing_is_found_nearer_to_the_skin_than_the_margin() -> None:
    image = phantom(View.CC, label=False).mammogram
    breast = find_breast(image)
    maps = mass_maps(breast, None)
    assert maps.depth_mm[maps.usable].min() > 3.9


def test_a_bright_strip_at_the_upper_border_is_no_candidate() -> None:
    image = phantom(View.CC, label=False, mass=False, cluster=False).mammogram
    pixels = image.pixels[300:].copy()  # the breast now goes on above the image
    pixels[:10, 60:160] = 1.0
    breast = find_breast(Mammogram(replace(image.header, rows=700), pixels))

    def highest(border_mm: float) -> float:
        found = find_masses(breast, None, MassParameters(maps=MassMapParameters(border_mm=border_mm)))
        return min(f.y_px for f in found) * 0.2

    assert highest(MassMapParameters().border_mm) > 6
    assert highest(0.0) < 4
