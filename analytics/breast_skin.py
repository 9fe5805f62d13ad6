"""The skin line itself: from a safe outline outwards to where the signal of the thinnest tissue ends."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from reread.analytics.frame import Mask, Plane

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SkinParameters:
    """How far and how smoothly the outline may move."""

    reach_mm: float = 14.0
    """farthest move outwards"""
    back_mm: float = 1.2
    """farthest move inwards"""
    step_mm: float = 1.0
    """distance of the points along the outline"""
    radial_mm: float = 0.2
    """distance of the samples across it"""
    edge_mm: float = 0.8
    """length over which a fall of the signal counts as one edge"""
    stiffness: float = 0.08
    """cost of every radial step between neighbouring points"""
    floor: float = 0.015
    """part of the contrast of breast and air below which the signal counts as air"""
    nearness: float = 0.02
    """cost per millimetre of moving outwards, so that nothing moves without an edge"""


def grow_to_skin(pixels: Plane, mask: Mask, spacing_mm: float, parameters: SkinParameters) -> Mask:
    """Move the outline to the skin line.

    Along normals of the safe outline, the falls of the logarithm of the signal above air are looked at on its running
    minimum, so that labels beyond do not count; the path of the largest falls is found by dynamic programming. The
    logarithm makes the last faint step of film, where it is nearly black, as large as any other.
    """
    rows, columns = mask.shape
    line = _skin_side(mask, spacing_mm, parameters.step_mm)
    if len(line) < 16:
        return mask
    smooth = np.column_stack([_smooth(line[:, axis], 4.0 / parameters.step_mm) for axis in (0, 1)])
    tangent = np.gradient(smooth, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)

    radii = np.arange(-parameters.back_mm, parameters.reach_mm + 3.0, parameters.radial_mm)
    at = line[:, None, :] + normal[:, None, :] * (radii[None, :, None] / spacing_mm)
    quiet = cv2.GaussianBlur(pixels, (0, 0), 0.5 / spacing_mm)
    values = cv2.remap(
        quiet,
        at[..., 0].astype(np.float32),
        at[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = cv2.GaussianBlur(values, (0, 0), sigmaX=0.01, sigmaY=1.5 / parameters.step_mm)
    tissue = float(np.median(pixels[mask]))
    air = _air(values[:, radii > parameters.reach_mm * 0.5], tissue)
    if (tissue - air).min() < 1e-4:
        return mask
    signal = np.log(np.maximum(values - air, 0) / (tissue - air) + parameters.floor)
    falling = np.minimum.accumulate(signal, axis=1)
    span = max(1, round(parameters.edge_mm / parameters.radial_mm / 2))
    padded = np.pad(falling, ((0, 0), (span, span)), mode="edge")
    fall = padded[:, : -2 * span] - padded[:, 2 * span :]
    # beyond the film or the picture there is no skin
    inside = (at[..., 0] >= 0) & (at[..., 0] <= columns - 1) & (at[..., 1] >= 0) & (at[..., 1] <= rows - 1)
    gain = np.where(inside, fall, -5.0) - parameters.nearness * np.maximum(radii, 0)
    gain[:, radii > parameters.reach_mm] = -5.0
    chosen = _best_path(gain, parameters.stiffness)
    # the logarithm puts the largest fall at the outer foot of the blurred edge
    radius = radii[chosen] - parameters.edge_mm / 2
    moved = line + normal * (radius[:, None] / spacing_mm)
    return _between(mask, line, moved, radius < 0)


def _air(beyond: Plane, tissue: float) -> Points:
    """The level of air beyond each point of the line, shape (n, 1): film is not evenly dark."""
    film = float(np.quantile(beyond, 0.05))
    local = ndimage.median_filter(np.quantile(beyond, 0.2, axis=1), size=min(41, len(beyond)), mode="nearest")
    # where the profile never leaves the breast, the film's own air holds
    return np.asarray(np.clip(local, film, film + 0.12 * (tissue - film))[:, None])


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
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    keep: Mask = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else closed > 0
    return keep


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
