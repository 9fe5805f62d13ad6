"""Dust and scratches of digitised film: specks that are sharper than any film could show what lies in a breast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_STRIP_ROWS = 64


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
    square = np.ones((width, width), np.uint8)
    opened = np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_OPEN, square), np.float32)
    specks = _specks(pixels, opened, parameters.surroundings_mm / spacing_mm, parameters)
    if not specks.any():
        return pixels
    # the slope of a speck beside its middle goes with it
    np.copyto(opened, pixels, where=cv2.dilate(specks, square) == 0)
    return opened


def _specks(
    pixels: NDArray[np.float32], opened: NDArray[np.float32], surroundings_px: float, parameters: DustParameters
) -> NDArray[np.uint8]:
    """Where an opening took a speck off, as 1; by strips, because planes of this size cost more than their sums."""
    rows, columns = pixels.shape
    eighth = (max(1, columns // 8), max(1, rows // 8))
    small, small_opened = (cv2.resize(plane, eighth, interpolation=cv2.INTER_AREA) for plane in (pixels, opened))
    window = (max(1, round(surroundings_px / 8)),) * 2
    around = np.asarray(cv2.blur(small_opened, window), np.float32)
    # an opening lies below noise by as much as noise is wide: what it loses everywhere is no speck
    usual = np.asarray(cv2.blur(cv2.subtract(small, small_opened), window), np.float32)
    specks = np.empty(pixels.shape, np.uint8)
    for start in range(0, rows, _STRIP_ROWS):
        strip = slice(start, min(start + _STRIP_ROWS, rows))
        lost = cv2.subtract(pixels[strip], opened[strip])
        contrast = cv2.subtract(pixels[strip], _rows_of(around, strip, rows, columns))
        least = _rows_of(usual, strip, rows, columns) * parameters.least_contrast
        specks[strip] = lost > cv2.max(least, contrast * parameters.sharp_share)
    return specks


def _rows_of(small: NDArray[np.float32], strip: slice, rows: int, columns: int) -> NDArray[np.float32]:
    """Some rows of a map that is enlarged to (rows, columns) by linear interpolation."""
    at = np.clip((np.arange(strip.start, strip.stop) + 0.5) * small.shape[0] / rows - 0.5, 0, small.shape[0] - 1)
    above = at.astype(np.intp)
    below, share = np.minimum(above + 1, small.shape[0] - 1), (at - above).astype(np.float32)[:, None]
    narrow = small[above] * (1 - share) + small[below] * share
    return np.asarray(cv2.resize(narrow, (columns, narrow.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
