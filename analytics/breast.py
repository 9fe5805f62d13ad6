"""Where the breast is and on which side its chest wall lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from skimage import filters

from reread.analytics.breast_skin import SkinParameters, grow_to_skin
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Frame, Mask, Plane, disc, largest_contour, resample
from reread.analytics.records import BreastRegion, Mammogram

_cross_entropy: Callable[..., float] = filters.threshold_li
"""scikit-image has no types here"""


@dataclass(frozen=True, slots=True)
class BreastParameters:
    """How the breast is told from air, labels, tape and film border."""

    spacing_mm: float = 0.4
    """working pixel distance"""
    opening_mm: float = 3.2
    """radius of the opening that cuts thin bridges to labels and borders"""
    smoothing_mm: float = 1.6
    """standard deviation of the smoothing of the outline"""
    smallest_area_mm2: float = 1500.0
    """less than this is no breast (the smallest breast of mini-MIAS covers about 5000 mm2)"""
    narrow_mm: float = 8.0
    """rows above and below that hold less than this are film edge, not breast"""
    skin_fraction: float = 0.18
    """the safe outline, from which the skin line is looked for, lies this far up from air to tissue; lower, and the fog
    of a film with a lifted dark end counts as breast"""
    smallest_contrast: float = 0.02
    """least difference of breast and background, of the full range"""
    skin: SkinParameters = field(default_factory=SkinParameters)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedBreast:
    """The breast in its frame: chest wall left, cropped to the breast, `mask` of the frame's shape."""

    region: BreastRegion
    frame: Frame
    mask: Mask
    depth_mm: Plane
    """distance to the skin line; the film's edge and the chest wall do not count as skin"""
    crop_px: tuple[int, int, int, int]
    """(left, top, right, bottom) of the breast in stored pixels, after mirroring"""
    surroundings: Frame
    """the whole image in the same orientation and spacing; `frame` is a part of it"""
    offset: tuple[int, int]
    """(left, top) of `frame` in `surroundings`"""


def find_breast(mammogram: Mammogram, parameters: BreastParameters | None = None) -> SegmentedBreast:
    """Segment the breast.

    Minimum cross entropy threshold (Li & Lee 1993, doi 10.1016/0031-3203(93)90115-D) over the exposed film, opening,
    largest component, hole filling and smoothing; then outwards to the skin line (`grow_to_skin`).

    Raises
    ------
    MeasurementFailed
        The image is blank, constant or too small to hold a breast.
    """
    parameters = parameters or BreastParameters()
    frame = resample(mammogram, parameters.spacing_mm)
    if frame.pixels.size * frame.spacing_mm**2 < parameters.smallest_area_mm2 or min(frame.pixels.shape) < 16:
        raise MeasurementFailed("the image is too small to hold a breast")
    if not np.isfinite(frame.pixels).all():
        raise MeasurementFailed("the image holds values that are not finite")
    if float(np.ptp(frame.pixels)) < parameters.smallest_contrast:
        raise MeasurementFailed("the image is blank")
    mask = _foreground(frame, parameters)
    area_mm2 = float(mask.sum()) * frame.spacing_mm**2
    if area_mm2 < parameters.smallest_area_mm2:
        raise MeasurementFailed("no region of the size of a breast stands out from the background")
    on_left = _chest_wall_on_left(mask)
    if not on_left:
        frame = resample(mammogram, parameters.spacing_mm, mirrored=True)
        mask = np.ascontiguousarray(mask[:, ::-1])

    mask = _without_narrow_ends(mask, round(parameters.narrow_mm / frame.spacing_mm))
    if mask.any():
        mask = grow_to_skin(frame.pixels, mask, frame.spacing_mm, parameters.skin)
    area_mm2 = float(mask.sum()) * frame.spacing_mm**2
    if area_mm2 < parameters.smallest_area_mm2:
        raise MeasurementFailed("no region of the size of a breast stands out from the background")

    outline = frame.contour_to_stored(largest_contour(mask))
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    left, right, top, bottom = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    depth_mm = _depth_mm(mask, frame.spacing_mm)
    crop_px = (
        int(left * frame.column_scale),
        int(top * frame.row_scale),
        min(int(np.ceil(right * frame.column_scale)), mammogram.pixels.shape[1]),
        min(int(np.ceil(bottom * frame.row_scale)), mammogram.pixels.shape[0]),
    )
    return SegmentedBreast(
        BreastRegion(outline, area_mm2, on_left),
        frame.crop(left, top, right, bottom),
        np.ascontiguousarray(mask[top:bottom, left:right]),
        np.ascontiguousarray(depth_mm[top:bottom, left:right]),
        crop_px,
        frame,
        (left, top),
    )


