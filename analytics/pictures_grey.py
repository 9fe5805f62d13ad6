"""The windowed picture of a mammogram: 8 bits, square pixels, hung as radiologists hang it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_overlay import Projection, hung
from reread.analytics.records import ImageResult, Mammogram

Grey = NDArray[np.uint8]
"""shape (rows, columns)"""

GREY_HEIGHT_PX = 1150
"""height of a view on the sheet"""
_BLACK, _WHITE = 0.0, 250.0
_LEVELS = 4096
_CURVE = np.rint(_BLACK + (_WHITE - _BLACK) * np.linspace(0, 1, _LEVELS) ** 1.15).astype(np.uint8)
_SHARPER = 0.5
_FLATTER = 0.7
"""part of the slow slope of a raw image that is taken off: its thickness hides its structure"""
_SLOPE = 0.05
"""standard deviation of what is slow, as a part of the height"""
_SURROUNDINGS = 80
"""film edges and letters shine no brighter than this beside the breast"""


def render_grey(mammogram: Mammogram, result: ImageResult, *, height_px: int = GREY_HEIGHT_PX) -> Grey:
    """Window one image between the dark and the bright end of its own breast.

    A right breast is shown with its chest wall on the right, a left one with its chest wall on the left.

    Returns
    -------
    Shape (`height_px`, width), pixels square in millimetres.
    """
    projection = hung(result, height_px)
    size = (projection.width_px, projection.height_px)
    finer = height_px >= mammogram.header.rows
    how = cv2.INTER_LINEAR if finer else cv2.INTER_AREA
    plane: NDArray[np.float32] = np.asarray(cv2.resize(mammogram.pixels, size, interpolation=how), np.float32)
    if projection.mirrored:
        plane = np.ascontiguousarray(plane[:, ::-1])
    if not finer:
        # averaging takes the edge off calcifications; give some of it back
        softer = cv2.GaussianBlur(plane, (0, 0), 1.0)
        plane = np.asarray(cv2.addWeighted(plane, 1 + _SHARPER, softer, -_SHARPER, 0), np.float32)
    inside = _breast(plane, result, projection)
    if mammogram.header.for_processing:
        plane = _flattened(plane, inside)
    low, high = _window(plane, inside, result, projection, raw=mammogram.header.for_processing)
    scale = np.float32((_LEVELS - 1) / max(high - low, 1e-4))
    levels = np.clip((plane - low) * scale, 0, _LEVELS - 1).astype(np.uint16)
    grey: Grey = _CURVE[levels]
    if inside.any():
        reach = 2 * max(1, height_px // 100) + 1
        outside = cv2.dilate(inside, np.ones((reach, reach), np.uint8)) == 0
        grey[outside] = np.minimum(grey[outside], _SURROUNDINGS)
    return grey


def _breast(plane: NDArray[np.float32], result: ImageResult, projection: Projection) -> Grey:
    """255 in the breast, muscle included; 0 everywhere where none was found."""
    inside = np.zeros(plane.shape, np.uint8)
    if result.breast is not None and len(result.breast.outline) >= 3:
        _fill(inside, projection.contour(result.breast.outline), 255)
    return inside


def _flattened(plane: NDArray[np.float32], inside: Grey) -> NDArray[np.float32]:
    """Without most of the slow slope within the breast."""
    if not inside.any():
        return plane
    weight = (inside > 0).astype(np.float32)
    sigma = _SLOPE * plane.shape[0]
    # blurred at a sixteenth of the size: nothing of it is finer
    small = (max(1, plane.shape[1] // 16), max(1, plane.shape[0] // 16))
    parts = (
        cv2.GaussianBlur(cv2.resize(part, small, interpolation=cv2.INTER_AREA), (0, 0), sigma / 16)
        for part in (plane * weight, weight)
    )
    slope, share = (cv2.resize(part, plane.shape[::-1], interpolation=cv2.INTER_LINEAR) for part in parts)
    slope = slope / np.maximum(share, np.float32(1e-3))
    level = np.float32(slope[inside > 0].mean())
    return np.where(inside > 0, plane - np.float32(_FLATTER) * (slope - level), plane).astype(np.float32)


def _window(
    plane: NDArray[np.float32], inside: Grey, result: ImageResult, projection: Projection, *, raw: bool
) -> tuple[float, float]:
    """Between percentiles of the breast without muscle; of the whole image where none was found."""
    seen = inside.copy()
    if result.pectoral is not None and seen.any():
        _fill(seen, projection.contour(result.pectoral.outline), 0)
    if not seen.any():
        seen[:] = 255
    low, high = (float(edge) for edge in np.percentile(plane[seen > 0], (12.0 if raw else 1.0, 99.8)))
    if raw:  # the flattened breast, without the fall of its border
        return low - 0.3 * (high - low), high + 0.05 * (high - low)
    # air stays black, fat at the skin is still seen
    air = float(np.percentile(plane[seen == 0], 25)) if (seen == 0).any() else low
    return low - 0.25 * max(low - air, 0.0), high + 0.02 * (high - low)


def _fill(mask: Grey, contour: tuple[tuple[float, float], ...], value: int) -> None:
    cv2.fillPoly(mask, [np.round(np.array(contour) - 0.5).astype(np.int32)], value)
