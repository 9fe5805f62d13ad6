"""What a detector makes of the rays: scatter, blur, quantum and electronic noise, gain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reread.analytics.simulation_beam import BeamTable, Map, SimulationInvalid
from reread.analytics.simulation_projection import PathLengths

_SCATTER_CELL_MM = 2.0
_SCATTER_SIGMAS_MM = (6.0, 20.0)
_SCATTER_SHARES = (0.55, 0.45)
_SCATTER_PER_CM = 0.12
"""scatter over primary per cm of breast without grid (Boone et al. 2000, doi:10.1118/1.1312812: about 0.5 at 4 cm)"""
_GRID_PRIMARY, _GRID_SCATTER = 0.72, 0.20
"""transmission of a linear 5:1 grid"""


@dataclass(frozen=True, slots=True)
class Detector:
    """A flat panel with its grid."""

    name: str
    rows: int
    columns: int
    pitch_mm: float
    absorber: str
    absorber_mm: float
    blur_mm: float
    """standard deviation of the point spread, without the pixel's own aperture"""
    noise_is_blurred: bool
    """True: the light spreads in a scintillator, after the photons were counted"""
    electronic_noise_kev: float
    """standard deviation, per pixel"""
    fixed_pattern: float
    """what flat-fielding leaves, as share of the signal"""
    counts_per_kev: float
    offset: int
    bits: int
    has_grid: bool
    noise_excess: float = 1.0
    """variance of the quantum noise over that of the absorbed photons: what conversion and cover add"""

    @property
    def full_scale(self) -> int:
        """Largest value."""
        return (1 << self.bits) - 1

    def mtf(self, cycles_per_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Presampling modulation transfer along an axis: point spread times pixel aperture.

        Only what is drawn as shapes (calcifications) is averaged over the pixels' aperture; all else has no edge so
        sharp that it would matter.
        """
        spread = np.exp(-2 * (np.pi * self.blur_mm * cycles_per_mm) ** 2)
        return np.asarray(spread * np.sinc(cycles_per_mm * self.pitch_mm), dtype=np.float64)


def scatter_to_primary(thickness_mm: NDArray[np.float32] | float, *, has_grid: bool) -> NDArray[np.float32]:
    """Scatter over primary in the middle of a wide breast, as the detector sees it."""
    share = np.asarray(thickness_mm, dtype=np.float32) * np.float32(_SCATTER_PER_CM / 10)
    return np.asarray(share * np.float32(_GRID_SCATTER / _GRID_PRIMARY) if has_grid else share, dtype=np.float32)


def scatter_of(primary: Map, thickness_mm: Map, pitch_mm: float, *, has_grid: bool) -> Map:
    """Scatter on the detector: each ray's share, spread widely; what is spread is neither made nor lost.

    Parameters
    ----------
    primary
        Any measure of energy per pixel, chest wall on the left. The tissue behind the chest wall edge scatters as
        much into the image as is lost there, so that border reflects.
    """
    step = max(round(_SCATTER_CELL_MM / pitch_mm), 1)
    rows, columns = primary.shape
    small = (-(-columns // step), -(-rows // step))
    source = primary * scatter_to_primary(thickness_mm, has_grid=has_grid)
    padded = cv2.copyMakeBorder(source, 0, small[1] * step - rows, 0, small[0] * step - columns, cv2.BORDER_REPLICATE)
    coarse = cv2.resize(padded, small, interpolation=cv2.INTER_AREA)
    spread = spread_scatter(np.asarray(coarse, dtype=np.float32), step * pitch_mm)
    large = cv2.resize(spread, (padded.shape[1], padded.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[:rows, :columns])


def spread_scatter(source: Map, cell_mm: float) -> Map:
    """The two Gaussians of the scatter kernel over a map; the sum is kept (borders reflect)."""
    total = np.zeros_like(source)
    for sigma, share in zip(_SCATTER_SIGMAS_MM, _SCATTER_SHARES, strict=True):
        total += np.float32(share) * cv2.GaussianBlur(source, (0, 0), sigma / cell_mm, borderType=cv2.BORDER_REFLECT)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class RawImage:
    """What leaves the detector: proportional to exposure, chest wall on the left, only the breast's columns."""

    counts: NDArray[np.uint16]
    air_counts: float
    """mean value without breast, before clipping"""
    detector: Detector


def expose(paths: PathLengths, table: BeamTable, detector: Detector, mas: float, rng: Generator) -> RawImage:
    """Take the image.

    Parameters
    ----------
    table
        Of the beam and this detector's absorber.
    mas
        Tube current time product; sets the number of photons, hence the noise.
    """
    if (detector.rows, detector.pitch_mm) != (paths.grid.rows, paths.grid.pitch_mm):
        raise SimulationInvalid("path lengths and detector have different pixels")
    photons = np.float32(mas * detector.pitch_mm**2 * (_GRID_PRIMARY if detector.has_grid else 1.0))
    signal, energy = table.signal(paths.lengths_mm)
    signal *= photons
    signal += scatter_of(signal, paths.thickness_mm, detector.pitch_mm, has_grid=detector.has_grid)
    kernel = _point_spread(detector.blur_mm / detector.pitch_mm)

    def blurred(image: Map) -> Map:
        return np.asarray(cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    energy *= signal
    energy *= np.float32(detector.noise_excess)
    noise *= np.sqrt(energy)
    if detector.noise_is_blurred:
        signal += noise
        signal = blurred(signal)
    else:
        signal = blurred(signal)
        signal += noise
    del noise, energy
    # the fixed pattern belongs to the detector, not to the exposure
    pattern = np.random.default_rng(_pattern_seed(detector)).standard_normal(signal.shape, dtype=np.float32)
    signal *= 1 + np.float32(detector.fixed_pattern) * pattern
    del pattern
    signal += np.float32(detector.electronic_noise_kev) * rng.standard_normal(signal.shape, dtype=np.float32)
    signal *= np.float32(detector.counts_per_kev)
    signal += np.float32(detector.offset)
    np.clip(np.rint(signal, out=signal), 0, detector.full_scale, out=signal)
    air = float(table.air_kev * photons * detector.counts_per_kev + detector.offset)
    return RawImage(signal.astype(np.uint16), air, detector)


def _point_spread(sigma: float) -> NDArray[np.float64]:
    """Weights along an axis with the variance of the spread; far below a pixel a sampled Gaussian would have none."""
    if sigma < 0.6:
        aside = sigma**2 / 2
        return np.array([aside, 1 - 2 * aside, aside])
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _pattern_seed(detector: Detector) -> int:
    return int.from_bytes(detector.name.encode()[:16].ljust(16, b"\0"), "big")
