"""The pectoral muscle of oblique and lateral views: a straight line, then the cliff beside it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane
from reread.analytics.reasons import MuscleOutcome
from reread.analytics.records import PectoralMuscle, View


@dataclass(frozen=True, slots=True)
class PectoralParameters:
    """Where the muscle's edge may run and how clear it has to be."""

    spacing_mm: float = 1.0
    """working pixel distance"""
    smoothing_mm: float = 1.5
    """standard deviation of the derivative"""
    smallest_angle_deg: float = 6.0
    """least angle of the edge against the vertical"""
    largest_angle_deg: float = 62.0
    """greatest angle of the edge against the vertical"""
    shortest_mm: float = 30.0
    """least length of the edge"""
    band_mm: float = 12.0
    """the edge is looked for this far on either side of the straight line"""
    least_step: float = 0.9
    """mean step across the edge, in units of the median gradient inside the breast, below which there is no muscle"""
    least_share: float = 0.6
    """share of the line that must step down from muscle to breast"""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedPectoral:
    """The muscle as a record and as a mask in the frame of the breast."""

    muscle: PectoralMuscle
    mask: Mask


def find_pectoral(
    breast: SegmentedBreast, view: View, parameters: PectoralParameters | None = None
) -> SegmentedPectoral | None:
    """Find the muscle; None on views that do not show it and where no edge is clear enough (`search_pectoral`)."""
    return search_pectoral(breast, view, parameters)[0]


def search_pectoral(
    breast: SegmentedBreast, view: View, parameters: PectoralParameters | None = None
) -> tuple[SegmentedPectoral | None, MuscleOutcome]:
    """Find the muscle, or say why there is none.

    A straight line from the upper border to the chest wall that maximises the mean step (Karssemeijer 1998,
    doi 10.1088/0031-9155/43/2/011), refined by the shortest path along the cliff (Kwok et al. 2004,
    doi 10.1109/TMI.2004.834617).
    """
    parameters = parameters or PectoralParameters()
    if not view.shows_pectoral:
        return None, MuscleOutcome.NOT_IN_VIEW
    step, inside, scale = _step_planes(breast, parameters)
    line = _best_line(step, inside, parameters)
    if line is None:
        return None, MuscleOutcome.NO_CLEAR_EDGE
    muscle = _as_muscle(breast, _cliff(step, line, parameters), line, scale, parameters)
    return muscle, MuscleOutcome.TOO_SMALL if muscle is None else MuscleOutcome.FOUND


@dataclass(frozen=True, slots=True)
class _Line:
    """From (top, 0) to (0, bottom) in working pixels."""

    top: float
    bottom: float

    @property
    def angle_deg(self) -> float:
        return float(np.degrees(np.arctan2(self.top, self.bottom)))


