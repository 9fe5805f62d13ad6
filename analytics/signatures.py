"""The signature of a breast: a picture of some thousand cells that outlives its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Mask, Plane, blur_inside, resize_frame
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Nipple, Signature

MUSCLE = 255
_STEPS = 32.0  # levels a standard deviation
_MEDIAN = 128.0


@dataclass(frozen=True, slots=True)
class SignatureParameters:
    """Of the grid; millimetres."""

    spacing_mm: float = 2.0
    """size of a cell"""
    smoothing_mm: float = 2.0
    """standard deviation of the smoothing"""
    skin_mm: float = 6.0
    """tissue nearer to the skin does not count for median and standard deviation"""


def signature_of(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    nipple: Nipple | None,
    parameters: SignatureParameters | None = None,
) -> Signature:
    """Make the signature of one image: smoothed brightness in units of the breast's own spread, so that gain and
    offset of the image do not matter.
    """
    parameters = parameters or SignatureParameters()
    frame = resize_frame(breast.frame, parameters.spacing_mm, least_px=4)
    size = (frame.pixels.shape[1], frame.pixels.shape[0])
    inside: Mask = cv2.resize(breast.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    muscle = np.zeros_like(inside)
    if pectoral is not None:
        muscle = cv2.resize(pectoral.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    tissue = inside & ~muscle
    smooth = blur_inside(frame.pixels, tissue.astype(np.float32), parameters.smoothing_mm, frame.spacing_mm)
    core = tissue & (cv2.resize(breast.depth_mm, size, interpolation=cv2.INTER_AREA) > parameters.skin_mm)
    core = core if core.any() else tissue
    values = smooth[core] if core.any() else np.zeros(1, np.float32)
    spread = max(float(values.std()), 1e-6)
    levels = np.clip(np.round(_MEDIAN + _STEPS * (smooth - np.median(values)) / spread), 1, MUSCLE - 1)
    levels = np.where(muscle & inside, MUSCLE, np.where(tissue, levels, 0)).astype(np.uint8)
    at = None
    if nipple is not None:
        x, y = frame.from_stored(np.array([[nipple.x_px, nipple.y_px]]))[0]
        at = (round(float(x), 3), round(float(y), 3))
    corner, step = frame.to_stored(np.array([[0.0, 0.0], [1.0, 1.0]]))
    return Signature(
        frame.spacing_mm,
        levels.shape[0],
        levels.shape[1],
        levels.tobytes(),
        at,
        (
            round(float(step[0] - corner[0]), 6),
            round(float(corner[0]), 6),
            round(float(step[1] - corner[1]), 6),
            round(float(corner[1]), 6),
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A signature as planes: brightness in standard deviations, tissue and muscle."""

    brightness: Plane
    tissue: Mask
    muscle: Mask
    spacing_mm: float


def grid_of(signature: Signature) -> Grid:
    """The planes of a signature."""
    levels = np.frombuffer(signature.levels, np.uint8).reshape(signature.rows, signature.columns)
    muscle: Mask = levels == MUSCLE
    tissue: Mask = (levels > 0) & ~muscle
    brightness = np.where(tissue, (levels.astype(np.float32) - _MEDIAN) / _STEPS, 0).astype(np.float32)
    return Grid(brightness, tissue, muscle, signature.spacing_mm)


def to_cells(signature: Signature, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stored pixels → cells, (n, 2)."""
    a, b, c, d = signature.to_stored
    return np.column_stack([(points[:, 0] - b) / a, (points[:, 1] - d) / c])


def to_pixels(signature: Signature, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cells → stored pixels, (n, 2)."""
    a, b, c, d = signature.to_stored
    return np.column_stack([cells[:, 0] * a + b, cells[:, 1] * c + d])
