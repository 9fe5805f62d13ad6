"""From a mammogram to the input of a site's own model, and the grid that leads back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Frame, resample
from reread.analytics.records import Mammogram

Tensor = NDArray[np.float32]


class Orientation(StrEnum):
    """Which way round a model wants its images."""

    CHEST_WALL_LEFT = "chest-wall-left"
    """mirrored where needed"""
    AS_STORED = "as-stored"


class WindowOf(StrEnum):
    """What the two bounds of the window are."""

    STORED = "stored"
    """pixel values, 0…1 over the stored range"""
    BREAST = "breast"
    """quantiles, 0…1, of the pixels of the breast: independent of device and exposure"""


@dataclass(frozen=True, slots=True)
class InputPreparation:
    """What a model's input tensor is: (1, channels, rows, columns), float32."""

    rows: int
    columns: int
    spacing_mm: float = 0.0
    """distance of the input's pixels; 0: the whole image is fitted into rows x columns, sides in proportion"""
    channels: int = 1
    """each holds the same picture"""
    orientation: Orientation = Orientation.CHEST_WALL_LEFT
    window_of: WindowOf = WindowOf.STORED
    window: tuple[float, float] = (0.0, 1.0)
    """what becomes the lower and the upper bound of `scaled_to`; values beyond are cut"""
    scaled_to: tuple[float, float] = (0.0, 1.0)
    """values of the tensor; what lies outside the image gets the first"""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedInput:
    """The tensor, and the grid that it was made on."""

    tensor: Tensor
    """(1, channels, rows, columns)"""
    grid: Frame
    """`to_stored` leads from its pixels to those of the stored image"""


def prepare_input(mammogram: Mammogram, breast: SegmentedBreast, preparation: InputPreparation) -> PreparedInput:
    """Average or interpolate an image onto the model's grid, brighter meaning denser.

    With a spacing, the breast's chest wall edge lies on the edge of the grid and its middle on the grid's middle row.

    Raises
    ------
    MeasurementFailed
        The breast does not fit the grid, or has one value only; a cut breast would be measured wrongly.
    """
    grid = _empty_grid(mammogram, breast, preparation)
    source = resample(mammogram, grid.spacing_mm, mirrored=grid.mirrored)
    low, high = _window(breast, preparation)
    first, last = preparation.scaled_to
    plane = np.clip((grid.plane_from(source, source.pixels) - low) / (high - low), 0.0, 1.0) * (last - first) + first
    plane[~_on_image(grid, mammogram.pixels.shape)] = first
    plane = np.asarray(plane, np.float32)
    shape = (1, preparation.channels, *plane.shape)
    return PreparedInput(np.ascontiguousarray(np.broadcast_to(plane, shape)), replace(grid, pixels=plane))


def _empty_grid(mammogram: Mammogram, breast: SegmentedBreast, preparation: InputPreparation) -> Frame:
    size, (rows, columns) = mammogram.header.spacing, mammogram.pixels.shape
    on_left = breast.region.chest_wall_on_left
    mirrored = preparation.orientation is Orientation.CHEST_WALL_LEFT and not on_left
    if preparation.spacing_mm > 0:
        spacing_mm = preparation.spacing_mm
        column_scale, row_scale = spacing_mm / size.column_spacing_mm, spacing_mm / size.row_spacing_mm
        left, top, right, bottom = breast.crop_px  # chest wall on the left
        _check_fit((bottom - top) / row_scale, preparation.rows, "high", spacing_mm)
        _check_fit((right - left) / column_scale, preparation.columns, "wide", spacing_mm)
        x = left if on_left or mirrored else columns - left - preparation.columns * column_scale
        y = (top + bottom - preparation.rows * row_scale) / 2
    else:
        spacing_mm = max(
            rows * size.row_spacing_mm / preparation.rows, columns * size.column_spacing_mm / preparation.columns
        )
        column_scale, row_scale, x, y = spacing_mm / size.column_spacing_mm, spacing_mm / size.row_spacing_mm, 0, 0
    empty = np.zeros((preparation.rows, preparation.columns), np.float32)
    return Frame(empty, spacing_mm, column_scale, row_scale, (float(x), float(y)), mirrored, columns)


def _check_fit(needed: float, there: int, word: str, spacing_mm: float) -> None:
    if needed > there + 0.5:
        raise MeasurementFailed(
            f"the breast is {needed * spacing_mm:.0f} mm {word}, the model's input {there * spacing_mm:.0f} mm"
        )


def _window(breast: SegmentedBreast, preparation: InputPreparation) -> tuple[float, float]:
    low, high = preparation.window
    if preparation.window_of is WindowOf.BREAST:
        low, high = (float(value) for value in np.quantile(breast.frame.pixels[breast.mask], (low, high)))
    if high - low < 1e-6:
        raise MeasurementFailed("the breast has one value only; no window can be set")
    return low, high


def _on_image(grid: Frame, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels of the grid have their centre on the image."""
    high, wide = grid.pixels.shape
    x = (np.arange(wide) + 0.5) * grid.column_scale + grid.origin[0]
    y = (np.arange(high) + 0.5) * grid.row_scale + grid.origin[1]
    inside: NDArray[np.bool_] = ((y >= 0) & (y <= shape[0]))[:, None] & ((x >= 0) & (x <= shape[1]))[None, :]
    return inside
