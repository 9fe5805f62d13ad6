"""The skin line itself: from a safe outline outwards to where the signal of the thinnest tissue ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast_air import AirParameters, find_air
from reread.analytics.frame import Mask, Plane

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SkinParameters:
    """How far and how smoothly the outline may move."""

    reach_mm: float = 25.0
    """farthest move outwards; skin and the fat under it fade out over up to 20 mm of film"""
    back_mm: float = 8.0
    """farthest move inwards"""
    step_mm: float = 1.0
    """distance of the points along the outline"""
    radial_mm: float = 0.2
    """distance of the samples across it"""
    edge_mm: float = 0.8
    """length over which a fall of the signal counts as one edge"""
    smoothing_mm: float = 6.0
    """standard deviation of the smoothing of the outline before its normals are taken"""
    stiffness: float = 0.15
    """cost of every radial step between neighbouring points"""
    inside_gain: float = 0.03
    """gain per millimetre of signal passed, and cost per millimetre of air"""
    nearness: float = 0.01
    """cost per millimetre of moving outwards, so that nothing moves without an edge"""
    air: AirParameters = field(default_factory=AirParameters)


def grow_to_skin(pixels: Plane, mask: Mask, spacing_mm: float, parameters: SkinParameters) -> Mask:
    """Move the outline to the skin line.

    Film is nearly black at the skin, and much of a scanned film is cut off at black: what is left of skin and fat
    under it are a few grey levels above a fog that is not even. So the signal is taken above the local air, and its
    logarithm, with the faintest signal that noise and fog allow as its unit, makes the last faint step as large as
    any other. Along normals of the safe outline the falls of its running minimum are looked at, so that labels beyond
    do not count, and the best path through them is found by dynamic programming.
    """
    air = find_air(pixels, mask, spacing_mm, parameters.air)
    mask = _largest(mask & ~air.labels)
    if not mask.any():
        return mask
    # breast goes on beyond the film's edges and the chest wall: repeat what lies there, so that the line's ends run out
    wall = int(np.flatnonzero(mask.any(axis=0))[0])
    margin = round(12.0 / spacing_mm)
    around = ((margin, margin), (margin, 0))
    signal_above = np.pad(air.signal[:, wall:], around, mode="edge")
    base = _closed(np.pad(mask[:, wall:], around, mode="edge"), parameters.reach_mm / spacing_mm)
    line = _skin_side(base, spacing_mm, parameters.step_mm)
    if len(line) < 16:
        return mask
    width = parameters.smoothing_mm / parameters.step_mm
    smooth = np.column_stack([_smooth(line[:, axis], width) for axis in (0, 1)])
    tangent = np.gradient(smooth, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)

    radii = np.arange(-parameters.back_mm, parameters.reach_mm + 1.0, parameters.radial_mm)
    at = smooth[:, None, :] + normal[:, None, :] * (radii[None, :, None] / spacing_mm)
    values = cv2.remap(
        signal_above,
        at[..., 0].astype(np.float32),
        at[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = cv2.GaussianBlur(values, (0, 0), sigmaX=0.01, sigmaY=1.5 / parameters.step_mm)
    values = np.maximum(np.minimum.accumulate(values, axis=1), 0)
    signal = np.log(values + air.faintest)
    span = max(1, round(parameters.edge_mm / parameters.radial_mm / 2))
    padded = np.pad(signal, ((0, 0), (span, span)), mode="edge")
    fall = padded[:, : -2 * span] - padded[:, 2 * span :]
    passed = np.clip(np.log(np.maximum(values / air.faintest, 1e-6)), -1, 1).cumsum(axis=1) * parameters.radial_mm
    # beyond the film or the picture there is no skin
    rows, columns = signal_above.shape
    inside = (at[..., 0] >= 0) & (at[..., 0] <= min(air.right - wall + margin, columns) - 1)
    inside &= (at[..., 1] >= 0) & (at[..., 1] <= rows - 1)
    gain = np.where(inside, fall + parameters.inside_gain * passed, -5.0) - parameters.nearness * np.maximum(radii, 0)
    # the logarithm puts the largest fall at the outer foot of the blurred edge
    radius = radii[_best_path(gain, parameters.stiffness)] - parameters.edge_mm / 2
    moved = smooth + normal * (radius[:, None] / spacing_mm)
    grown = _between(base, smooth, moved, radius < 0)
    out = np.zeros_like(mask)
    out[:, wall:] = grown[margin:-margin, margin:]
    return _largest(out) if out.any() else mask


def _largest(mask: Mask) -> Mask:
    """The largest piece."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    keep: Mask = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else mask
    return keep


