"""An enhanced film in 12 bits and the four looks that a viewer offers for it (R0.415, R0.418-R0.421)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Size

LEVELS = 4096


class Contrast(StrEnum):
    """How much detail is raised against its surroundings."""

    HIGH = "HIGH Contrast"
    NORMAL = "NORMAL Contrast"
    LOW = "LOW Contrast"
    NONE = "No Image Processing"


_GAINS = {Contrast.HIGH: 2.2, Contrast.NORMAL: 1.6, Contrast.LOW: 1.25, Contrast.NONE: 1.0}
"""of detail finer than `_DETAIL_MM`; our choice, looked at on digitised films"""
_DETAIL_MM = 2.0
_RANGE = (0.5, 99.8)
"""percentiles of the breast that become the ends of the 12 bits"""


@dataclass(frozen=True, slots=True)
class Look:
    """A VOI LUT: a window between two percentiles of the breast, bent by an exponent."""

    explanation: str
    """LUT Explanation"""
    low_percentile: float
    high_percentile: float
    gamma: float
    """below 1 brighter, above 1 darker"""


LOOKS = (
    Look("NORMAL Tissue", 1.0, 99.5, 1.0),
    Look("DENSE Tissue", 40.0, 99.9, 1.0),
    Look("OVEREXPOSED Image", 0.0, 95.0, 0.7),
    Look("UNDEREXPOSED Image", 1.0, 100.0, 1.8),
)
"""in the order of R0.420; the first is the default one. An overexposed film is too dark, an underexposed one too
light."""


def enhanced(
    pixels: NDArray[np.float32], breast: NDArray[np.bool_], spacing: Size, contrast: Contrast
) -> NDArray[np.uint16]:
    """Stored values 0…4095 of a film: the range of the breast, with its detail raised.

    Parameters
    ----------
    pixels
        0…1, brighter is denser, shape (rows, columns).
    breast
        Same shape; where it is empty, the whole film counts.
    """
    inside = pixels[breast] if breast.any() else pixels.ravel()
    if contrast is Contrast.NONE:
        low, high = 0.0, 1.0
    else:
        low, high = (float(edge) for edge in np.percentile(inside, _RANGE))
    unit = (pixels - np.float32(low)) / np.float32(max(high - low, 1e-4))
    gain = _GAINS[contrast]
    if gain != 1.0:
        base = _smooth(unit, spacing)
        unit = base + np.float32(gain) * (unit - base)
    out: NDArray[np.uint16] = np.round(np.clip(unit, 0, 1) * (LEVELS - 1)).astype(np.uint16)
    return out


def _smooth(unit: NDArray[np.float32], spacing: Size) -> NDArray[np.float32]:
    """Gaussian of `_DETAIL_MM`, on a coarser grid: the same to the eye and a hundred times as fast."""
    rows, columns = unit.shape
    step = _DETAIL_MM / 4
    height = max(2, round(rows * min(1.0, spacing.row_spacing_mm / step)))
    width = max(2, round(columns * min(1.0, spacing.column_spacing_mm / step)))
    coarse = cv2.resize(unit, (width, height), interpolation=cv2.INTER_AREA)
    sigma_y = _DETAIL_MM / (spacing.row_spacing_mm * rows / height)
    sigma_x = _DETAIL_MM / (spacing.column_spacing_mm * columns / width)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def look_table(look: Look, inside: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """4096 entries of 12 bits that never fall (R0.419).

    Parameters
    ----------
    inside
        Stored values of the breast, at least one.

    Raises
    ------
    ValueError
        There is no value.
    """
    if inside.size == 0:
        raise ValueError("a look needs at least one pixel of a breast")
    low, high = np.percentile(inside, (look.low_percentile, look.high_percentile))
    values = np.arange(LEVELS, dtype=np.float64)
    unit = np.clip((values - low) / max(float(high - low), 1.0), 0, 1) ** look.gamma
    table: NDArray[np.uint16] = np.round(unit * (LEVELS - 1)).astype(np.uint16)
    return table


def resampled(stored: NDArray[np.uint16], spacing: Size, output_spacing_mm: float | None) -> NDArray[np.uint16]:
    """Fewer pixels where a coarser spacing is asked for; a finer one would invent what the film does not show."""
    if output_spacing_mm is None:
        return stored
    rows, columns = stored.shape
    height = max(1, round(rows * min(1.0, spacing.row_spacing_mm / output_spacing_mm)))
    width = max(1, round(columns * min(1.0, spacing.column_spacing_mm / output_spacing_mm)))
    if (height, width) == (rows, columns):
        return stored
    return np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_AREA), np.uint16)
