"""What lies around a breast: the edges of the film, its fog, and labels that stand on it or touch the breast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology

from reread.analytics.frame import Mask, Plane

_reconstruction: Callable[..., Plane] = morphology.reconstruction
"""scikit-image has no types here"""


@dataclass(frozen=True, slots=True)
class AirParameters:
    """How the level of air and its noise are found, and what a label is."""

    film_edge_share: float = 0.35
    """share of the rows that must change at one column for it to be an edge of the film; a breast's tip covers less"""
    film_edge_mm: float = 1.5
    """how crooked that edge may be"""
    block_mm: float = 3.2
    """side of the blocks whose median stands for the air in them"""
    window_mm: float = 48.0
    """side of the neighbourhood in which air is looked for; wider than the zone in which skin and fat fade out"""
    quantile: float = 0.1
    """this quantile of the blocks of a neighbourhood stands for its air"""
    away_mm: float = 4.0
    """nothing nearer to the safe outline counts as air"""
    noise_factor: float = 4.0
    """signal is told from air from this many standard deviations of the noise on"""
    unevenness_factor: float = 1.0
    """or of the unevenness of the air that the level does not follow"""
    least_share: float = 0.002
    """or from this part of the contrast of breast and air: half a grey level of an 8-bit film"""
    label_share: float = 0.35
    """a label is brighter than the darkest place on the way to it by this part of the contrast"""
    label_gap: float = 0.45
    """and that place is darker than this part of the contrast"""


@dataclass(frozen=True, slots=True, eq=False)
class Air:
    """Signal above air, of the shape of the image."""

    signal: Plane
    """pixel value above the local level of air; 0 beyond the film and on labels"""
    faintest: float
    """signal below this is air"""
    left: int
    right: int
    """columns [left, right) hold film"""
    labels: Mask


def find_air(pixels: Plane, core: Mask, spacing_mm: float, parameters: AirParameters) -> Air:
    """Level, unevenness and noise of the air round a safe outline of the breast.

    Parameters
    ----------
    pixels
        Shape (rows, columns), 0…1, chest wall left.
    core
        Surely breast, perhaps with a label that touches it; same shape.
    """
    left, right = _film_columns(pixels, spacing_mm, parameters)
    labels = find_labels(pixels, core, parameters)
    breast = core & ~labels
    usable = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 3) * spacing_mm > parameters.away_mm
    usable &= ~labels
    usable[:, :left] = usable[:, right:] = False
    level = _level(pixels, usable, spacing_mm, parameters)
    quiet = cv2.GaussianBlur(pixels, (0, 0), 0.4 / spacing_mm)
    signal = quiet - level
    outside = labels.copy()
    outside[:, :left] = outside[:, right:] = True
    signal[outside] = np.minimum(signal[outside], 0)
    contrast = max(float(np.median(pixels[breast])) - float(np.median(level)), 1e-6)
    faintest = parameters.least_share * contrast
    air = usable & (signal < 0.1 * contrast)
    if air.any():
        fine = cv2.GaussianBlur(pixels, (0, 0), 0.6 / spacing_mm) - cv2.GaussianBlur(pixels, (0, 0), 2.0 / spacing_mm)
        noise = 1.4826 * float(np.median(np.abs(fine[air])))
        uneven = 1.4826 * float(np.median(np.abs(signal[air])))
        faintest = max(faintest, parameters.noise_factor * noise, parameters.unevenness_factor * uneven)
    return Air(signal, faintest, left, right, labels)


