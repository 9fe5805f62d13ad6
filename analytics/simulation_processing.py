"""From raw to what is looked at: made looks of made vendors, and digitised film."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_detector import RawImage

_SMALL_PITCH_MM = 0.8


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
    step = max(round(_SMALL_PITCH_MM / pitch), 1)
    small = _reduced(attenuation, step)
    small_breast = _reduced(breast.astype(np.float32), step)
    if not (small_breast > 0.99).any():
        return np.zeros(attenuation.shape, dtype=np.uint16)
    bordered = cv2.copyMakeBorder((small_breast > 0.5).astype(np.uint8), 0, 0, 1, 0, cv2.BORDER_REPLICATE)
    depth = np.asarray(cv2.distanceTransform(bordered, cv2.DIST_L2, 5), dtype=np.float32)[:, 1:] * (step * pitch)
    lift = _peripheral_lift(small, small_breast, depth, step * pitch) * np.float32(look.equalisation)
    lifted = attenuation + _resized(lift, attenuation.shape)
    coarse = _reduced(lifted, step)
    low, high = _window(coarse, (depth > 3) & (small_breast > 0.99))
    # detail of 0.3 to 1 mm; what is finer is mostly noise
    sharp = _blurred(lifted, 0.12 / pitch)
    sharp -= _blurred(lifted, 1.0 / 2.35 / pitch)
    sharp *= np.float32(look.sharpening[0])
    sharp += lifted
    wide = _resized(_blurred(coarse, 6.0 / 2.35 / (step * pitch)), attenuation.shape)
    sharp += np.float32(look.sharpening[1]) * (lifted - wide)
    centre = low + (0.5 - look.brightness) * (high - low)
    width = max(high - low, 0.05) / look.contrast
    top = 2**look.bits - 1
    sharp -= np.float32(centre)
    sharp *= np.float32(-2.8 / width)
    grey = np.float32(top) / (1 + np.exp(sharp))
    grey *= _blurred(breast.astype(np.float32), 0.15 / pitch)
    shown = np.clip(np.rint(grey), 0, top).astype(np.uint16)
    return np.asarray(top - shown if look.inverted else shown, dtype=np.uint16)


def _peripheral_lift(small: Map, breast: Map, depth_mm: Map, pitch_mm: float) -> Map:
    """What is missing to the middle of the breast in attenuation, where the breast thins."""
    smooth = _masked_blur(small, breast, 3.5 / pitch_mm)
    # close to the edge, and in the nipple, only the near counts
    rim = np.exp(-((depth_mm / 5.0) ** 2)).astype(np.float32)
    smooth += rim * (_masked_blur(small, breast, 1.2 / pitch_mm) - smooth)
    middle = smooth[(depth_mm > 25) & (breast > 0.99)]
    reference = float(np.percentile(middle if middle.size > 50 else smooth[breast > 0.99], 30))
    near_edge = np.sqrt(np.clip(1 - depth_mm / 32, 0, 1))
    return np.asarray(near_edge * np.maximum(reference - smooth, 0), dtype=np.float32)


def _window(coarse: Map, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """The range of the front of the breast: the muscle may saturate."""
    front = inside.copy()
    front[:, : int(0.4 * front.any(axis=0).sum())] = False
    seen = coarse[front]
    low, high = np.percentile(seen if seen.size > 50 else coarse, (1, 99.7))
    return float(low), float(high)


def _blurred(image: Map, sigma: float) -> Map:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def _resized(image: Map, shape: tuple[int, ...]) -> Map:
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _reduced(image: Map, step: int) -> Map:
    size = (image.shape[1] // step, image.shape[0] // step)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


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
    label = np.full((high, wide), 60, dtype=np.uint8)
    cv2.rectangle(label, (1, 1), (wide - 2, high - 2), 235, 1)
    cv2.putText(label, "SIM", (6, high - 8), cv2.FONT_HERSHEY_SIMPLEX, high / 45, 235, 2)
    # the whole film is mirrored later, the text must not be
    grey[top : top + high, left : left + wide] = label if on_left else label[:, ::-1]
    margin = int(rng.integers(3, 9))
    tilt = rng.uniform(-0.004, 0.004)
    edge = margin + tilt * np.arange(film.shape[0])
    grey[np.arange(film.shape[1])[None, :] < edge[:, None]] = 250 if rng.random() < 0.3 else 4
    shown = np.clip(grey, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(shown if on_left else shown[:, ::-1])
