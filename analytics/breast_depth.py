"""How deep under the skin a place lies, also where the outline runs along the border of the film."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane


@dataclass(frozen=True, slots=True)
class DepthParameters:
    """How a breast that fades at the border of the film is told from one that is cut off there."""

    near_mm: float = 2.0
    """an outline this near to the border may lie beyond it"""
    border_mm: float = 6.0
    """the median over this width is the brightness at the border"""
    fading_from_mm: float = 4.0
    """what is dimmer than the median of the zone from here …"""
    fading_to_mm: float = 6.0
    """… to here under the skin is fading too"""
    away_mm: float = 10.0
    """that zone is looked at this far from the upper and lower border"""
    smoothing_mm: float = 2.0
    """standard deviation of the smoothing along the border"""
    wall_mm: float = 3.0
    """at the chest wall the breast goes on; this is how much of it is looked at"""


def fading_depth_mm(breast: SegmentedBreast, parameters: DepthParameters | None = None) -> Plane:
    """Distance to the skin line in the frame of the breast, shape of `breast.mask`; 0 outside.

    The outline of a breast that ends close to the lower border of the film may touch that border or not, by a pixel.
    Whether the breast goes on beyond is therefore not asked of the outline but of the brightness: where the border is
    dimmer than the zone 4 to 6 mm under the skin elsewhere, the breast fades out, and the border is skin. Orders of
    brightness alone are compared, so no bend of the grey scale changes the answer.
    """
    parameters = parameters or DepthParameters()
    whole, (left, top) = breast.surroundings, breast.offset
    rows, columns = breast.mask.shape
    mask: Mask = np.zeros(whole.pixels.shape, bool)
    mask[top : top + rows, left : left + columns] = breast.mask
    runs_on = _runs_on(whole, mask, breast, parameters)
    near = min(max(1, round(parameters.near_mm / whole.spacing_mm)), mask.shape[0] // 2)
    solid = mask.copy()
    solid[:near] |= runs_on[0]
    solid[mask.shape[0] - near :] |= runs_on[1]
    wall = slice(left, left + max(2, round(parameters.wall_mm / whole.spacing_mm)))
    solid[:, : wall.stop] |= np.any(solid[:, wall], axis=1, keepdims=True)
    padded = np.pad(solid.astype(np.uint8), 1, mode="edge")
    for row, runs in zip((0, -1), runs_on, strict=True):
        runs = runs.copy()
        runs[: wall.stop] |= runs[wall].any()
        padded[row] = np.pad(runs, 1, mode="edge")
    padded[:, -1] = 0
    depth: Plane = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] * np.float32(whole.spacing_mm)
    own = depth[top : top + rows, left : left + columns]
    return np.where(breast.mask, own, np.float32(0)).astype(np.float32)


def _runs_on(
    whole: Frame, mask: Mask, breast: SegmentedBreast, parameters: DepthParameters
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each column, whether the breast goes on beyond the upper and beyond the lower border."""
    spacing_mm, (left, top) = whole.spacing_mm, breast.offset
    rows, columns = breast.mask.shape
    depth_mm = np.zeros(mask.shape, np.float32)
    depth_mm[top : top + rows, left : left + columns] = breast.depth_mm
    zone: Mask = (depth_mm > parameters.fading_from_mm) & (depth_mm < parameters.fading_to_mm)
    away = round(parameters.away_mm / spacing_mm)
    values = whole.pixels[away : mask.shape[0] - away][zone[away : mask.shape[0] - away]]
    least = float(np.median(values)) if values.size else -np.inf
    near = min(max(1, round(parameters.near_mm / spacing_mm)), mask.shape[0] - 1)
    width = max(1, round(parameters.border_mm / spacing_mm))
    found = []
    for picture, shape in ((whole.pixels, mask), (whole.pixels[::-1], mask[::-1])):
        level = np.median(picture[:width], axis=0).astype(np.float32)[None]
        level = cv2.GaussianBlur(level, (0, 0), parameters.smoothing_mm / spacing_mm)[0]
        runs: NDArray[np.bool_] = shape[near] & (level > least)
        found.append(runs)
    return found[0], found[1]
