"""The tissue inside: fibroglandular fraction as a random field with a power-law spectrum, in an anatomical envelope.

Mammograms have a power spectrum of 1/f^beta with beta about 3 (Burgess, Jacobson and Judy 2001,
doi:10.1118/1.1355308). A three-dimensional isotropic field of exponent 3 projects to an image of exponent 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import expit

Array = NDArray[np.float64]
Volume = NDArray[np.float32]

_SHAPE = (104, 192, 192)
"""steps of the half ball along depth, lateral, superior"""
_STEP_MM = 0.8
"""of a breast of medium size; a step is a share of the breast, so texture grows with it"""
_LONGEST_MM = 45.0
BETA = 3.0
_FIELD_BETA = 3.4
"""of the field itself: its threshold makes borders, which flatten the spectrum of the gland towards 3"""
_STRETCH = 1.5
"""ducts and lobes are longer towards the nipple"""
_SEPTA_MM = 13.0
_SOFTNESS = 0.22
"""of the border between gland and fat, in standard deviations of the field"""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """The random fields of one breast, for all its views and years."""

    field: Volume
    """zero mean, unit variance, with the envelope added; shape as `_SHAPE`"""
    septa: Volume
    """0…1: sheets of connective tissue (Cooper's ligaments) in the fat"""


def random_field(
    rng: Generator, shape: tuple[int, ...], longest: float, beta: float = BETA, *, stretch: float = 1.0
) -> NDArray[np.float32]:
    """A periodic Gaussian field of unit variance whose spectrum falls as 1/f^beta.

    Parameters
    ----------
    longest
        Wavelength in steps above which the spectrum is flat.
    stretch
        How much longer structures are along the first axis.
    """
    white = scipy.fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    squares = np.zeros((1,) * len(shape), dtype=np.float32)
    for axis, size in enumerate(shape):
        frequency = np.fft.rfftfreq(size) if axis == len(shape) - 1 else np.fft.fftfreq(size)
        along = [1] * len(shape)
        along[axis] = frequency.size
        scaled = frequency.astype(np.float32) * np.float32(stretch if axis == 0 else 1)
        squares = squares + (scaled**2).reshape(along)
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
    common = random_field(rng, padded, longest, _FIELD_BETA, stretch=_STRETCH)[: _SHAPE[0]]
    depth, lateral, superior = np.meshgrid(
        np.linspace(0, 1, _SHAPE[0], dtype=np.float32),
        np.linspace(-1, 1, _SHAPE[1], dtype=np.float32),
        np.linspace(-1, 1, _SHAPE[2], dtype=np.float32),
        indexing="ij",
        sparse=True,
    )
    # the gland is a cone towards the nipple with its bulk in the upper outer quadrant; fat under skin and on the muscle
    aside, above = rng.uniform(0.0, 0.20), rng.uniform(0.0, 0.16)
    away = np.hypot(lateral - aside * (1 - depth), superior - above * (1 - depth))
    wide = 0.13 + rng.uniform(0.45, 0.75) * np.sqrt(np.clip(1 - depth, 0, 1))
    behind = rng.uniform(0.4, 2.0)
    steep = rng.uniform(1.2, 3.0)
    envelope = -steep * (away / wide) ** 2 - behind * np.clip((0.18 - depth) / 0.18, 0, None) ** 1.5
    envelope = envelope + rng.uniform(-0.6, 1.2) * depth  # more towards the nipple, or less
    norm = np.sqrt(depth**2 + lateral**2 + superior**2)
    envelope -= 4.0 * np.clip((norm - 0.86) / 0.14, 0, None)
    ribbed = rng.uniform(0.5, 1.1)
    sides = []
    for _ in range(2):
        own = random_field(rng, padded, longest, _FIELD_BETA, stretch=_STRETCH)[: _SHAPE[0]]
        sheet = random_field(rng, padded, _SEPTA_MM / _STEP_MM, beta=4.2, stretch=_STRETCH)[: _SHAPE[0]]
        septa = np.exp(-((sheet / np.float32(0.20)) ** 2))
        # gland hangs on the septa
        texture = np.float32(np.sqrt(correlation)) * common + np.float32(np.sqrt(1 - correlation)) * own
        texture += np.float32(ribbed) * septa
        # septa are stronger in some places than in others
        patchy = np.clip(0.5 + 0.5 * np.roll(own, 40, axis=1), 0, 1.5)
        septa *= patchy * np.clip((0.97 - norm) / 0.05, 0, 1)
        sides.append(Tissue((texture + envelope).astype(np.float32), septa.astype(np.float32)))
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
