"""The slow structure of a compressed breast: gland and septa in cells of 0.8 mm, summed along the diverging rays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_gland import Tissue, gland_fraction, sample, threshold_for
from reread.analytics.simulation_lesions import Lesion, LesionKind
from reread.analytics.simulation_shape import SOURCE_MM, Compression, SkinDistance

Array = NDArray[np.float64]
CELL_MM = 0.8
"""in the detector plane"""
_SLICE_MM = 1.6
_SEPTUM_FRACTION = 0.28
"""gland in the middle of a septum"""


@dataclass(frozen=True, slots=True, eq=False)
class Parenchyma:
    """The gland in the cells."""

    path_mm: Map
    """path of the rays through gland, one value per cell of the detector plane"""
    volume_mm3: float
    """exact: the sum over the cells"""
    threshold: float
    """of the tissue's field"""
    scale: float
    """volume over the sum of path lengths at the middle height; corrects for the beam's divergence, close to 1"""


def parenchyma(
    compression: Compression,
    skin: SkinDistance,
    tissue: Tissue,
    lesions: Sequence[tuple[Lesion, float]],
    gland_mm3: float,
) -> Parenchyma:
    """Fill the cells so that they hold a volume of gland.

    Parameters
    ----------
    lesions
        Each with its linear scale; asymmetries add gland on top, distortions draw the texture together.
    gland_mm3
        Wanted volume of parenchyma and septa.
    """
    columns = int(compression.width_mm / CELL_MM)
    rows = int(compression.height_mm / CELL_MM)
    u, v = np.meshgrid((np.arange(columns) + 0.5) * CELL_MM, (np.arange(rows) + 0.5) * CELL_MM)
    low, high = skin.rays((rows, columns), CELL_MM).span(compression.skin_mm)
    middle = compression.height_mm / 2
    share = compression.muscle_share(u * compression.shrink, (v - middle) * compression.shrink + middle)
    low = low + (high - low) * share.astype(np.float32)

    half = compression.thickness_mm / 2
    edges = np.linspace(-half, half, max(int(np.ceil(2 * half / _SLICE_MM)), 4) + 1)
    pixels, heights, overlaps = [], [], []
    for bottom, top in pairwise(edges):
        overlap = np.minimum(high, np.float32(top)) - np.maximum(low, np.float32(bottom))
        pixel = np.flatnonzero(overlap > 0)
        pixels.append(pixel)
        overlaps.append(overlap.ravel()[pixel])
        heights.append(np.full(pixel.size, (bottom + top) / 2 + compression.middle_mm))
    pixel, overlap, z = np.concatenate(pixels), np.concatenate(overlaps), np.concatenate(heights)
    shrink = 1 - z / SOURCE_MM
    x = u.ravel()[pixel] * shrink
    y = (v.ravel()[pixel] - middle) * shrink + middle
    volume = (overlap * (CELL_MM * shrink) ** 2).astype(np.float32)
    oblique = np.sqrt(1 + (u.ravel()[pixel] ** 2 + (v.ravel()[pixel] - middle) ** 2) / SOURCE_MM**2)

    field, septa = _fields(compression, tissue, lesions, x, y, z)
    septa *= np.float32(_SEPTUM_FRACTION)
    wanted = gland_mm3 - float(np.dot(septa, volume))
    threshold = threshold_for(field, volume * (1 - septa), max(wanted, 0.0))
    for lesion, scale in lesions:
        if lesion.kind is LesionKind.ASYMMETRY:
            _raise(field, threshold, lesion, scale, compression, x, y, z)
    gland = gland_fraction(field, threshold)
    gland += (1 - gland) * septa
    path = np.bincount(pixel, gland * overlap * oblique, minlength=rows * columns).reshape(rows, columns)
    exact = float(np.dot(gland, volume))
    flat = (
        float((path / np.sqrt(1 + (u**2 + (v - middle) ** 2) / SOURCE_MM**2)).sum())
        * (CELL_MM * compression.shrink) ** 2
    )
    return Parenchyma(path.astype(np.float32), exact, threshold, exact / flat if flat > 0 else 1.0)


def lesion_place(compression: Compression, lesion: Lesion) -> Array:
    """Centre of a lesion in the compressed breast: x, y, z in mm."""
    depth, lateral, superior = (np.array([value]) for value in lesion.ball)
    return np.array([float(value[0]) for value in compression.from_ball(depth, lateral, superior)])


def _fields(
    compression: Compression, tissue: Tissue, lesions: Sequence[tuple[Lesion, float]], x: Array, y: Array, z: Array
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Field and septa of the tissue at points; distortions sample it further out, which draws it together."""
    for lesion, scale in lesions:
        if lesion.kind is not LesionKind.DISTORTION:
            continue
        centre, radius = lesion_place(compression, lesion), lesion.radius_mm * scale
        square = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
        pull = 1 + 0.9 * np.exp(-square / (2 * (0.6 * radius) ** 2))
        x, y, z = (c + (a - c) * pull for a, c in zip((x, y, z), centre, strict=True))
    ball = compression.to_ball(x, y, z)
    return sample(tissue.field, *ball), sample(tissue.septa, *ball)


def _raise(
    field: NDArray[np.float32],
    threshold: float,
    lesion: Lesion,
    scale: float,
    compression: Compression,
    x: Array,
    y: Array,
    z: Array,
) -> None:
    """Lift the field round an asymmetry, so that its middle becomes mostly gland with the texture of the place."""
    centre, radius = lesion_place(compression, lesion), lesion.radius_mm * scale
    square = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
    near = square < (radius * 0.6) ** 2
    if not near.any():
        return
    lift = threshold - float(field[near].mean()) + 0.9 * lesion.density
    if lift > 0:
        field += (lift * np.exp(-((square / radius**2) ** 1.5))).astype(np.float32)