def _closed(mask: Mask, radius_px: float) -> Mask:
    """The mask closed by a disc: no hollow of its outline is tighter than the reach, so its normals do not cross."""
    margin = round(radius_px) + 4
    padded = np.pad(mask.astype(np.uint8), margin, mode="edge")
    wide = cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5) <= radius_px
    back = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 5) > radius_px
    out: Mask = back[margin:-margin, margin:-margin] | mask
    return out


def _best_path(gain: Points, stiffness: float) -> NDArray[np.intp]:
    """One radius per point; neighbours differ by two radial steps at most."""
    count, width = gain.shape
    total, came = gain[0].copy(), np.zeros((count, width), dtype=np.intp)
    shifts = (-2, -1, 0, 1, 2)
    places = np.arange(width)
    for row in range(1, count):
        padded = np.pad(total, 2, constant_values=-np.inf)
        options = np.stack([padded[2 + s : 2 + s + width] - stiffness * abs(s) for s in shifts])
        choice = options.argmax(axis=0)
        came[row] = np.clip(places + choice - 2, 0, width - 1)
        total = options.max(axis=0) + gain[row]
    at = int(np.argmax(total))
    chosen = np.empty(count, dtype=np.intp)
    for row in range(count - 1, -1, -1):
        chosen[row] = at
        at = int(came[row, at])
    return chosen


def _between(mask: Mask, line: Points, moved: Points, inwards: NDArray[np.bool_]) -> Mask:
    """The mask with the strip between both lines added, or taken off where the line moved inwards."""
    added, removed = np.zeros(mask.shape, np.uint8), np.zeros(mask.shape, np.uint8)
    for index in range(len(line) - 1):
        quad = np.round(np.stack([line[index], line[index + 1], moved[index + 1], moved[index]])).astype(np.int32)
        cv2.fillConvexPoly(removed if inwards[index] and inwards[index + 1] else added, cv2.convexHull(quad), 1)
    out = (mask | (added > 0)) & ~((removed > 0) & (added == 0))
    closed = cv2.morphologyEx(out.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return _largest(closed > 0)


def _skin_side(mask: Mask, spacing_mm: float, step_mm: float) -> Points:
    """The outline without the chest wall (left) and the borders of the image, evenly spaced; outwards is its left."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)[:, 0, :].astype(np.float64)
    rows, columns = mask.shape
    first = float(np.flatnonzero(mask.any(axis=0))[0])
    edge = 2.0 / spacing_mm
    on_skin = (
        (outline[:, 0] > first + edge)
        & (outline[:, 0] < columns - 2)
        & (outline[:, 1] > 1)
        & (outline[:, 1] < rows - 2)
    )
    if not on_skin.any():
        return np.empty((0, 2))
    breaks = np.flatnonzero(~on_skin)
    if breaks.size:
        outline, on_skin = np.roll(outline, -breaks[0], axis=0), np.roll(on_skin, -breaks[0])
    flags = np.diff(np.concatenate([[0], on_skin.astype(int), [0]]))
    starts, ends = np.flatnonzero(flags == 1), np.flatnonzero(flags == -1)
    longest = int(np.argmax(ends - starts))
    line = outline[starts[longest] : ends[longest]]
    if line[0, 1] > line[-1, 1]:
        line = line[::-1]
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))]) * spacing_mm
    at = np.arange(0.0, length[-1], step_mm)
    return np.column_stack([np.interp(at, length, line[:, axis]) for axis in (0, 1)])


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    row = cv2.GaussianBlur(values[None, :], (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(row[0], dtype=np.float64)
