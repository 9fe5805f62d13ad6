"""From raw to what is looked at: made looks of made vendors, and digitised film."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_detector import RawImage


@dataclass(frozen=True, slots=True)
class Look:
    """How a vendor processes For Presentation images."""

    equalisation: float
    """0: none; 1: the thinning edge of the breast looks as thick as its middle"""
    sharpening: tuple[float, float]
    """weight of detail finer than 1 mm, and finer than 6 mm"""
    contrast: float
    """steepness of the sigmoid; 1: the breast's own range of log exposure fills two thirds of the grey scale"""
    brightness: float
    """-0.5…0.5: shift of its middle"""
    bits: int
    inverted: bool
    """MONOCHROME1"""


def log_attenuation(raw: RawImage) -> Map:
    """Natural logarithm of air over value, 0 in air."""
    counts = np.maximum(raw.counts.astype(np.float32) - np.float32(raw.detector.offset), 1)
    air = np.float32(min(raw.air_counts, raw.detector.full_scale) - raw.detector.offset)
    return np.asarray(np.maximum(np.log(air) - cv2.log(counts), 0), dtype=np.float32)


def present(raw: RawImage, look: Look) -> NDArray[np.uint16]:
    """Log, peripheral equalisation, unsharp masking, sigmoid; shape of the raw image."""
    attenuation = log_attenuation(raw)
    pitch = raw.detector.pitch_mm
    breast = breast_by_exposure(attenuation, pitch)
    step = max(round(0.8 / pitch), 1)
    size = (attenuation.shape[1] // step, attenuation.shape[0] // step)
    small = np.asarray(cv2.resize(attenuation, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    small_breast = np.asarray(cv2.resize(breast.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    smooth = _masked_blur(small, small_breast, 5.0 / (step * pitch))
    inside = smooth[small_breast > 0.99]
    if inside.size == 0:
        return np.zeros(attenuation.shape, dtype=np.uint16)
    depth = cv2.distanceTransform(
        cv2.copyMakeBorder((small_breast > 0.5).astype(np.uint8), 0, 0, 1, 0, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5
    )[:, 1:] * (step * pitch)
    middle = smooth[(depth > 25) & (small_breast > 0.99)]
    reference = float(np.percentile(middle if middle.size > 50 else inside, 30))
    near_edge = np.clip(1 - depth / 32, 0, 1) ** 0.5
    lift = np.clip(look.equalisation * near_edge * np.maximum(reference - smooth, 0), 0, None).astype(np.float32)
    lifted = attenuation + cv2.resize(lift, attenuation.shape[::-1], interpolation=cv2.INTER_CUBIC)
    detail = lifted - cv2.GaussianBlur(lifted, (0, 0), 1.0 / 2.35 / pitch)
    coarse = cv2.resize(lifted, small.shape[::-1], interpolation=cv2.INTER_AREA)
    wide = cv2.resize(
        cv2.GaussianBlur(coarse, (0, 0), 6.0 / 2.35 / (step * pitch)),
        attenuation.shape[::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    sharp = lifted + np.float32(look.sharpening[0]) * detail
    sharp += np.float32(look.sharpening[1]) * (lifted - wide)
    low, high = (float(value) for value in np.percentile(coarse[(depth > 3) & (small_breast > 0.99)], (1, 99.5)))
    centre = low + (0.5 - look.brightness) * (high - low)
    width = max(high - low, 0.05) / look.contrast
    top = 2**look.bits - 1
    grey = top / (1 + cv2.exp((-2.8 / width * (sharp - centre)).astype(np.float32)))
    soft = cv2.GaussianBlur(breast.astype(np.float32), (0, 0), 0.15 / pitch)
    grey *= soft
    shown = np.clip(np.rint(grey), 0, top).astype(np.uint16)
    return np.asarray(top - shown if look.inverted else shown, dtype=np.uint16)


def breast_by_exposure(attenuation: Map, pitch_mm: float) -> NDArray[np.bool_]:
    """Where something stood in the beam: more than two mm of tissue, smoothed."""
    smooth = cv2.GaussianBlur(attenuation, (0, 0), 0.3 / pitch_mm)
    found: NDArray[np.bool_] = smooth > 0.12
    return found


def _masked_blur(image: Map, mask: Map, sigma: float) -> Map:
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)
    return np.asarray(cv2.GaussianBlur(image * mask, (0, 0), sigma) / np.maximum(weight, 1e-3), dtype=np.float32)


def digitised_film(raw: RawImage, columns: int, rng: Generator, *, on_left: bool) -> NDArray[np.uint8]:
    """Film of the same exposure, digitised at twice the detector's pixel distance with 8 bits, brighter = denser.

    The characteristic curve is a sigmoid in log exposure; film grain, the film's edge and a lead label are on it.

    Parameters
    ----------
    columns
        Of the whole film, at the detector's pixels.
    on_left
        Chest wall on the left of the result.
    """
    attenuation = log_attenuation(raw)
    rows = attenuation.shape[0]
    film = np.zeros((rows, columns), dtype=np.float32)
    film[:, : attenuation.shape[1]] = attenuation[:, :columns]
    film = np.asarray(cv2.resize(film, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA), dtype=np.float32)
    breast = film > 0.4
    middle = float(np.percentile(film[breast], 42)) if breast.any() else 1.0
    # gamma about 3 per decade of exposure
    grey = 255 * 0.92 / (1 + np.exp(-1.9 * (film - middle)))
    grey += rng.standard_normal(film.shape, dtype=np.float32) * 1.4
    scratches = cv2.GaussianBlur((rng.random(film.shape) > 0.99997).astype(np.float32), (0, 0), 0.7) * 160
    grey += scratches
    # the lead label stands at the upper outer corner, away from the breast
    high, wide = round(0.075 * film.shape[0]), round(0.16 * film.shape[1])
    top, left = round(0.03 * film.shape[0]), film.shape[1] - round(1.25 * wide)
    label = np.zeros((high, wide), dtype=np.float32)
    cv2.rectangle(label, (1, 1), (wide - 2, high - 2), 1.0, 1)
    cv2.putText(label, "SIM", (6, high - 8), cv2.FONT_HERSHEY_SIMPLEX, high / 45, 1.0, 2)
    # mirrored later with the film, so the text is mirrored here where it has to read
    label = label if on_left else label[:, ::-1]
    grey[top : top + high, left : left + wide] = 60 + 175 * label
    margin = int(rng.integers(3, 9))
    tilt = rng.uniform(-0.004, 0.004)
    edge = margin + tilt * np.arange(film.shape[0])
    grey[np.arange(film.shape[1])[None, :] < edge[:, None]] = 250 if rng.random() < 0.3 else 4
    shown = np.clip(grey, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(shown if on_left else shown[:, ::-1])
