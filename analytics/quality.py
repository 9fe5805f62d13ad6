"""How good one image is: exposure, clipping, sharpness, noise, motion, and breast lost at the borders.

Every number is meant for comparison with the same device's other images; none has a limit here.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Mask, Plane
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import ImageQuality, Mammogram


@dataclass(frozen=True, slots=True)
class QualityParameters:
    """Where and at which scales quality is measured."""

    window_mm: float = 60.0
    """side of the part of the breast that is looked at in full resolution"""
    finest_mm: float = 0.1
    """it is brought to this pixel distance at most"""
    depth_mm: float = 8.0
    """distance from skin line and muscle"""
    fat_quantile: float = 0.3
    """the darker part of the breast, where noise is measured"""
    fine_mm: tuple[float, float] = (0.2, 0.4)
    """standard deviations between which detail is fine"""
    coarse_mm: tuple[float, float] = (0.8, 1.6)
    """standard deviations between which detail is coarse"""


def measure_quality(
    mammogram: Mammogram,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: QualityParameters | None = None,
) -> ImageQuality | None:
    """Measure the quality of one image; None where too little breast lies deep enough under the skin."""
    parameters = parameters or QualityParameters()
    frame = breast.frame
    muscle = np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    region = breast.mask & ~muscle
    margin = max(1, round(parameters.depth_mm / frame.spacing_mm))
    away = cv2.distanceTransform((~muscle).astype(np.uint8), cv2.DIST_L2, 3) > margin
    core: Mask = region & (breast.depth_mm > parameters.depth_mm) & away
    if float(core.sum()) * frame.spacing_mm**2 < 300.0:
        return None
    dark, bright = _clipped(mammogram, breast, region)
    sharpness, noise, motion = _detail(mammogram, breast, core, parameters)
    front, above, below = _cut(breast)
    known = mammogram.header.spacing_known
    return ImageQuality(
        mean_level=round(float(frame.pixels[region].mean()), 5),
        clipped_dark=round(dark, 5),
        clipped_bright=round(bright, 5),
        sharpness=round(sharpness, 5),
        noise=round(noise, 5),
        motion=round(motion, 4),
        cut_front_mm=round(front, 1) if known else None,
        cut_above_mm=round(above, 1) if known else None,
        cut_below_mm=round(below, 1) if known else None,
    )


def _clipped(mammogram: Mammogram, breast: SegmentedBreast, region: Mask) -> tuple[float, float]:
    """Shares of the breast, in stored pixels, at its lowest and at its highest value."""
    rows, columns = region.shape
    frame = breast.frame
    # every third stored pixel, with the pixel of the mask that it lies in
    ys = np.arange(0, int(rows * frame.row_scale), 3)
    xs = np.arange(0, int(columns * frame.column_scale), 3)
    row = np.minimum((ys / frame.row_scale).astype(np.intp), rows - 1)
    column = np.minimum((xs / frame.column_scale).astype(np.intp), columns - 1)
    y = np.clip(ys + round(frame.origin[1]), 0, mammogram.pixels.shape[0] - 1)
    x = np.clip(xs + round(frame.origin[0]), 0, mammogram.pixels.shape[1] - 1)
    if frame.mirrored:
        x = mammogram.pixels.shape[1] - 1 - x
    values = mammogram.pixels[np.ix_(y, x)][region[np.ix_(row, column)]]
    return float((values <= values.min() + 1e-6).mean()), float((values >= values.max() - 1e-6).mean())


def _detail(
    mammogram: Mammogram, breast: SegmentedBreast, core: Mask, parameters: QualityParameters
) -> tuple[float, float, float]:
    """Sharpness, noise and motion in a window round the middle of the breast."""
    frame = breast.frame
    ys, xs = np.nonzero(core)
    half = parameters.window_mm / 2 / frame.spacing_mm
    centre_y, centre_x = float(np.median(ys)), float(np.median(xs))
    top, bottom = int(max(0, centre_y - half)), int(min(core.shape[0], centre_y + half + 1))
    left, right = int(max(0, centre_x - half)), int(min(core.shape[1], centre_x + half + 1))
    first_y = max(0, round(frame.origin[1] + top * frame.row_scale))
    first_x = max(0, round(frame.origin[0] + left * frame.column_scale))
    last_y = round(frame.origin[1] + bottom * frame.row_scale)
    last_x = round(frame.origin[0] + right * frame.column_scale)
    if frame.mirrored:
        first_x, last_x = mammogram.pixels.shape[1] - last_x, mammogram.pixels.shape[1] - first_x
    part: Plane = mammogram.pixels[first_y:last_y, max(0, first_x) : last_x]
    if frame.mirrored:
        part = cv2.flip(part, 1)
    size = mammogram.header.spacing
    spacing = max(parameters.finest_mm, size.mean_mm)
    shape = (max(8, round(part.shape[1] * size.column_spacing_mm / spacing)),
             max(8, round(part.shape[0] * size.row_spacing_mm / spacing)))  # fmt: skip
    if shape != (part.shape[1], part.shape[0]):
        part = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(
        core[top:bottom, left:right].astype(np.uint8), (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST
    )
    inside_mask = inside > 0
    spread = max(float(frame.pixels[core].std()), 1e-6)

    def smooth(sigma_mm: float) -> Plane:
        out: Plane = cv2.GaussianBlur(part, (0, 0), max(sigma_mm / spacing, 0.3), borderType=cv2.BORDER_REFLECT)
        return out

    fine = smooth(parameters.fine_mm[0]) - smooth(parameters.fine_mm[1])
    coarse = smooth(parameters.coarse_mm[0]) - smooth(parameters.coarse_mm[1])
    sharpness = float(fine[inside_mask].std()) / max(float(coarse[inside_mask].std()), 1e-9)
    level = smooth(1.0)
    fat = inside_mask & (level <= np.quantile(level[inside_mask], parameters.fat_quantile))
    finest = (part - cv2.GaussianBlur(part, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT))[fat]
    noise = 1.4826 * float(np.median(np.abs(finest - np.median(finest)))) / spread
    return sharpness, noise, _motion(fine, coarse, inside_mask)


_DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))


def _motion(fine: Plane, coarse: Plane, inside: Mask) -> float:
    """Lack of fine detail along one direction against another, each judged by the coarse detail of that direction.

    Motion during the exposure blurs along its path; what the breast itself has of direction is in both scales.
    """
    shares = []
    for x, y in _DIRECTIONS:
        energies = []
        for plane in (fine, coarse):
            step = plane - np.roll(plane, (y, x), axis=(0, 1))
            energies.append(float(np.mean(np.square(step[inside]))) / (x * x + y * y))
        shares.append(np.sqrt(energies[0] / max(energies[1], 1e-12)))
    return float(1 - min(shares) / max(*shares, 1e-9))


def _cut(breast: SegmentedBreast) -> tuple[float, float, float]:
    """Millimetres of breast at the border opposite the chest wall, at the upper and at the lower border."""
    (left, top), spacing = breast.offset, breast.frame.spacing_mm
    rows, columns = breast.surroundings.pixels.shape
    high, wide = breast.mask.shape
    front = float(breast.mask[:, -1].sum()) if left + wide >= columns else 0.0
    above = float(breast.mask[0].sum()) if top <= 0 else 0.0
    below = float(breast.mask[-1].sum()) if top + high >= rows else 0.0
    return front * spacing, above * spacing, below * spacing