def _foreground(frame: Frame, parameters: BreastParameters) -> Mask:
    """Everything brighter than air, the largest piece of it, smoothed."""
    pixels, spacing = cv2.GaussianBlur(frame.pixels, (0, 0), 1.0), frame.spacing_mm
    # padding and collimated border have one constant value; they would pull the threshold down
    exposed = pixels[np.abs(frame.pixels - frame.pixels.min()) > 1e-4]
    if exposed.size < 100:
        raise MeasurementFailed("the image is blank")
    # but where the air itself is that constant (processed digital images), some of it has to stay
    constant = np.full(min(pixels.size - exposed.size, exposed.size // 8), frame.pixels.min(), np.float32)
    levels = np.round(np.concatenate([exposed, constant]) * 1023) / 1023
    if np.ptp(levels) < parameters.smallest_contrast:
        raise MeasurementFailed("the image is blank")
    above = (pixels > _skin_level(levels, parameters)).astype(np.uint8)
    # nothing beyond the film: bright strips along its edges, which tie the breast to labels, are opened away too
    margin = max(2, round(2 * parameters.opening_mm / spacing))
    padded = cv2.copyMakeBorder(above, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    padded = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc(parameters.opening_mm, spacing))
    opened = padded[margin:-margin, margin:-margin]
    opened = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc(parameters.opening_mm, spacing))
    piece = _best_component(opened, pixels)
    contours, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(opened), contours, -1, 1, cv2.FILLED).astype(np.float32)
    smooth = cv2.GaussianBlur(filled, (0, 0), parameters.smoothing_mm / spacing, borderType=cv2.BORDER_REPLICATE)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((smooth > 0.5).astype(np.uint8))
    if count < 2:
        raise MeasurementFailed("nothing stands out from the background")
    keep: Mask = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return keep


def _skin_level(levels: Plane, parameters: BreastParameters) -> float:
    """The level of the skin line: a little above air.

    The minimum cross entropy threshold parts air from tissue, but runs inside the thinning edge of the breast; the
    skin lies where the signal leaves the air's own peak.
    """
    # tape and labels can hold the iteration in a second, higher minimum: start it from below as well
    start = 0.5 * float(levels.mean() + levels.min())
    split = min(_cross_entropy(levels), _cross_entropy(levels, initial_guess=start))
    air = levels[levels < split]
    if air.size < 100:
        return split
    histogram, edges = np.histogram(air, bins=np.linspace(float(levels.min()), split, 65))
    smooth = np.convolve(histogram, (0.25, 0.5, 0.25), mode="same")
    peak = float(edges[int(np.argmax(smooth))] + edges[1] - edges[0]) if air.size else 0.0
    below = air[air <= peak]
    spread = float(np.sqrt(np.mean((below - peak) ** 2))) if below.size else 0.0
    tissue = float(np.median(levels[levels >= split]))
    raised = peak + max(3.0 * spread, parameters.skin_fraction * (tissue - peak))
    return min(raised, split)


def _best_component(opened: Plane, pixels: Plane) -> Mask:
    """The largest component; tape and borders are long, thin and evenly bright, so they lose area."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        raise MeasurementFailed("nothing stands out from the background")
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
    thin = np.minimum(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    long = np.maximum(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    areas[thin * 8 < long] *= 0.1
    best: Mask = labels == 1 + int(np.argmax(areas))
    return best


def _without_narrow_ends(mask: Mask, narrow_px: int) -> Mask:
    """Drop the rows above and below the breast that hold only a strip of film edge."""
    wide = np.flatnonzero(mask.sum(axis=1) >= narrow_px)
    out = np.zeros_like(mask)
    if wide.size:
        out[wide[0] : wide[-1] + 1] = mask[wide[0] : wide[-1] + 1]
    return out


def _chest_wall_on_left(mask: Mask) -> bool:
    """The chest wall is the tall end of the breast, the nipple the short one."""
    heights = mask.sum(axis=0)
    columns = np.flatnonzero(heights)
    first, last = int(columns[0]), int(columns[-1])
    part = max(1, (last - first + 1) // 6)
    return bool(heights[first : first + part].sum() >= heights[last - part + 1 : last + 1].sum())


def _depth_mm(mask: Mask, spacing_mm: float) -> Plane:
    """Distance to the skin line inside the mask; air beyond the film's edges is not air."""
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    solid = mask.copy()
    # behind the chest wall, above and below the film: carry the mask on
    first = int(columns[0])
    front = np.zeros(mask.shape[0], dtype=bool)
    near = slice(first, first + max(2, round(3.0 / spacing_mm)))
    front[:] = mask[:, near].any(axis=1)
    solid[:, : near.stop] |= front[:, None]
    padded = np.pad(solid.astype(np.uint8), 1, mode="edge")
    if rows[0] > 0:
        padded[0] = 0
    if rows[-1] < mask.shape[0] - 1:
        padded[-1] = 0
    padded[:, -1] = 0
    depth: Plane = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] * np.float32(spacing_mm)
    return np.where(mask, depth, np.float32(0)).astype(np.float32)
