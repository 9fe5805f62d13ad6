"""From a compressed breast to path lengths: how many millimetres of what lie in front of each pixel.

The slow structure comes from cells (`simulation_cells`). The skin's chords are exact at every pixel. What is finer
than a cell is added in the projection: texture that continues the power law, and tubes, masses and calcifications
with the chords of their shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_cells import CELL_MM, Parenchyma, parenchyma
from reread.analytics.simulation_gland import Tissue, gland_fraction, sample
from reread.analytics.simulation_grids import enlarge
from reread.analytics.simulation_lesions import BenignGrain, Lesion
from reread.analytics.simulation_plant import Planted, plant, plant_benign
from reread.analytics.simulation_shape import SOURCE_MM, Compression, SkinDistance
from reread.analytics.simulation_strands import Strand, TubeCanvas, in_view
from reread.analytics.simulation_texture import FineTiles, fine_texture
from reread.analytics.simulation_truth import BreastTruth, GrainTruth

Array = NDArray[np.float64]
AREA_THRESHOLD = 0.25
"""share of gland in the path from which a pixel counts as dense in the truth's area percent"""
_NIPPLE_MM = (6.5, 4.6)
"""half length and half width of the nipple"""
_MUSCLE_TISSUE_STEP = 1e-3


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels of a detector."""

    rows: int
    columns: int
    pitch_mm: float

    @property
    def height_mm(self) -> float:
        """Visible height."""
        return self.rows * self.pitch_mm

    @property
    def width_mm(self) -> float:
        """Visible width."""
        return self.columns * self.pitch_mm


@dataclass(frozen=True, slots=True, eq=False)
class PathLengths:
    """Millimetres of each material along each ray, chest wall on the left.

    The maps have the detector's rows and only as many columns as the breast reaches; beyond is air.
    """

    grid: Grid
    lengths_mm: dict[str, Map]
    thickness_mm: Map
    """all tissue together"""
    truth: BreastTruth


def project(
    skin: SkinDistance,
    tissue: Tissue,
    strands: Sequence[Strand],
    benign: Sequence[BenignGrain],
    lesions: Sequence[tuple[Lesion, float]],
    gland_cm3: float,
    grid: Grid,
    tiles: FineTiles,
    *,
    nipple_in_profile: bool = True,
) -> PathLengths:
    """Compute the path lengths of one view, and the truth about it.

    Parameters
    ----------
    skin
        Of the compressed breast.
    lesions
        Each with its linear scale in this year, as `Lesion.scale` gives it.
    gland_cm3
        Parenchyma and septa that the view has to hold; strands and extra gland come on top. The truth has the sum.
    tiles
        The texture finer than a cell.
    """
    compression = skin.compression
    gland = parenchyma(compression, skin, tissue, lesions, gland_cm3 * 1000)
    tip = np.array([compression.depth_mm * 1.06 + 2 * _NIPPLE_MM[0]])
    top = np.array([compression.bottom_mm + compression.thickness_mm])
    reach = float(compression.on_detector(tip, np.zeros(1), top)[0][0])
    shape = (grid.rows, min(grid.columns, int(np.ceil(reach / grid.pitch_mm)) + 8))
    rays = skin.rays(shape, grid.pitch_mm)
    low, high = rays.span()
    total = (high - low) * rays.oblique
    low, high = rays.span(compression.skin_mm)
    inner = (high - low) * rays.oblique
    oblique = rays.oblique
    del low, high, rays
    muscle = _muscle(compression, inner, grid.pitch_mm)
    room = inner - muscle

    fine = enlarge(gland.path_mm, CELL_MM, grid.pitch_mm, shape)
    nipple, nipple_at = _nipple(compression, grid, total, in_profile=nipple_in_profile)
    fine += fine_texture(tiles.for_view(compression.view), gland.path_mm, room, grid.pitch_mm, nipple_at)
    fine += _drawn(compression, tissue, strands, gland.threshold, shape, grid.pitch_mm)
    np.clip(fine, 0, room, out=fine)

    planted = plant(compression, lesions, shape, grid.pitch_mm, grid.rows, room)
    harmless = plant_benign(planted.lengths_mm, compression, benign, shape, grid.pitch_mm)
    lesion_path = np.zeros(shape, dtype=np.float32)
    for part in planted.lengths_mm.values():
        lesion_path += part
    # lesions push gland and fat aside in equal shares
    fine *= 1 - lesion_path / np.maximum(room, np.float32(0.1))
    np.clip(fine, 0, np.maximum(room - lesion_path, 0), out=fine)
    lengths = {
        "adipose": np.maximum(room - fine - lesion_path, 0),
        "glandular": fine,
        "skin": total - inner + nipple,
        **({"muscle": muscle} if compression.muscle else {}),
        **planted.lengths_mm,
    }
    truth = _truth(
        compression, skin, grid, gland, lengths, total, oblique, planted, harmless, nipple_at, nipple_in_profile
    )
    return PathLengths(grid, lengths, total + nipple, truth)


def _muscle(compression: Compression, inner: Map, pitch_mm: float) -> Map:
    """Path through the muscle, which has no part of its own beyond its top."""
    path = np.zeros_like(inner)
    if compression.muscle is not None:
        columns = min(int(compression.muscle.top_mm / compression.shrink * 1.3 / pitch_mm), inner.shape[1])
        middle = compression.height_mm / 2
        x = (np.arange(columns) + 0.5) * (pitch_mm * compression.shrink)
        y = ((np.arange(inner.shape[0]) + 0.5) * pitch_mm - middle) * compression.shrink + middle
        share = compression.muscle_share(x[None, :], y[:, None])
        path[:, :columns] = inner[:, :columns] * share.astype(np.float32)
    return path


def _drawn(
    compression: Compression,
    tissue: Tissue,
    strands: Sequence[Strand],
    threshold: float,
    shape: tuple[int, int],
    pitch_mm: float,
) -> Map:
    """Strands, as far as they do not run through gland or muscle."""
    canvas = TubeCanvas(compression, shape, pitch_mm)
    for points, radius in in_view(strands, compression):
        ball = compression.to_ball(points[:, 0], points[:, 1], points[:, 2])
        share = gland_fraction(sample(tissue.field, *ball), threshold).astype(np.float64)
        behind = compression.muscle_depth(points[:, 0], points[:, 1]) > 0
        canvas.add(points, radius, np.where(behind, 0, 1 - share))
    return canvas.drawn()


def _nipple(compression: Compression, grid: Grid, total: Map, *, in_profile: bool) -> tuple[Map, tuple[float, float]]:
    """Extra path through the nipple, and where its tip (in profile) or its middle lies, in pixels."""
    long, wide = _NIPPLE_MM
    half = float(compression.half_thickness(np.array([compression.depth_mm]))[0])
    # rolled under or over, its middle lies inside the outline
    x, z = (compression.depth_mm + 0.2 * long, 0.0) if in_profile else (compression.depth_mm - 0.7 * half, 0.7 * half)
    place = (np.array(x), np.array(compression.centre_mm), np.array(compression.middle_mm + z))
    u, v = (float(value) / grid.pitch_mm - 0.5 for value in compression.on_detector(*place))
    pixel_mm = grid.pitch_mm * (SOURCE_MM - float(place[2])) / SOURCE_MM
    rows = np.arange(max(int(v - long / pixel_mm) - 2, 0), min(int(v + long / pixel_mm) + 3, total.shape[0]))
    columns = np.arange(max(int(u - long / pixel_mm) - 2, 0), min(int(u + long / pixel_mm) + 3, total.shape[1]))
    added = np.zeros_like(total)
    if rows.size and columns.size:
        window = np.ix_(rows, columns)
        along, across = (columns - u) * pixel_mm, (rows - v) * pixel_mm
        square = (along[None, :] / (long if in_profile else wide)) ** 2 + (across[:, None] / wide) ** 2
        chord = 2 * wide * np.sqrt(np.maximum(1 - square, 0)) * (1.0 if in_profile else 0.4)
        added[window] = np.maximum(chord - total[window], 0) if in_profile else chord
    return added, (u + (long / pixel_mm if in_profile else 0.0), v)


def _truth(
    compression: Compression,
    skin: SkinDistance,
    grid: Grid,
    gland: Parenchyma,
    lengths: dict[str, Map],
    total: Map,
    oblique: Map,
    planted: Planted,
    harmless: tuple[GrainTruth, ...],
    nipple_px: tuple[float, float],
    nipple_in_profile: bool,
) -> BreastTruth:
    pixel_mm2 = (grid.pitch_mm * compression.shrink) ** 2

    def volume_mm3(path: Map) -> float:
        return float(np.sum(path / oblique, dtype=np.float64)) * pixel_mm2

    # what the cells hold exactly, and their texture, strands and limits as the difference that the maps make
    gland_mm3 = volume_mm3(lengths["glandular"]) * gland.scale
    outer, inner = skin.volume_mm3(), skin.volume_mm3(compression.skin_mm)
    behind = lengths.get("muscle")
    muscle_mm3 = (
        volume_mm3(behind) * inner / max(volume_mm3(total - lengths["skin"]), 1e-9) if behind is not None else 0.0
    )
    breast_mm3 = outer - muscle_mm3
    without = total > 0
    muscle_px = 0
    if behind is not None:
        muscle_area = behind > _MUSCLE_TISSUE_STEP
        muscle_px = int(np.count_nonzero(muscle_area))
        without &= ~muscle_area
    dense = (lengths["glandular"] >= AREA_THRESHOLD * total) & without
    area_px = int(np.count_nonzero(without))
    return BreastTruth(
        breast_cm3=breast_mm3 / 1000,
        gland_cm3=gland_mm3 / 1000,
        lesion_cm3=planted.volume_mm3 / 1000,
        skin_cm3=(outer - inner) / 1000,
        muscle_cm3=muscle_mm3 / 1000,
        volumetric_percent=100 * gland_mm3 / breast_mm3,
        area_percent=100 * int(np.count_nonzero(dense)) / max(area_px, 1),
        area_threshold=AREA_THRESHOLD,
        breast_area_mm2=area_px * grid.pitch_mm**2,
        muscle_area_mm2=muscle_px * grid.pitch_mm**2,
        thickness_mm=compression.thickness_mm,
        skin_line=_line(compression, compression.outline(400), compression.middle_mm, grid),
        muscle_line=_muscle_line(compression, grid),
        nipple_px=nipple_px,
        nipple_in_profile=nipple_in_profile,
        lesions=planted.truths,
        benign=harmless,
    )


def _line(compression: Compression, points: Array, height_mm: float, grid: Grid) -> tuple[tuple[float, float], ...]:
    """Points of the breast as pixels, those on the image."""
    u, v = compression.on_detector(points[:, 0], points[:, 1], np.full(len(points), height_mm))
    column, row = u / grid.pitch_mm - 0.5, v / grid.pitch_mm - 0.5
    keep = (row >= -0.5) & (row <= grid.rows - 0.5) & (column >= -0.5) & (column <= grid.columns - 0.5)
    return tuple((round(float(a), 2), round(float(b), 2)) for a, b in zip(column[keep], row[keep], strict=True))


def _muscle_line(compression: Compression, grid: Grid) -> tuple[tuple[float, float], ...]:
    muscle = compression.muscle
    if muscle is None:
        return ()
    along = np.linspace(0, 1, 60)
    length = float(np.hypot(muscle.top_mm, muscle.foot_mm))
    bow = muscle.bulge_mm * 4 * along * (1 - along)
    # the bow stands square on the straight line, away from the corner
    x = muscle.top_mm * (1 - along) + bow * muscle.foot_mm / length
    y = muscle.foot_mm * along + bow * muscle.top_mm / length
    return _line(compression, np.stack([x, y], axis=1), compression.middle_mm, grid)
