"""Voxel breasts with tissue labels, as of the VICTRE project, projected with the same rays and the same truth.

Labels: 0 air, 1 fat, 2 skin, 29 gland, 33 nipple, 40 muscle, 50 paddle, 88 Cooper's ligament, 95 terminal duct lobular
unit, 125 duct, 150 artery, 200 mass, 225 vein, 250 calcification (Badano et al. 2018,
doi:10.1001/jamanetworkopen.2018.5474).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from reread.analytics.records import Laterality, View
from reread.analytics.simulation_beam import Map, SimulationInvalid
from reread.analytics.simulation_lesions import Lesion, LesionClass, LesionKind
from reread.analytics.simulation_plant import plant
from reread.analytics.simulation_projection import AREA_THRESHOLD, Grid, PathLengths
from reread.analytics.simulation_shape import SOURCE_MM, Compression
from reread.analytics.simulation_truth import BreastTruth, LesionTruth

AIR, FAT, SKIN, GLAND, NIPPLE, MUSCLE, PADDLE = 0, 1, 2, 29, 33, 40, 50
LIGAMENT, LOBULE, DUCT, ARTERY, MASS, VEIN, CALCIFICATION = 88, 95, 125, 150, 200, 225, 250
_MATERIALS = {
    "adipose": (FAT,),
    "glandular": (GLAND, LIGAMENT, LOBULE, DUCT, ARTERY, VEIN),
    "skin": (SKIN, NIPPLE),
    "muscle": (MUSCLE,),
    "mass": (MASS,),
    "calcium_oxalate": (CALCIFICATION,),
}
_KNOWN = frozenset((AIR, PADDLE, *(label for labels in _MATERIALS.values() for label in labels)))
_PLATE_MM = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class VoxelBreast:
    """A compressed breast of voxels.

    `labels` has shape (height, across, depth): from the support plate up, along the chest wall, from the chest wall.
    """

    name: str
    labels: NDArray[np.uint8]
    voxel_mm: float

    def __post_init__(self) -> None:
        found = set(np.unique(self.labels).tolist())
        if unknown := found - _KNOWN:
            raise SimulationInvalid(f"phantom {self.name}: labels {sorted(unknown)} are not known")
        if not found & {FAT, GLAND}:
            raise SimulationInvalid(f"phantom {self.name}: there is no breast in it")
        if PADDLE not in found:
            raise SimulationInvalid(f"phantom {self.name}: no paddle in it; only compressed phantoms can be projected")

    def extent_mm(self) -> tuple[float, float, float]:
        """Size along height, across and depth of what is not air or paddle."""
        solid = np.nonzero((self.labels != AIR) & (self.labels != PADDLE))
        height, across, depth = ((int(at.max()) + 1 - int(at.min())) * self.voxel_mm for at in solid)
        return height, across, depth

    def volume_mm3(self, *labels: int) -> float:
        """Volume of labels: their voxels, counted."""
        return float(np.isin(self.labels, labels).sum()) * self.voxel_mm**3

    def compression(self, grid: Grid) -> Compression:
        """How it lies on a detector: centred along the chest wall, as the frame in which lesions are planted."""
        size = self.extent_mm()
        if size[1] > grid.height_mm or size[2] * 1.1 > grid.width_mm:
            raise SimulationInvalid(f"phantom {self.name}: larger than the detector")
        return Compression(
            view=View.CC,
            angle_deg=0.0,
            depth_mm=size[2],
            up_mm=size[1] / 2,
            down_mm=size[1] / 2,
            exponent=2.0,
            upper_exponent=2.0,
            ripple=(),
            centre_mm=grid.height_mm / 2,
            height_mm=grid.height_mm,
            width_mm=grid.width_mm,
            thickness_mm=size[0],
            tilt=0.0,
            bottom_mm=_PLATE_MM,
            skin_mm=1.5,
            muscle=None,
        )


def project_voxels(breast: VoxelBreast, lesions: Sequence[Lesion], grid: Grid) -> PathLengths:
    """Path lengths along diverging rays, slice by slice, and the truth by counting voxels.

    Parameters
    ----------
    lesions
        Planted on top of those that the phantom has, at full size.
    """
    compression = breast.compression(grid)
    solid = (breast.labels != AIR) & (breast.labels != PADDLE)
    corner = _corner(solid)
    paths = _coarse_paths(breast, corner, grid)
    voxel = breast.voxel_mm
    shape = (grid.rows, min(grid.columns, int(next(iter(paths.values())).shape[1] * voxel / grid.pitch_mm)))
    lengths = {name: _onto(path, voxel, grid.pitch_mm, shape) for name, path in paths.items()}
    total = np.zeros(shape, dtype=np.float32)
    for path in lengths.values():
        total += path
    room = lengths["adipose"] + lengths["glandular"]
    planted = plant(compression, [(lesion, 1.0) for lesion in lesions], shape, grid.pitch_mm, grid.rows, room)
    lesion_path = np.zeros(shape, dtype=np.float32)
    for name, path in planted.lengths_mm.items():
        lesion_path += path
        lengths[name] = lengths[name] + path if name in lengths else path
    keep = 1 - np.clip(lesion_path / np.maximum(room, np.float32(0.1)), 0, 1)
    lengths["adipose"] *= keep
    lengths["glandular"] *= keep
    own = _own_lesions(breast, corner, compression, grid)
    truth = _truth(breast, compression, corner, grid, lengths, total, (*own, *planted.truths), planted.volume_mm3)
    return PathLengths(grid, lengths, total, truth)


def place_in_gland(breast: VoxelBreast, lesion: Lesion, grid: Grid, rng: Generator) -> Lesion:
    """Move a lesion to a voxel of gland, at least its radius away from skin and plates where there is such a voxel."""
    gland = breast.labels[::2, ::2, ::2] == GLAND
    inside = (breast.labels[::2, ::2, ::2] != AIR) & (breast.labels[::2, ::2, ::2] != PADDLE)
    away = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1] * (2 * breast.voxel_mm)
    wanted = min(lesion.radius_mm + 2, float(away[gland].max()) * 0.8)
    candidates = np.flatnonzero(gland & (away >= wanted))
    where = np.unravel_index(int(candidates[int(rng.integers(candidates.size))]), gland.shape)
    z0, y0, x0 = _corner((breast.labels != AIR) & (breast.labels != PADDLE))
    compression = breast.compression(grid)
    place = [2 * int(index) - start for index, start in zip(where, (z0, y0, x0), strict=True)]
    z, y, x = (np.array([(index + 0.5) * breast.voxel_mm]) for index in place)
    ball = compression.to_ball(x, y - compression.up_mm + compression.centre_mm, z + compression.bottom_mm)
    return replace(lesion, ball=(float(ball[0][0]), float(ball[1][0]), float(ball[2][0])))


def _corner(solid: NDArray[np.bool_]) -> tuple[int, int, int]:
    first = [int(np.argmax(solid.any(axis=axes))) for axes in ((1, 2), (0, 2), (0, 1))]
    return first[0], first[1], first[2]


def _coarse_paths(breast: VoxelBreast, corner: tuple[int, int, int], grid: Grid) -> dict[str, Map]:
    """Path lengths on detector cells as large as a voxel, each slice enlarged as the source sees it."""
    voxel = breast.voxel_mm
    compression = breast.compression(grid)
    table = np.full(256, 255, dtype=np.uint8)
    present = set(np.unique(breast.labels).tolist())
    names = [name for name, labels in _MATERIALS.items() if present & set(labels) or name in ("adipose", "glandular")]
    for number, name in enumerate(names):
        table[list(_MATERIALS[name])] = number
    rows = int(grid.height_mm / voxel)
    columns = min(int(grid.width_mm / voxel), int(compression.depth_mm * 1.15 / voxel) + 20)
    total = np.zeros((len(names), rows, columns), dtype=np.float32)
    for k in range(corner[0], breast.labels.shape[0]):
        numbers = table[breast.labels[k]]
        if (numbers == 255).all():
            continue
        height = (k - corner[0] + 0.5) * voxel + compression.bottom_mm
        shrink = 1 - height / SOURCE_MM
        # from detector cells to voxels: x keeps the chest wall, y the middle of the detector
        y_start = corner[1] + (grid.height_mm / 2 - compression.centre_mm + compression.up_mm) / voxel
        matrix = np.array(
            [
                [shrink, 0, corner[2] + 0.5 * shrink - 0.5],
                [0, shrink, y_start - shrink * grid.height_mm / 2 / voxel + 0.5 * shrink - 0.5],
            ]
        )
        for number in np.unique(numbers[numbers != 255]):
            layer = (numbers == number).astype(np.float32)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            total[number] += cv2.warpAffine(layer, matrix, (columns, rows), flags=flags, borderValue=0.0)
    u = (np.arange(columns) + 0.5) * voxel
    v = (np.arange(rows) + 0.5) * voxel - grid.height_mm / 2
    oblique = np.sqrt(1 + (u[None, :] ** 2 + v[:, None] ** 2) / SOURCE_MM**2).astype(np.float32)
    return {name: total[number] * oblique * np.float32(voxel) for number, name in enumerate(names)}


def _onto(path: Map, cell_mm: float, pitch_mm: float, shape: tuple[int, int]) -> Map:
    scale = pitch_mm / cell_mm
    matrix = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    if scale > 1:
        path = np.asarray(cv2.GaussianBlur(path, (0, 0), 0.4 * scale), dtype=np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(path, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _own_lesions(
    breast: VoxelBreast, corner: tuple[int, int, int], compression: Compression, grid: Grid
) -> tuple[LesionTruth, ...]:
    """The masses that the phantom came with: its connected voxels of that label."""
    marked, _ = ndimage.label(breast.labels == MASS, structure=np.ones((3, 3, 3)))
    found = []
    for number, part in enumerate(ndimage.find_objects(marked), 1):
        z, y, x = (
            (axis + piece.start - start + 0.5) * breast.voxel_mm
            for axis, piece, start in zip(np.nonzero(marked[part] == number), part, corner, strict=True)
        )
        if z.size * breast.voxel_mm**3 < 1:
            continue  # a splinter of a strand
        y = y - compression.up_mm + compression.centre_mm
        centre = np.array([x.mean(), y.mean(), z.mean() + compression.bottom_mm])
        # the body: as large as a sphere of the volume; its strands reach further
        radius = float((3 * z.size * breast.voxel_mm**3 / (4 * np.pi)) ** (1 / 3))
        u, v = (float(value) / grid.pitch_mm - 0.5 for value in compression.on_detector(*centre))
        ball = compression.to_ball(*(np.array([value]) for value in centre))
        lesion = Lesion(
            number=900 + number,
            kind=LesionKind.MASS,
            lesion_class=LesionClass.SPICULATED,
            laterality=Laterality.LEFT,
            ball=(float(ball[0][0]), float(ball[1][0]), float(ball[2][0])),
            radius_mm=radius,
            density=1.0,
            waves=(),
            grains=(),
            spicules=(),
            first_year=0,
            doubling_years=1.0,
        )
        away = np.hypot(np.hypot(x - centre[0], y - centre[1]), z - centre[2] + compression.bottom_mm)
        grow = SOURCE_MM / (SOURCE_MM - centre[2])
        found.append(
            LesionTruth(
                lesion=lesion,
                x_px=u,
                y_px=v,
                depth_mm=float(centre[0]),
                down_mm=float(centre[1]),
                height_mm=float(centre[2] - compression.bottom_mm),
                radius_px=float(np.percentile(away, 95)) * grow / grid.pitch_mm,
                long_axis_mm=2 * float(np.percentile(away, 95)),
                volume_mm3=z.size * breast.voxel_mm**3,
                peak_mm=float(np.ptp(z)),
                visible=True,
                grains=(),
            )
        )
    return tuple(found)


def _truth(
    breast: VoxelBreast,
    compression: Compression,
    corner: tuple[int, int, int],
    grid: Grid,
    lengths: dict[str, Map],
    total: Map,
    lesions: tuple[LesionTruth, ...],
    planted_mm3: float,
) -> BreastTruth:
    solid = (breast.labels != AIR) & (breast.labels != PADDLE)
    muscle = breast.volume_mm3(MUSCLE)
    whole = float(solid.sum()) * breast.voxel_mm**3 - muscle
    gland = breast.volume_mm3(*_MATERIALS["glandular"])
    seen = (total > 0.2) & ~(lengths["muscle"] > 0 if "muscle" in lengths else np.zeros(total.shape, dtype=np.bool_))
    dense = seen & (lengths["glandular"] >= AREA_THRESHOLD * total)
    # the skin line in the plane of the widest outline, row by row
    outline = solid.any(axis=0)
    reach = np.where(outline.any(axis=1), outline.shape[1] - np.argmax(outline[:, ::-1], axis=1), 0)
    rows = np.flatnonzero(reach)
    x = np.asarray((reach[rows] - corner[2]) * breast.voxel_mm, dtype=np.float64)
    y = (rows + 0.5 - corner[1]) * breast.voxel_mm - compression.up_mm + compression.centre_mm
    u, v = compression.on_detector(x, y.astype(np.float64), np.full(x.shape, compression.middle_mm))
    nipple = np.nonzero(breast.labels == NIPPLE)
    tip = int(np.argmax(nipple[2])) if nipple[2].size else -1
    at = (
        tuple(float(axis[tip] - start + 0.5) * breast.voxel_mm for axis, start in zip(nipple, corner, strict=True))
        if tip >= 0
        else (compression.thickness_mm / 2, compression.up_mm, compression.depth_mm)
    )
    place = (at[2], at[1] - compression.up_mm + compression.centre_mm, at[0] + compression.bottom_mm)
    nipple_u, nipple_v = compression.on_detector(*(np.array(value) for value in place))
    area = int(np.count_nonzero(seen))
    return BreastTruth(
        breast_cm3=whole / 1000,
        gland_cm3=gland / 1000,
        lesion_cm3=(breast.volume_mm3(MASS, CALCIFICATION) + planted_mm3) / 1000,
        skin_cm3=breast.volume_mm3(SKIN, NIPPLE) / 1000,
        muscle_cm3=muscle / 1000,
        volumetric_percent=100 * gland / whole,
        area_percent=100 * int(np.count_nonzero(dense)) / max(area, 1),
        area_threshold=AREA_THRESHOLD,
        breast_area_mm2=area * grid.pitch_mm**2,
        muscle_area_mm2=0.0,
        thickness_mm=compression.thickness_mm,
        skin_line=tuple(zip((u / grid.pitch_mm - 0.5).tolist(), (v / grid.pitch_mm - 0.5).tolist(), strict=True)),
        muscle_line=(),
        nipple_px=(float(nipple_u) / grid.pitch_mm - 0.5, float(nipple_v) / grid.pitch_mm - 0.5),
        nipple_in_profile=tip >= 0,
        lesions=lesions,
        benign=(),
    )
