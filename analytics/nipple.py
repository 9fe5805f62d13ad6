"""The nipple: where the skin line lies farthest from the chest wall, moved by what the pixels show."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import blur_inside
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Nipple


@dataclass(frozen=True, slots=True)
class NippleParameters:
    """What counts as evidence for the nipple along the skin line."""

    step_mm: float = 1.0
    """distance of the points looked at along the skin line"""
    bulge_mm: float = 14.0
    """width of the smoothing against which the skin line bulges"""
    inside_mm: float = 5.0
    """depth under the skin at which the tissue behind the nipple is looked at"""
    fall_mm: float = 6.0
    """a point this much nearer to the chest wall than the extremum counts one unit less"""
    bulge_weight: float = 0.7
    """weight of the bulge, per millimetre"""
    tissue_weight: float = 0.5
    """weight of the tissue behind it, per standard deviation along the skin line"""
    outside_mm: float = 7.0
    """how far before the skin line a nipple in profile is looked for; it is thin there, darker than the skin line"""
    outside_weight: float = 0.6
    """weight of what stands before the skin line, per millimetre"""
    in_profile_from: float = 1.5
    """millimetres standing before the smoothed skin line from which the nipple counts as in profile"""


def find_nipple(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: NippleParameters | None = None
) -> Nipple:
    """Find the nipple on the skin line.

    The start is the point of the skin line farthest from the chest wall, or, with a muscle, halfway between that
    direction and the perpendicular of the muscle (the posterior nipple line). Bulging skin and bright tissue behind
    it move it and make it surer, and so does what stands before it: a nipple in profile is thin, darker than the
    level at which the skin line runs.

    Raises
    ------
    MeasurementFailed
        The breast has no skin line (it fills the image).
    """
    parameters = parameters or NippleParameters()
    frame = breast.frame
    skin = _skin_line(breast, parameters.step_mm)
    if len(skin) < 12:
        raise MeasurementFailed("the breast has no skin line")
    direction = 0.0 if pectoral is None else np.radians(0.5 * pectoral.muscle.edge_angle_deg)
    away = (skin[:, 0] * np.cos(direction) + skin[:, 1] * np.sin(direction)) * frame.spacing_mm
    closeness = np.maximum((away - away.max()) / parameters.fall_mm, -6.0)

    width = parameters.bulge_mm / parameters.step_mm
    smooth = np.column_stack([_smooth(skin[:, axis], width) for axis in (0, 1)])
    fine = np.column_stack([_smooth(skin[:, axis], 2.0 / parameters.step_mm) for axis in (0, 1)])
    tangent = np.gradient(smooth, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    bulge_mm = ((fine - smooth) * normal).sum(axis=1) * frame.spacing_mm
    # every round breast bulges a little; what counts is more than its neighbourhood
    bulge_mm = np.clip(bulge_mm - _smooth(bulge_mm, 2 * width), -2.0, 4.0)

    tissue = blur_inside(frame.pixels, breast.mask.astype(np.float32), 1.5, frame.spacing_mm)
    inner = smooth - normal * parameters.inside_mm / frame.spacing_mm
    behind = cv2.remap(
        tissue, inner[:, :1].astype(np.float32), inner[:, 1:].astype(np.float32), cv2.INTER_LINEAR
    ).ravel()
    near = closeness > -3.0
    spread = max(float(behind[near].std()), 0.01)
    tissue_z = np.clip((behind - float(np.median(behind[near]))) / spread, -2.0, 3.0)

    before_mm = _before_skin(breast, smooth, normal, parameters)
    evidence = (
        parameters.bulge_weight * bulge_mm + parameters.tissue_weight * tissue_z + parameters.outside_weight * before_mm
    )
    best = int(np.argmax(closeness + _smooth(evidence, 1.5 / parameters.step_mm)))
    near_best = slice(max(0, best - 2), best + 3)
    seen = float(evidence[near_best].max())
    stands_mm = float((before_mm + np.maximum(bulge_mm, 0))[near_best].max())
    tip = skin[best] + normal[best] * 0.5 * float(before_mm[near_best].max()) / frame.spacing_mm
    x, y = frame.to_stored(tip[None, :])[0]
    return Nipple(
        round(float(x), 2),
        round(float(y), 2),
        round(float(np.clip(0.2 + 0.25 * seen, 0.05, 0.95)), 3),
        in_profile=stands_mm >= parameters.in_profile_from,
    )


def _before_skin(
    breast: SegmentedBreast, skin: NDArray[np.float64], normal: NDArray[np.float64], parameters: NippleParameters
) -> NDArray[np.float64]:
    """How many millimetres of something thin stand before each point of the skin line, more than elsewhere on it."""
    spacing = breast.frame.spacing_mm
    pixels = cv2.GaussianBlur(breast.surroundings.pixels, (0, 0), 0.5 / spacing)
    steps_mm = np.arange(0.6, parameters.outside_mm + 5.0, 0.4)
    at = skin[:, None, :] + normal[:, None, :] * (steps_mm[None, :, None] / spacing) + np.array(breast.offset, float)
    rows, columns = pixels.shape
    profile = cv2.remap(
        pixels, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    on_film = (at[..., 0] >= 0) & (at[..., 0] <= columns - 1) & (at[..., 1] >= 0) & (at[..., 1] <= rows - 1)
    far = profile[:, steps_mm > parameters.outside_mm]
    air = float(np.median(far))
    noise = 1.5 * float(np.median(np.abs(far - air)))
    inner = float(np.median(breast.frame.pixels[breast.mask]))
    stands = (profile > air + max(5 * noise, 0.06 * (inner - air))) & on_film
    # only what is joined to the skin counts, and nothing that goes on beyond: that is a label or a fold
    reach = np.cumprod(stands, axis=1).sum(axis=1) * 0.4
    reach = np.where(reach > parameters.outside_mm + 2.5, 0.0, reach)
    return np.asarray(np.clip(_smooth(reach - np.median(reach), 1.0 / parameters.step_mm), 0.0, parameters.outside_mm))


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    row = cv2.GaussianBlur(values[None, :], (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(row[0], dtype=np.float64)


def _skin_line(breast: SegmentedBreast, step_mm: float) -> NDArray[np.float64]:
    """The outline without the film's edges, from top to bottom, evenly spaced; (n, 2) as (x, y)."""
    contours, _ = cv2.findContours(breast.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)[:, 0, :].astype(np.float64)
    rows = breast.mask.shape[0]
    edge = 2.0 / breast.frame.spacing_mm
    # OpenCV walks the outer contour counter-clockwise on the screen from its topmost point: turn it to run downwards
    on_skin = (outline[:, 0] > edge) & (outline[:, 1] > 1) & (outline[:, 1] < rows - 2)
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
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))]) * breast.frame.spacing_mm
    at = np.arange(0.0, length[-1], step_mm)
    return np.column_stack([np.interp(at, length, line[:, axis]) for axis in (0, 1)])
