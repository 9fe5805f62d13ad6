"""The tissue inside: fibroglandular fraction as a random field with a power-law spectrum, in an anatomical envelope.

Mammograms have a power spectrum of 1/f^beta with beta about 3 (Burgess, Jacobson and Judy 2001,
doi:10.1118/1.1355308). A three-dimensional isotropic field of exponent 3 projects to an image of exponent 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import expit

from reread.analytics.simulation_beam import Map

Array = NDArray[np.float64]
Volume = NDArray[np.float32]

_SHAPE = (104, 192, 192)
"""steps of the half ball along depth, lateral, superior"""
_STEP_MM = 0.8
"""of a breast of medium size; a step is a share of the breast, so texture grows with it"""
_LONGEST_MM = 45.0
BETA = 3.0
_SOFTNESS = 0.22
"""of the border between gland and fat, in standard deviations of the field"""
SEPTUM_FRACTION = 0.16


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """The random fields of one breast, for all its views and years."""

    field: Volume
    """zero mean, unit variance, with the envelope added; shape as `_SHAPE`"""
    septa: Volume
    """0…1: sheets of connective tissue (Cooper's ligaments) in the fat"""


def random_field(rng: Generator, shape: tuple[int, ...], longest: float, beta: float = BETA) -> NDArray[np.float32]:
    """A periodic Gaussian field of unit variance whose spectrum falls as 1/f^beta.

    Parameters
    ----------
    longest
        Wavelength in steps above which the spectrum is flat.
    """
    white = scipy.fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    squares = np.zeros((1,) * len(shape), dtype=np.float32)
    for axis, size in enumerate(shape):
        frequency = np.fft.rfftfreq(size) if axis == len(shape) - 1 else np.fft.fftfreq(size)
        along = [1] * len(shape)
        along[axis] = frequency.size
        squares = squares + (frequency.astype(np.float32) ** 2).reshape(along)
    white *= (squares + np.float32(1 / longest**2)) ** np.float32(-beta / 4)
    white.flat[0] = 0
    field = scipy.fft.irfftn(white, shape)
    return np.asarray(field / field.std(), dtype=np.float32)


def tissues(rng: Generator, correlation: float = 0.45) -> tuple[Tissue, Tissue]:
    """The tissue of the left and the right breast of one woman.

    Parameters
    ----------
    correlation
        Share of the variance of the texture that both have in common, mirrored.
    """
    padded = (_SHAPE[0] + 24, *_SHAPE[1:])  # the field is periodic; nipple and chest wall are no neighbours
    longest = _LONGEST_MM / _STEP_MM
    common = random_field(rng, padded, longest)[: _SHAPE[0]]
    depth, lateral, superior = np.meshgrid(
        np.linspace(0, 1, _SHAPE[0]), np.linspace(-1, 1, _SHAPE[1]), np.linspace(-1, 1, _SHAPE[2]), indexing="ij"
    )
    # the gland is a cone towards the nipple with its bulk in the upper outer quadrant; fat under skin and on the muscle
    aside, above = rng.uniform(0.02, 0.14), rng.uniform(0.02, 0.12)
    away = np.hypot(lateral - aside * (1 - depth), superior - above * (1 - depth))
    wide = 0.10 + rng.uniform(0.56, 0.70) * np.sqrt(np.clip(1 - depth, 0, 1))
    envelope = -2.6 * (away / wide) ** 2.4 - 2.2 * np.clip((0.22 - depth) / 0.22, 0, None) ** 1.5
    envelope -= 4.0 * np.clip((np.sqrt(depth**2 + lateral**2 + superior**2) - 0.86) / 0.14, 0, None)
    sides = []
    for _ in range(2):
        own = random_field(rng, padded, longest)[: _SHAPE[0]]
        texture = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        sheet = random_field(rng, padded, 14.0, beta=4.2)[: _SHAPE[0]]
        septa = np.exp(-((sheet / 0.10) ** 2), dtype=np.float32)
        sides.append(Tissue((texture + envelope).astype(np.float32), septa))
    return sides[0], sides[1]


def sample(volume: Volume, depth: Array, lateral: Array, superior: Array) -> NDArray[np.float32]:
    """A field of the half ball at points of it, trilinear."""
    at = np.stack(
        [
            depth * (_SHAPE[0] - 1),
            (lateral + 1) * (0.5 * (_SHAPE[1] - 1)),
            (superior + 1) * (0.5 * (_SHAPE[2] - 1)),
        ]
    )
    return np.asarray(map_coordinates(volume, at, order=1, mode="nearest"), dtype=np.float32)


def gland_fraction(field: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Share of fibroglandular tissue, 0…1."""
    return np.asarray(expit((field - np.float32(threshold)) / np.float32(_SOFTNESS)), dtype=np.float32)


def threshold_for(field: NDArray[np.float32], weight: NDArray[np.float32], wanted: float) -> float:
    """The threshold at which the weighted sum of the gland fraction is what is wanted; bisection.

    Parameters
    ----------
    weight
        Volume of each sample; the result is exact to one part in a million of their sum.
    """
    low, high = float(field.min()) - 4, float(field.max()) + 4
    for _ in range(40):
        middle = (low + high) / 2
        if float(np.dot(gland_fraction(field, middle), weight)) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def fine_texture(rng: Generator, coarse: Map, coarse_pitch_mm: float, pitch_mm: float, shape: tuple[int, int]) -> Map:
    """What the coarse projection lacks: the same power law carried on to the pixels.

    In a spectrum 1/f^3 the octave below a frequency holds as much variance as everything above it, so the local
    strength of the coarse projection's last octave is that of the finer texture.

    Parameters
    ----------
    coarse
        Path length of gland in mm on the coarse grid.
    pitch_mm, shape
        The fine grid, which starts at the same corner.

    Returns
    -------
    Map
        Zero-mean addition in mm, of the fine shape.
    """
    cut_mm = 2.4 * coarse_pitch_mm  # the coarse grid is trusted up to this wavelength
    sigma = cut_mm / (2 * np.pi) / coarse_pitch_mm
    smooth = cv2.GaussianBlur(coarse, (0, 0), sigma)
    octave = smooth - cv2.GaussianBlur(coarse, (0, 0), 2 * sigma)
    strength = np.sqrt(np.maximum(cv2.GaussianBlur(octave * octave, (0, 0), 4.0 / coarse_pitch_mm), 0))
    # one tile of texture, repeated: it is finer than any structure that could show the repetition
    tile = 1024
    noise = random_field(rng, (tile, tile), cut_mm / pitch_mm)
    noise -= cv2.GaussianBlur(np.pad(noise, 64, mode="wrap"), (0, 0), cut_mm / (2 * np.pi) / pitch_mm)[64:-64, 64:-64]
    noise /= noise.std()
    repeats = (-(-shape[0] // tile), -(-shape[1] // tile))
    texture = np.tile(noise, repeats)[: shape[0], : shape[1]]
    return np.asarray(texture * enlarge(strength, coarse_pitch_mm, pitch_mm, shape), dtype=np.float32)


def enlarge(coarse: Map, coarse_pitch_mm: float, pitch_mm: float, shape: tuple[int, int]) -> Map:
    """A coarse map at the centres of fine pixels; both grids start at the same corner."""
    scale = pitch_mm / coarse_pitch_mm
    matrix = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(coarse, matrix, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    )
