"""Line-like structure: where it is, which way it runs, and whether it runs towards a place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Mask, Plane
from reread.analytics.pectoral import SegmentedPectoral


@dataclass(frozen=True, slots=True)
class LineParameters:
    """Widths of the lines, and the neighbourhood in which they are counted; millimetres."""

    widths_mm: tuple[float, ...] = (0.6, 1.0, 1.6)
    """standard deviations of the second derivatives"""
    skin_mm: float = 3.0
    """lines nearer to the skin are left out"""
    muscle_edge_mm: float = 1.2
    """lines nearer to the edge of the muscle are left out"""
    target_mm: float = 3.0
    """a line runs towards a place when it points into a disc of this radius around it"""
    inner_mm: float = 4.0
    """lines are counted from here …"""
    outer_mm: float = 14.0
    """… to here, from the edge of the target"""


@dataclass(frozen=True, slots=True, eq=False)
class LineMap:
    """Lines of one breast, in the pixels of its frame."""

    angle: Plane
    """direction along the line, radians"""
    present: Mask
    """whether a bright line runs here: stronger than half of the breast"""
    spacing_mm: float


def line_map(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: LineParameters | None = None
) -> LineMap:
    """Find bright lines by second derivatives of a Gaussian at three widths (Karssemeijer & te Brake 1996,
    doi 10.1109/42.538938).
    """
    parameters = parameters or LineParameters()
    spacing = breast.frame.spacing_mm
    strength = np.zeros_like(breast.frame.pixels)
    angle = np.zeros_like(strength)
    for width_mm in parameters.widths_mm:
        sigma = max(0.7, width_mm / spacing)
        smooth = cv2.GaussianBlur(breast.frame.pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, scale=0.25, borderType=cv2.BORDER_REFLECT)
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, scale=0.25, borderType=cv2.BORDER_REFLECT)
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, scale=0.25, borderType=cv2.BORDER_REFLECT)
        half = cv2.magnitude((xx - yy) * 0.5, xy)
        # the line runs where the curvature is least downwards; its strength is the curvature across
        across = (half - (xx + yy) * 0.5) * np.float32(sigma**2)
        better = across > strength
        strength[better] = across[better]
        angle[better] = 0.5 * np.arctan2(2 * xy[better], (xx - yy)[better])
    counted: Mask = breast.mask & (breast.depth_mm > parameters.skin_mm)
    if pectoral is not None:
        width = 2 * max(1, round(parameters.muscle_edge_mm / spacing)) + 1
        edge = cv2.morphologyEx(pectoral.mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((width, width), np.uint8))
        counted = counted & (edge == 0)
    typical = float(np.median(strength[counted])) if counted.any() else 0.0
    return LineMap(angle, counted & (strength > typical), spacing)


def running_towards(
    lines: LineMap, x: float, y: float, radius_mm: float, parameters: LineParameters | None = None
) -> tuple[float, float]:
    """How much of the lines around a place runs towards it.

    Parameters
    ----------
    x, y
        The place, in pixels of the frame.
    radius_mm
        Radius of the finding: lines are counted outside of it.

    Returns
    -------
    Share of the lines that point at the place beyond the share that would by chance, 0…1; and the same excess in
    standard deviations of chance (statistic f1 of Karssemeijer & te Brake 1996).
    """
    parameters = parameters or LineParameters()
    spacing = lines.spacing_mm
    inner = max(parameters.inner_mm, 0.8 * radius_mm)
    outer = inner + parameters.outer_mm - parameters.inner_mm
    reach = int(np.ceil(outer / spacing))
    column, row = round(x), round(y)
    rows, columns = lines.angle.shape
    top, bottom = max(0, row - reach), min(rows, row + reach + 1)
    left, right = max(0, column - reach), min(columns, column + reach + 1)
    if top >= bottom or left >= right:
        return 0.0, 0.0
    dy, dx = np.mgrid[top - row : bottom - row, left - column : right - column].astype(np.float32) * np.float32(spacing)
    away = np.hypot(dx, dy)
    here = lines.present[top:bottom, left:right] & (away >= inner) & (away <= outer)
    count = int(here.sum())
    if count < 20:
        return 0.0, 0.0
    target = max(parameters.target_mm, 0.5 * radius_mm)
    half_width = np.arcsin(np.minimum(target / away[here], 1.0))
    off = np.abs((lines.angle[top:bottom, left:right][here] - np.arctan2(dy, dx)[here] + np.pi / 2) % np.pi - np.pi / 2)
    chance = np.minimum(2 * half_width / np.pi, 1.0)
    expected, spread = float(chance.sum()), float(np.sqrt((chance * (1 - chance)).sum()))
    excess = float((off <= half_width).sum()) - expected
    return max(0.0, excess / max(count - expected, 1.0)), excess / max(spread, 1.0)
