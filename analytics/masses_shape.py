"""The shape of a mass candidate: outline, long axis, edge, contrast, spiculation and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.frame import Frame, Mask, Plane, largest_contour
from reread.analytics.lines import LineMap, LineParameters, running_towards
from reread.analytics.masses_maps import MassMaps
from reread.analytics.records import Nipple, Shape, Size

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What every finding of one image is measured against."""

    nipple: Nipple | None
    spacing: Size
    muscle: Mask
    """muscle in the frame that findings are measured in"""
    brightness_range: float
    """from fat to the brightest tissue"""


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """An outline in the frame, (n, 2), its inner region and the level that cuts it."""

    contour: Points
    inner_level: float
    outer_level: float


def brightness_range(plane: Plane, core: Mask) -> float:
    """From the 20th to the 99.5th percentile of the tissue."""
    if not core.any():
        return 1.0
    low, high = np.quantile(plane[core], (0.2, 0.995))
    return max(float(high - low), 1e-4)


def outline(maps: MassMaps, x: int, y: int, radius_mm: float) -> Outlined:
    """The region around the centre above half of its contrast (isodensity contour), kept within 1.5 radii."""
    spacing = maps.frame.spacing_mm
    radius = radius_mm / spacing
    reach = int(np.ceil(1.5 * radius))
    top, left = max(0, y - reach), max(0, x - reach)
    part = cv2.GaussianBlur(maps.flat[top : y + reach + 1, left : x + reach + 1], (0, 0), 1.0)
    rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    away = np.hypot(columns - (x - left), rows - (y - top))
    inner = float(part[away <= max(1.0, 0.4 * radius)].mean())
    within = maps.inside[top : y + reach + 1, left : x + reach + 1]
    ring = part[(away > 1.1 * radius) & (away <= 1.5 * radius) & within]
    outer = float(ring.mean()) if ring.size else inner
    region = ((part >= 0.5 * (inner + outer)) & (away <= 1.5 * radius)) | (away <= 0.5 * radius)
    region = cv2.morphologyEx((region & within).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(region)
    label = labels[y - top, x - left]
    contour = largest_contour(labels == label if label else away <= 0.7 * radius, 0.4)
    if len(contour) < 3:
        contour = largest_contour(away <= max(2.0, 0.7 * radius), 0.4)
    return Outlined(contour + np.array([left, top]), inner, outer)


def long_axis(contour: Points) -> tuple[Points, float]:
    """The two vertices farthest apart, (2, 2), and their distance in pixels of the frame."""
    hull = cv2.convexHull(contour.astype(np.float32))[:, 0, :].astype(np.float64)
    apart = np.hypot(*(hull[:, None, :] - hull[None, :, :]).transpose(2, 0, 1))
    first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return hull[[first, second]], float(apart[first, second])


def short_axis(contour: Points, ends: Points) -> tuple[Points, float]:
    """The widest chord of the convex hull square to the long axis, (2, 2), and its length in pixels of the frame.

    The second diameter of the bidimensional measurement (WHO 1979; RECIST for nodes, doi 10.1016/j.ejca.2008.10.026).
    """
    origin, along = ends[0], ends[1] - ends[0]
    length = float(np.hypot(*along))
    if length == 0:
        return np.array([origin, origin]), 0.0
    along = along / length
    across = np.array([-along[1], along[0]])
    hull = cv2.convexHull(contour.astype(np.float32))[:, 0, :].astype(np.float64) - origin
    s, t = hull @ along, hull @ across
    # the widest chord of a convex polygon goes through a corner; both sides run from end to end of the long axis
    upper, lower = (
        np.interp(s, *np.array(sorted([(0.0, 0.0), *zip(s[side], t[side], strict=True), (length, 0.0)])).T)
        for side in (t > 0, t < 0)
    )
    widest = int(np.argmax(upper - lower))
    chord = origin + s[widest] * along + np.array([upper[widest], lower[widest]])[:, None] * across
    return chord, float(upper[widest] - lower[widest])


def margin_mm(plane: Plane, contour: Points, levels: tuple[float, float], spacing_mm: float) -> float:
    """Distance over which brightness falls from 75 to 25 % of the contrast, across the outline."""
    inner, outer = levels
    if inner <= outer:
        return float("inf")
    centre = contour.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = 2.0 * float(np.hypot(*(contour - centre).T).max()) + 4.0
    steps = np.arange(0.0, reach, 0.5)
    xs = (centre[0] + np.cos(angles)[:, None] * steps).astype(np.float32)
    ys = (centre[1] + np.sin(angles)[:, None] * steps).astype(np.float32)
    rays = (cv2.remap(plane, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) - outer) / (inner - outer)
    # the first fall below a level counts: what comes behind is other tissue
    high = np.where((rays < 0.75).any(axis=1), (rays < 0.75).argmax(axis=1), len(steps))
    low = np.where((rays < 0.25).any(axis=1), (rays < 0.25).argmax(axis=1), len(steps))
    return float(np.median(low - high)) * 0.5 * spacing_mm


def place(
    stored: tuple[float, float], frame: Frame, at: tuple[float, float], around: Surroundings
) -> tuple[float | None, float]:
    """Distances (mm) to the nipple, None without one, and to the muscle's edge, else to the chest wall's edge."""
    nipple_mm = None
    if around.nipple is not None:
        nipple_mm = float(
            np.hypot(
                (stored[0] - around.nipple.x_px) * around.spacing.column_spacing_mm,
                (stored[1] - around.nipple.y_px) * around.spacing.row_spacing_mm,
            )
        )
    rows, columns = np.nonzero(around.muscle)
    if rows.size:
        wall_mm = float(np.hypot(columns - at[0], rows - at[1]).min()) * frame.spacing_mm
    else:
        wall_mm = max(0.0, at[0]) * frame.spacing_mm
    return nipple_mm, wall_mm


def shape_of(
    maps: MassMaps,
    lines: LineMap,
    outlined: Outlined,
    at: tuple[int, int],
    radius_mm: float,
    around: Surroundings,
    parameters: LineParameters | None = None,
) -> Shape:
    """Measure one candidate."""
    frame = maps.frame
    ends, length = long_axis(outlined.contour)
    chord, width = short_axis(outlined.contour, ends)
    scale = frame.spacing_mm / lines.spacing_mm
    centre = outlined.contour.mean(axis=0)
    radius = 0.5 * length * frame.spacing_mm
    share, _ = running_towards(lines, centre[0] * scale, centre[1] * scale, radius, parameters)
    stored = frame.to_stored(np.array([at], np.float64))[0]
    nipple_mm, wall_mm = place((float(stored[0]), float(stored[1])), frame, at, around)
    width_mm = margin_mm(maps.flat, outlined.contour, (outlined.inner_level, outlined.outer_level), frame.spacing_mm)
    contrast = 100.0 * (outlined.inner_level - outlined.outer_level) / around.brightness_range
    return Shape(
        frame.contour_to_stored(ends),
        round(cv2.contourArea(outlined.contour.astype(np.float32)) * frame.spacing_mm**2, 2),
        round(contrast, 2),
        round(min(width_mm, 3 * radius_mm), 2),
        round(100.0 * share, 2),
        None if nipple_mm is None else round(nipple_mm, 2),
        round(wall_mm, 2),
        frame.contour_to_stored(chord),
        round((width + 1) * frame.spacing_mm, 2),
    )
