"""Single calcifications of digital images: what the neighbourhood of a bright spot says about it, by a small network.

Made images are free of the truth's doubt, so the network is trained on them alone: ``python -m
benchmarks.train_calcifications``. Its weights, some 200 numbers for each kind of image, are `calcification_spots.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.calcifications_spots import SpotParameters, Spots, grey_step, objects, roundness, usable_area
from reread.analytics.calibration import ImageKind
from reread.analytics.errors import SettingsInvalid
from reread.analytics.frame import Frame, Mask, Plane
from reread.analytics.pectoral import SegmentedPectoral

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearnedParameters:
    """Which spots are looked at closely, and which become calcifications."""

    spacing_mm: float = 0.07
    """working pixel distance; a coarser image stays as it is"""
    coarsest_mm: float = 0.15
    """images with larger pixels are searched as film is: grains of 0.2 mm are a pixel or less there"""
    sigmas_mm: tuple[float, float, float, float] = (0.06, 0.10, 0.20, 0.40)
    """standard deviations of the Gaussians whose differences are looked at"""
    least_z: float = 3.5
    """a candidate stands out this many local standard deviations in the finest or the third difference"""
    apart_mm: float = 0.3
    """the clearer of two nearer candidates counts"""
    candidates: int = 1500
    """only the clearest are looked at"""
    noise_mm: float = 2.0
    """standard deviation of the window in which the noise is measured"""
    least_logit: float = -3.5
    """a calcification is a candidate to which the network gives at least this"""
    largest_strength: float = 6.0
    """calcifications farther above the least count as this: one artefact is no cluster"""
    strength_power: float = 2.0
    """members count by this power of their strength: many faint ones do not make up for clear ones"""
    strength_share: float = 0.8
    """weight of strength in the geometric mean with surprise; half on film"""
    weights: str = "1"
    """version of the network's weights"""


