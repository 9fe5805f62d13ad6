"""Masks of what was measured, on the grid of the stored image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Contour, DensityScore, ImageResult, Mammogram

Mask = NDArray[np.bool_]
"""shape (rows, columns)"""
_SHIFT = 8
"""fractional bits of the vertices that OpenCV gets"""


def filled(outline: Contour, rows: int, columns: int) -> Mask:
    """The pixels inside or on a polygon; what lies beyond the image is cut off."""
    mask = np.zeros((rows, columns), dtype=np.uint8)
    if len(outline) >= 3:
        vertices = np.round(np.asarray(outline, dtype=np.float64) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [vertices], (1,), cv2.LINE_8, _SHIFT)
    return mask.astype(bool)


def dense_tissue(pixels: NDArray[np.float32], breast: Mask, muscle: Mask, score: DensityScore) -> Mask:
    """Pixels of the breast without muscle above the threshold that the density was measured with.

    Its share of the breast is `DensityScore.percent_density` as far as the outlines are exact: the measurement
    counts cells of a coarser grid.
    """
    dense: Mask = breast & ~muscle & (pixels > score.dense_threshold)
    return dense


def measured_masks(mammogram: Mammogram, image: ImageResult) -> dict[str, Mask]:
    """ "breast" (muscle included, as its outline is), "muscle" and "dense", as far as they were found."""
    rows, columns = mammogram.pixels.shape
    masks: dict[str, Mask] = {}
    if image.breast is None or not image.breast.outline:
        return masks
    masks["breast"] = filled(image.breast.outline, rows, columns)
    nothing = np.zeros((rows, columns), dtype=bool)
    if image.pectoral is not None and image.pectoral.outline:
        masks["muscle"] = filled(image.pectoral.outline, rows, columns)
    if image.density is not None:
        masks["dense"] = dense_tissue(mammogram.pixels, masks["breast"], masks.get("muscle", nothing), image.density)
    return {name: mask for name, mask in masks.items() if mask.any()}