def _step_planes(breast: SegmentedBreast, parameters: PectoralParameters) -> tuple[tuple[Plane, Plane], Mask, float]:
    """Derivatives (x, y) in units of their typical size, the mask, and working pixels per frame pixel."""
    frame = breast.frame
    scale = min(1.0, frame.spacing_mm / parameters.spacing_mm)
    size = (max(8, round(frame.pixels.shape[1] * scale)), max(8, round(frame.pixels.shape[0] * scale)))
    small = cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(breast.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    smooth = cv2.GaussianBlur(small, (0, 0), max(0.6, parameters.smoothing_mm * scale / frame.spacing_mm))
    along_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    depth = cv2.resize(breast.depth_mm, size, interpolation=cv2.INTER_LINEAR)
    core = inside & (depth > 8.0)
    typical = float(np.median(np.hypot(along_x[core], along_y[core]))) if core.any() else 0.0
    typical = max(typical, 1e-4)
    # the skin's own edge is steeper than the muscle's
    quiet = (inside & (depth > 4.0)).astype(np.float32) / np.float32(typical)
    return (along_x * quiet, along_y * quiet), inside, scale


def _best_line(step: tuple[Plane, Plane], inside: Mask, parameters: PectoralParameters) -> _Line | None:
    rows, columns = inside.shape
    shortest = parameters.shortest_mm / parameters.spacing_mm
    top_width = int(inside[: max(3, rows // 40)].any(axis=0).sum())
    tops = np.arange(6.0, max(8.0, 0.98 * max(top_width, columns // 3)), 2.0)
    bottoms = np.arange(shortest * 0.7, 0.95 * rows, 3.0)
    top, bottom = (a.ravel() for a in np.meshgrid(tops, bottoms, indexing="ij"))
    angle = np.degrees(np.arctan2(top, bottom))
    length = np.hypot(top, bottom)
    allowed = (angle >= parameters.smallest_angle_deg) & (angle <= parameters.largest_angle_deg) & (length >= shortest)
    top, bottom, length = top[allowed], bottom[allowed], length[allowed]
    if not top.size:
        return None
    # 48 samples a line; the ends lie in the film's edge and in the fold
    t = np.linspace(0.03, 0.9, 48)
    x, y = top[:, None] * (1 - t), bottom[:, None] * t
    column = np.clip(np.round(x).astype(np.intp), 0, columns - 1)
    row = np.clip(np.round(y).astype(np.intp), 0, rows - 1)
    normal_x, normal_y = (bottom / length)[:, None], (top / length)[:, None]
    down = -(step[0][row, column] * normal_x + step[1][row, column] * normal_y)
    down = np.where(inside[row, column], down, 0.0)
    clear = np.clip(down, -2.0, 4.0)
    share = (down > 0.25).mean(axis=1)
    score = clear.mean(axis=1) * share * length**0.35
    best = int(np.argmax(score))
    if share[best] < parameters.least_share or clear[best].mean() < parameters.least_step:
        return None
    return _Line(float(top[best]), float(bottom[best]))


def _cliff(step: tuple[Plane, Plane], line: _Line, parameters: PectoralParameters) -> NDArray[np.float64]:
    """The path (x, y) of steepest descent beside the line, by dynamic programming across a band."""
    length = float(np.hypot(line.top, line.bottom))
    count = max(8, round(length))
    t = np.linspace(0.0, 1.0, count)
    reach = parameters.band_mm / parameters.spacing_mm
    offsets = np.arange(-reach, reach + 0.5, 0.5)
    normal = np.array([line.bottom, line.top]) / length
    x = (line.top * (1 - t))[:, None] + offsets * normal[0]
    y = (line.bottom * t)[:, None] + offsets * normal[1]
    sampled = [
        cv2.remap(plane, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0) for plane in step
    ]
    gain = np.clip(-(sampled[0] * normal[0] + sampled[1] * normal[1]), -1.0, 4.0)
    gain = gain - 1.0 * (offsets / reach) ** 2
    # best path from the top; it may move half a working pixel to either side each step
    total = gain[0].copy()
    came = np.zeros(gain.shape, dtype=np.intp)
    columns = np.arange(offsets.size)
    for row in range(1, count):
        padded = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack([padded[:-2] - 0.25, padded[1:-1], padded[2:] - 0.25])
        choice = options.argmax(axis=0)
        came[row] = np.clip(columns + choice - 1, 0, offsets.size - 1)
        total = options.max(axis=0) + gain[row]
    at = int(np.argmax(total))
    chosen = np.empty(count, dtype=np.intp)
    for row in range(count - 1, -1, -1):
        chosen[row] = at
        at = int(came[row, at])
    moved = np.convolve(np.pad(offsets[chosen], 3, mode="edge"), np.ones(7) / 7, mode="valid")
    path: NDArray[np.float64] = np.column_stack(
        [line.top * (1 - t) + moved * normal[0], line.bottom * t + moved * normal[1]]
    )
    return path


def _as_muscle(
    breast: SegmentedBreast,
    path: NDArray[np.float64],
    line: _Line,
    scale: float,
    parameters: PectoralParameters,
) -> SegmentedPectoral | None:
    frame = breast.frame
    edge = (path + 0.5) / scale - 0.5
    polygon = np.vstack([[-1.0, -1.0], [edge[0, 0], -1.0], edge, [-1.0, edge[-1, 1]]])
    filled = cv2.fillPoly(np.zeros(frame.pixels.shape, np.uint8), [np.round(polygon).astype(np.int32)], 1) > 0
    mask: Mask = filled & breast.mask
    area_mm2 = float(mask.sum()) * frame.spacing_mm**2
    if area_mm2 < 0.5 * parameters.shortest_mm * 6.0:
        return None
    outline = _clipped(frame, polygon)
    return SegmentedPectoral(
        PectoralMuscle(
            frame.contour_to_stored(outline),
            area_mm2,
            line.angle_deg,
            frame.contour_to_stored(_clipped(frame, edge, closed=False)),
        ),
        mask,
    )


def _clipped(frame: Frame, polygon: NDArray[np.float64], *, closed: bool = True) -> NDArray[np.float64]:
    """The polygon, thinned and kept within the frame."""
    thin = cv2.approxPolyDP(polygon.astype(np.float32)[:, None, :], 0.7, closed)[:, 0, :].astype(np.float64)
    rows, columns = frame.pixels.shape
    return np.column_stack([np.clip(thin[:, 0], 0, columns - 1), np.clip(thin[:, 1], 0, rows - 1)])
