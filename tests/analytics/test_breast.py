"""The breast region against phantoms with known outline."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import Phantom, phantom

from reread.analytics.breast import SegmentedBreast, find_breast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import resample
from reread.analytics.records import Laterality, Mammogram, View


def dice(found: SegmentedBreast, truth: Phantom) -> float:
    """Overlap on the stored pixels."""
    import cv2

    outline = np.round(np.array(found.region.outline)).astype(np.int32)
    mask = cv2.fillPoly(np.zeros(truth.breast.shape, np.uint8), [outline], 1) > 0
    return 2 * float((mask & truth.breast).sum()) / float(mask.sum() + truth.breast.sum())


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("on_left", [True, False])
@pytest.mark.parametrize("laterality", list(Laterality))
def test_outline_covers_the_breast_and_not_the_label(view: View, on_left: bool, laterality: Laterality) -> None:
    truth = phantom(view, laterality, chest_wall_on_left=on_left)
    found = find_breast(truth.mammogram)
    assert found.region.chest_wall_on_left is on_left
    assert dice(found, truth) > 0.96
    assert found.region.area_mm2 == pytest.approx(truth.breast.sum() * 0.04, rel=0.06)


@pytest.mark.parametrize("spacing_mm", [0.1, 0.3, 0.5])
def test_area_does_not_depend_on_spacing(spacing_mm: float) -> None:
    reference = find_breast(phantom().mammogram).region.area_mm2
    rows, columns = round(200 / spacing_mm), round(160 / spacing_mm)
    found = find_breast(phantom(rows=rows, columns=columns, spacing_mm=spacing_mm).mammogram)
    assert found.region.area_mm2 == pytest.approx(reference, rel=0.03)


def test_padding_and_tape_do_not_matter() -> None:
    truth = phantom(label=False)
    plain = find_breast(truth.mammogram).region.area_mm2
    pixels = np.pad(truth.mammogram.pixels, ((0, 0), (0, 300)))
    pixels[:, 830:860] = 1.0
    header = replace(truth.mammogram.header, columns=pixels.shape[1])
    taped = find_breast(Mammogram(header, pixels)).region
    assert taped.chest_wall_on_left
    assert taped.area_mm2 == pytest.approx(plain, rel=0.03)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_image_is_no_breast(level: float) -> None:
    truth = phantom()
    blank = Mammogram(truth.mammogram.header, np.full((1000, 800), level, np.float32))
    with pytest.raises(MeasurementFailed, match="blank"):
        find_breast(blank)


def test_values_that_are_not_finite_are_refused() -> None:
    truth = phantom()
    pixels = truth.mammogram.pixels.copy()
    pixels[500, 200] = np.nan
    with pytest.raises(MeasurementFailed, match="finite"):
        find_breast(Mammogram(truth.mammogram.header, pixels))


@settings(deadline=None, max_examples=40)
@given(
    x=st.floats(0, 799),
    y=st.floats(0, 999),
    spacing_mm=st.sampled_from([0.2, 0.37, 0.8, 2.0]),
    mirrored=st.booleans(),
)
def test_frame_coordinates_go_there_and_back(x: float, y: float, spacing_mm: float, mirrored: bool) -> None:
    image = Mammogram(phantom(rows=100, columns=80).mammogram.header, np.zeros((1000, 800), np.float32))
    frame = resample(image, spacing_mm, mirrored=mirrored, crop_px=(13, 7, 710, 905))
    point = np.array([[x, y]])
    assert frame.to_stored(frame.from_stored(point)) == pytest.approx(point, abs=1e-6)


def _film(*, fog: float = 0.0, step: float = 0.0, label_x: int | None = None) -> tuple[Mammogram, np.ndarray]:
    """A half disc whose last 16 mm are only faintly above fog, between two strips of padding; and its true region."""
    rows, columns = np.mgrid[0:1000, 0:800].astype(np.float64)
    inward_mm = 90 - 0.2 * np.hypot(columns - 100, rows - 500)
    truth = (inward_mm > 0) & (columns >= 100)
    tissue = np.where(inward_mm > 16, 0.55, 0.03 + 0.07 * np.clip(inward_mm, 0, 16) / 16)
    uneven = fog + step * rows / 1000
    noise = np.random.default_rng(7).normal(0, 0.004, rows.shape)
    pixels = np.where(truth, np.maximum(tissue, 0) + uneven, uneven) + noise
    if label_x is not None:
        pixels[430:540, label_x : label_x + 90] = 0.95
    pixels = np.clip(np.round(pixels * 255) / 255, 0, 1)
    pixels[:, :100] = pixels[:, 700:] = 0
    header = replace(phantom().mammogram.header, view=View.CC, laterality=Laterality.LEFT)
    return Mammogram(header, pixels.astype(np.float32)), truth & (columns < 700)


def _overlap(found: SegmentedBreast, truth: np.ndarray) -> float:
    import cv2

    outline = np.round(np.array(found.region.outline)).astype(np.int32)
    mask = cv2.fillPoly(np.zeros(truth.shape, np.uint8), [outline], 1) > 0
    return 2 * float((mask & truth).sum()) / float(mask.sum() + truth.sum())


@pytest.mark.parametrize(("fog", "step"), [(0.0, 0.0), (0.02, 0.0), (0.03, 0.03), (0.1, 0.0)])
def test_faint_skin_above_fog_belongs_to_the_breast(fog: float, step: float) -> None:
    """Without the faint zone the overlap is 0.81."""
    image, truth = _film(fog=fog, step=step)
    assert _overlap(find_breast(image), truth) > 0.97


def test_a_label_that_touches_the_skin_does_not() -> None:
    image, truth = _film(label_x=545)
    found = find_breast(image)
    assert _overlap(found, truth) > 0.96
    assert max(x for x, _ in found.region.outline) < 580


@pytest.mark.parametrize("power", [0.6, 1.5])
def test_a_bent_grey_scale_keeps_the_outline(power: float) -> None:
    image, truth = _film(fog=0.02)
    assert _overlap(find_breast(Mammogram(image.header, image.pixels**power)), truth) > 0.97