_STEP_MM, _REACH = 0.1, 7
"""the neighbourhood: 15 x 15 points, 0.1 mm apart"""
_RINGS_MM = (0.0, 0.05, 0.12, 0.17, 0.25, 0.33, 0.44, 0.57, 0.72)
_HARMONIC_RINGS = range(1, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Bright spots, the clearest first, and what stands round them."""

    points: NDArray[np.intp]
    """(x, y) in the frame, (n, 2)"""
    z: Array
    """height above the surroundings in local standard deviations, (n,)"""
    features: Array
    """(n, features)"""
    usable: Mask
    """where they were looked for"""
    sharp: Plane
    """the finest difference"""


@dataclass(frozen=True, slots=True, eq=False)
class SpotNetwork:
    """One hidden layer of hyperbolic tangents."""

    mean: Array
    scale: Array
    hidden: Array
    """(features, units)"""
    hidden_bias: Array
    output: Array
    output_bias: float

    def logit(self, features: Array) -> Array:
        """Logarithm of the odds that each candidate is a calcification, up to a constant, (n,).

        Without BLAS, whose sums may depend on the number of its threads.
        """
        x = (features - self.mean) / self.scale
        inner = np.tanh(np.einsum("nf,fu->nu", x, self.hidden) + self.hidden_bias)
        return np.asarray(np.einsum("nu,u->n", inner, self.output) + self.output_bias, dtype=np.float64)


def read_networks(text: str) -> dict[ImageKind, SpotNetwork]:
    """Read the weights.

    Raises
    ------
    SettingsInvalid
        It is not JSON, or numbers are missing.
    """
    try:
        raw = json.loads(text)
        return {ImageKind(kind): _network(one) for kind, one in raw["images"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsInvalid(f"the weights of the calcification network cannot be read: {error}") from error


def _network(raw: dict[str, Any]) -> SpotNetwork:
    mean, scale, hidden, bias, output = (
        np.array(raw[name], dtype=np.float64) for name in ("mean", "scale", "hidden", "hidden_bias", "output")
    )
    if hidden.shape != (len(mean), len(output)) or scale.shape != mean.shape or bias.shape != output.shape:
        raise ValueError("shapes do not fit")
    return SpotNetwork(mean, scale, hidden, bias, output, float(raw["output_bias"]))


@cache
def built_in_networks() -> dict[ImageKind, SpotNetwork]:
    """The networks of this version of the built-in analysis."""
    return read_networks((files("reread.analytics") / "calcification_spots.json").read_text(encoding="utf-8"))


def network_for(kind: ImageKind, spacing_mm: float, parameters: LearnedParameters) -> SpotNetwork | None:
    """The network for an image; None where there is none, or the pixels are too large."""
    return built_in_networks().get(kind) if spacing_mm <= parameters.coarsest_mm else None


def find_learned_spots(
    frame: Frame,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    network: SpotNetwork,
    parameters: LearnedParameters,
    spots: SpotParameters,
) -> Spots:
    """Find single calcifications; their strength is how far the network's logit is above the least.

    Parameters
    ----------
    spots
        For where to look, and for the size and shape that an object may have.
    """
    found = candidates_of(frame, breast, pectoral, parameters, spots)
    logit = network.logit(found.features)
    chosen = np.flatnonzero(logit >= parameters.least_logit)
    chosen = chosen[np.argsort(-logit[chosen], kind="stable")][: spots.most]
    x, y = found.points[chosen].T
    # each within the filter's own response: above its surroundings, the clearest grain of a group on bright tissue
    # would own the others
    keep, size_mm, dashes = objects(frame, found.sharp, x, y, np.zeros(len(x)), spots)
    points, strength = found.points[chosen].astype(np.float64), logit[chosen] - parameters.least_logit
    return Spots(
        points[keep],
        strength[keep],
        size_mm[keep],
        found.usable,
        0.0,
        points[dashes],
        strength[dashes],
        learned=True,
    )


def candidates_of(
    frame: Frame,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: LearnedParameters,
    spots: SpotParameters,
) -> Candidates:
    """Spots that stand out of the noise about them, with features for the network."""
    spacing, pixels = frame.spacing_mm, frame.pixels
    finest, fine, middle, wide = (
        cv2.GaussianBlur(pixels, (0, 0), max(sigma / spacing, 0.5)) for sigma in parameters.sigmas_mm
    )
    sharp = finest - middle
    usable = usable_area(frame, breast, pectoral, sharp, spots)
    nothing = Candidates(np.empty((0, 2), np.intp), np.empty(0), np.empty((0, _FEATURES)), usable, sharp)
    if usable[::4, ::4].sum() < 100:
        return nothing
    step = spots.noise_floor_steps * grey_step(frame, usable)
    maps = [sharp, fine - middle, fine - wide, middle - wide]
    noises = [_Noise.of(plane, usable, step, spacing, parameters, spots) for plane in maps]
    z = [maps[k] / noises[k].at_all(pixels.shape) for k in (0, 2)]
    clearest = np.maximum(z[0], z[1])
    highest = cv2.dilate(clearest, np.ones((3, 3), np.uint8))
    y, x = np.nonzero((clearest >= parameters.least_z) & (clearest >= highest) & usable)
    order = np.argsort(-clearest[y, x], kind="stable")[: 2 * parameters.candidates]
    y, x = y[order], x[order]
    alone = _alone(x, y, clearest.shape, max(1, round(parameters.apart_mm / spacing)))[: parameters.candidates]
    y, x = y[alone], x[alone]
    if not len(x):
        return nothing
    noise = np.stack([one.at(x, y) for one in noises], axis=1)
    height = np.stack([plane[y, x] for plane in maps], axis=1) / noise
    typical = np.array([one.typical for one in noises])
    round_enough = np.stack([roundness(plane, x, y, spacing) for plane in (finest, fine)], axis=1)
    features = np.concatenate(
        [
            _around(pixels, x, y, noise[:, 0], spacing),
            _signed_log(height),
            round_enough,
            np.log(np.maximum(noise / typical, 1e-2)),
        ],
        axis=1,
    )
    return Candidates(np.stack([x, y], axis=1), clearest[y, x].astype(np.float64), features, usable, sharp)


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """Local standard deviation on a coarse grid."""

    coarse: Plane
    scale: int
    typical: float

    @staticmethod
    def of(
        plane: Plane, usable: Mask, step: float, spacing_mm: float, parameters: LearnedParameters, spots: SpotParameters
    ) -> _Noise:
        """Of a difference of Gaussians; outliers, which are what is looked for, are clipped."""
        scale = 4
        # every fourth pixel: neighbours are alike after smoothing
        values, weight = plane[::scale, ::scale], usable[::scale, ::scale].astype(np.float32)
        inside = values[weight > 0]
        limit = np.float32(4.0 * 1.4826 * float(np.median(np.abs(inside))) + 1e-6)
        power = np.clip(values, -limit, limit)
        power = power * power * weight
        sigma = parameters.noise_mm / spacing_mm / scale
        total = cv2.GaussianBlur(power, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        share = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        noise = np.sqrt(total / np.maximum(share, np.float32(0.05)))
        typical = float(np.median(noise[weight > 0]))
        floor = max(step, spots.noise_floor_share * typical, 1e-6)
        return _Noise(np.maximum(noise, np.float32(floor)), scale, max(typical, floor))

    def at_all(self, shape: tuple[int, ...]) -> Plane:
        rows, columns = shape[:2]
        high, wide = self.coarse.shape
        large = cv2.resize(self.coarse, (wide * self.scale, high * self.scale), interpolation=cv2.INTER_LINEAR)
        plane: Plane = large[:rows, :columns]
        return plane

    def at(self, x: NDArray[np.intp], y: NDArray[np.intp]) -> Array:
        return np.asarray(self.coarse[y // self.scale, x // self.scale], dtype=np.float64)


def _alone(x: NDArray[np.intp], y: NDArray[np.intp], shape: tuple[int, ...], reach: int) -> NDArray[np.intp]:
    """Indices of the points without a clearer one nearby; the clearest come first."""
    taken = np.zeros(shape, dtype=bool)
    kept = []
    for index, (column, row) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        if not taken[row, column]:
            taken[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = True
            kept.append(index)
    return np.array(kept, dtype=np.intp)


def _grid() -> tuple[Array, Array, list[NDArray[np.bool_]], list[Array]]:
    """Offsets in steps, the points of each ring, and the second harmonic on some of them."""
    offsets = np.arange(-_REACH, _REACH + 1, dtype=np.float64)
    across, down = np.meshgrid(offsets, offsets)
    radius_mm = np.hypot(across, down) * _STEP_MM
    rings = [(radius_mm >= low) & (radius_mm < high) for low, high in pairwise(_RINGS_MM)]
    angle = np.arctan2(down, across)
    return across, down, rings, [angle[rings[k]] for k in _HARMONIC_RINGS]


_ACROSS, _DOWN, _RINGS, _ANGLES = _grid()
_FEATURES = 2 * len(_RINGS) - 1 + len(_ANGLES) + 4 + 2 + 4


def _around(pixels: Plane, x: NDArray[np.intp], y: NDArray[np.intp], noise: Array, spacing_mm: float) -> Array:
    """Means, spreads and two-sidedness of rings about each point, in units of the noise: the same however it lies."""
    step = _STEP_MM / spacing_mm
    side = 2 * _REACH + 1
    at_x = (x[:, None, None] + step * _ACROSS[None]).astype(np.float32).reshape(-1, side)
    at_y = (y[:, None, None] + step * _DOWN[None]).astype(np.float32).reshape(-1, side)
    # OpenCV's maps may have no more than 32767 rows
    parts = [
        cv2.remap(pixels, at_x[k : k + 30000], at_y[k : k + 30000], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for k in range(0, len(at_x), 30000)
    ]
    patch = np.concatenate(parts).reshape(len(x), side, side).astype(np.float64)
    patch -= patch[:, _RINGS[-1]].mean(axis=1)[:, None, None]
    patch /= noise[:, None, None]
    means = [patch[:, ring].mean(axis=1) for ring in _RINGS]
    spreads = [patch[:, ring].std(axis=1) for ring in _RINGS[1:]]
    harmonics = [
        np.hypot(
            (patch[:, _RINGS[k]] * np.cos(2 * angle)).mean(axis=1),
            (patch[:, _RINGS[k]] * np.sin(2 * angle)).mean(axis=1),
        )
        for k, angle in zip(_HARMONIC_RINGS, _ANGLES, strict=True)
    ]
    return _signed_log(np.stack([*means, *spreads, *harmonics], axis=1))


def _signed_log(values: Array) -> Array:
    """Large values are pressed together, so that no bright object is far outside what was learned from."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)