def find_labels(pixels: Plane, core: Mask, parameters: AirParameters) -> Mask:
    """What is bright but reached from the middle of the breast through near-air only.

    Opening by reconstruction (Vincent 1993, doi 10.1109/83.217222): every pixel gets the level of the darkest place on
    the best way to it. Muscle, gland and skin are joined to the breast by tissue, labels by its fading edge at most.
    What touches the chest wall stays.
    """
    rows, columns = core.shape
    size = (max(1, columns // 4), max(1, rows // 4))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(core.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    if not inside.any():
        return np.zeros(core.shape, dtype=bool)
    wall = int(np.flatnonzero(inside.any(axis=0))[0])
    padded = np.pad(inside, 1, mode="edge")
    padded[:, 0] = np.maximum(padded[:, wall + 1], padded[:, 0])
    padded[:, -1] = 0
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    _, pieces = cv2.connectedComponents((depth > 0.6 * depth.max()).astype(np.uint8))
    middle = pieces == pieces[np.unravel_index(int(depth.argmax()), depth.shape)]
    dark = float(small.min())
    reached = _reconstruction(np.where(middle, small, dark), small, "dilation", np.ones((3, 3)))
    contrast = float(np.median(pixels[core])) - dark
    stands = (small - reached > parameters.label_share * contrast) & (reached - dark < parameters.label_gap * contrast)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(stands.astype(np.uint8))
    alone = np.concatenate([[False], stats[1:count, cv2.CC_STAT_LEFT] > wall + 1])
    # the blurred rim belongs to the label
    labels = cv2.dilate(alone[pieces].astype(np.uint8), np.ones((3, 3), np.uint8))
    out: Mask = cv2.resize(labels, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    return out


def _film_columns(pixels: Plane, spacing_mm: float, parameters: AirParameters) -> tuple[int, int]:
    """The columns [first, last) that hold film, where constant padding ends at a straight edge on either side."""
    rows, columns = pixels.shape
    exposed = np.abs(pixels - pixels.min()) > 1e-4
    some = exposed.any(axis=1)
    if not some.any():
        return 0, columns
    slack = max(2, round(parameters.film_edge_mm / spacing_mm))

    def edge(at: NDArray[np.intp]) -> int | None:
        near = np.convolve(np.bincount(at, minlength=columns), np.ones(2 * slack + 1), mode="same")
        place = int(near.argmax())
        return place if near[place] > parameters.film_edge_share * rows else None

    first = edge(exposed[some].argmax(axis=1))
    last = edge(columns - 1 - exposed[some][:, ::-1].argmax(axis=1))
    left = 0 if first is None or first <= slack else first + slack // 2
    right = columns if last is None or last >= columns - 1 - slack else last - slack // 2
    return (left, right) if right - left > columns // 8 else (0, columns)


def _level(pixels: Plane, usable: Mask, spacing_mm: float, parameters: AirParameters) -> Plane:
    """Level of air in every pixel: a low quantile of its wide neighbourhood, as film is fogged unevenly."""
    rows, columns = pixels.shape
    step = max(1, round(parameters.block_mm / spacing_mm))
    high, wide = -(-rows // step), -(-columns // step)
    blocks = np.full((high * step, wide * step), np.nan, np.float32)
    blocks[:rows, :columns] = np.where(usable, pixels, np.nan)
    cells = np.sort(blocks.reshape(high, step, wide, step).transpose(0, 2, 1, 3).reshape(high, wide, -1), axis=2)
    count = np.isfinite(cells).sum(axis=2)
    median = np.take_along_axis(cells, (np.maximum(count - 1, 0) // 2)[..., None], axis=2)[..., 0]
    reach = max(1, round(parameters.window_mm / 2 / (step * spacing_mm)))
    side = 2 * reach + 1
    padded = np.pad(median, reach, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[::2, ::2]
    windows = np.sort(windows.reshape(*windows.shape[:2], -1), axis=2)
    count = np.isfinite(windows).sum(axis=2)
    if not (count > 0).any():
        return np.full(pixels.shape, pixels.min(), np.float32)
    at = np.maximum(count - 1, 0) * parameters.quantile
    level = np.take_along_axis(windows, np.round(at).astype(np.intp)[..., None], axis=2)[..., 0]
    # where hardly any air is near, the nearest place with enough of it speaks
    known = count >= max(1, min(round(0.06 * side * side), int(count.max())))
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    level = cv2.GaussianBlur(level[tuple(nearest)], (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    full = cv2.resize(level, (level.shape[1] * 2 * step, level.shape[0] * 2 * step), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(full[:rows, :columns], dtype=np.float32)
