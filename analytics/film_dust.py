"""Dust and scratches of digitised film: specks that are sharper than any film could show what lies in a breast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DustParameters:
    """What is too sharp to have been in the breast."""

    finest_detail_mm: float = 0.15
    """A screen and its film blur a point to 0.1 mm and more (the MTF of mammography screens falls to a half at 3 to 6
    line pairs per mm); what is narrower than this at its full contrast came on the film later"""
    sharp_share: float = 0.6
    """of the contrast of a speck lost when everything narrower is taken off; a blurred grain loses a quarter"""
    least_contrast: float = 6.0
    """what is lost, in mean losses of the place around: what is fainter is left as noise"""
    surroundings_mm: float = 1.0
    """width of the square whose mean is the surroundings of a speck, and the usual loss of its place"""
    coarsest_mm: float = 0.075
    """with greater pixels a speck of dust looks as a grain does, and nothing can be told"""


def without_dust(
    pixels: NDArray[np.float32], spacing_mm: float, parameters: DustParameters | None = None
) -> NDArray[np.float32]:
    """Take bright specks off that are narrower than the film can show, and leave all else as it is.

    Parameters
    ----------
    pixels
        Of digitised film, shape (rows, columns), brighter = denser.
    spacing_mm
        Distance of pixels; above `coarsest_mm` nothing is changed.
    """
    parameters = parameters or DustParameters()
    if spacing_mm > parameters.coarsest_mm:
        return pixels
    width = max(3, 2 * (round(parameters.finest_detail_mm / spacing_mm) // 2) + 1)
    wide = np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((width, width), np.uint8)), np.float32)
    # an opening lies below noise by as much as noise is wide: what it loses everywhere is no speck
    lost = np.asarray(cv2.subtract(pixels, wide), np.float32)
    around, usual = (_smooth(plane, parameters.surroundings_mm / spacing_mm) for plane in (wide, lost))
    contrast = cv2.subtract(pixels, around)
    specks = lost > cv2.max(usual * parameters.least_contrast, contrast * parameters.sharp_share)
    if not specks.any():
        return pixels
    # the slope of a speck beside its middle goes with it
    specks = cv2.dilate(specks.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    return np.where(specks, wide, pixels).astype(np.float32)


def _smooth(plane: NDArray[np.float32], width_px: float) -> NDArray[np.float32]:
    """Means over a width, worked out on a copy of an eighth of the size."""
    small = cv2.resize(plane, (max(1, plane.shape[1] // 8), max(1, plane.shape[0] // 8)), interpolation=cv2.INTER_AREA)
    mean = cv2.blur(small, (max(1, round(width_px / 8)),) * 2)
    return np.asarray(cv2.resize(mean, plane.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
