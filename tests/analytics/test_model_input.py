"""The input of an own model: where a point comes to lie, what a value becomes, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.model_input import InputPreparation, Orientation, WindowOf, prepare_input
from reread.analytics.records import Laterality, Mammogram, Size, View


def image_with_spot(x_px: int, y_px: int, *, on_left: bool, oblong: bool) -> Mammogram:
    """A half disc of 0.4 with a spot of 1 of 5 x 5 pixels; pixels of 0.5 mm, or of 0.5 x 0.25 mm."""
    down = 2 if oblong else 1
    y, x = np.mgrid[: 300 * down, :200]
    pixels = np.where((y / down - 150) ** 2 + x**2 < 120**2, 0.4, 0.0).astype(np.float32)
    pixels += np.random.default_rng(1).normal(0, 0.005, pixels.shape).astype(np.float32)
    pixels[(y_px - 2) * down : (y_px + 3) * down, x_px - 2 : x_px + 3] = 1.0
    pixels = np.clip(pixels if on_left else pixels[:, ::-1], 0, 1)
    header = replace(
        phantom(View.CC, Laterality.LEFT, rows=200, columns=160, spacing_mm=1.0).mammogram.header,
        rows=pixels.shape[0],
        columns=200,
        spacing=Size(0.5 / down, 0.5),
    )
    return Mammogram(header, np.ascontiguousarray(pixels))


@given(
    x=st.integers(10, 60),
    y=st.integers(110, 190),
    on_left=st.booleans(),
    oblong=st.booleans(),
    orientation=st.sampled_from(Orientation),
    spacing_mm=st.sampled_from([0.0, 0.4, 0.5, 0.73, 1.0]),
)
@settings(max_examples=25, deadline=None)
def test_a_point_keeps_its_place_in_mm(x, y, on_left, oblong, orientation, spacing_mm):
    mammogram = image_with_spot(x, y, on_left=on_left, oblong=oblong)
    breast = find_breast(mammogram)
    assert breast.region.chest_wall_on_left is on_left
    preparation = InputPreparation(380, 340, spacing_mm, orientation=orientation)
    prepared = prepare_input(mammogram, breast, preparation)
    plane = prepared.tensor[0, 0]
    rows, columns = np.nonzero(plane > 0.9)
    weight = plane[rows, columns]
    centre = np.array([[np.average(columns, weights=weight), np.average(rows, weights=weight)]])
    (found,) = prepared.grid.to_stored(centre)
    down = 2 if oblong else 1
    true = np.array([x if on_left else 199 - x, (y + 0.5) * down - 0.5])
    away_mm = np.hypot(*((found - true) * np.array([0.5, 0.5 / down])))
    assert away_mm < 0.35
    # and back: the stored place is where the tensor shows it
    assert np.allclose(prepared.grid.from_stored(found[None]), centre)


@pytest.mark.parametrize("on_left", [True, False])
def test_the_chest_wall_comes_to_lie_on_the_left(on_left):
    mammogram = image_with_spot(30, 150, on_left=on_left, oblong=False)
    plane = prepare_input(mammogram, find_breast(mammogram), InputPreparation(320, 220, 0.5)).tensor[0, 0]
    assert plane[:, :20].mean() > 5 * plane[:, -60:].mean()
    stored = InputPreparation(320, 220, 0.5, orientation=Orientation.AS_STORED)
    kept = prepare_input(mammogram, find_breast(mammogram), stored).tensor[0, 0]
    assert bool(kept[:, :20].mean() > kept[:, -20:].mean()) is on_left


def test_both_sides_give_the_same_tensor():
    one, other = (image_with_spot(30, 150, on_left=side, oblong=False) for side in (True, False))
    preparation = InputPreparation(320, 220, 0.5)
    tensors = [prepare_input(image, find_breast(image), preparation).tensor for image in (one, other)]
    assert np.allclose(*tensors, atol=1e-6)


def test_values_channels_and_padding():
    mammogram = image_with_spot(30, 150, on_left=True, oblong=False)
    breast = find_breast(mammogram)
    preparation = InputPreparation(400, 300, 0.5, channels=3, window=(0.2, 0.6), scaled_to=(-1.0, 1.0))
    tensor = prepare_input(mammogram, breast, preparation).tensor
    assert tensor.shape == (1, 3, 400, 300)
    assert tensor.dtype == np.float32
    assert np.array_equal(tensor[0, 0], tensor[0, 2])
    assert (tensor.min(), tensor.max()) == (-1.0, 1.0)
    assert abs(float(np.median(tensor[0, 0][190:210, 50:100]))) < 0.02  # 0.4, in the middle of the window
    assert (tensor[0, :, :, 205:] == -1.0).all()  # beyond the image


def test_a_window_of_quantiles_does_not_depend_on_exposure():
    mammogram = image_with_spot(30, 150, on_left=True, oblong=False)
    darker = Mammogram(mammogram.header, mammogram.pixels * np.float32(0.5))
    preparation = InputPreparation(320, 220, 0.5, window_of=WindowOf.BREAST, window=(0.05, 0.95))
    one, other = (prepare_input(image, find_breast(image), preparation).tensor for image in (mammogram, darker))
    assert np.abs(one - other).mean() < 0.01


def test_a_breast_that_does_not_fit_is_refused():
    mammogram = image_with_spot(30, 150, on_left=True, oblong=False)
    with pytest.raises(MeasurementFailed, match=r"the breast is 1\d\d mm high, the model's input 50 mm"):
        prepare_input(mammogram, find_breast(mammogram), InputPreparation(100, 220, 0.5))
