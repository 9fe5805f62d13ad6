"""One simulated mammogram, from a woman and a vendor to stored pixels and truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Contour, Laterality, View
from reread.analytics.simulation_beam import Beam, BeamTable, beam_table
from reread.analytics.simulation_detector import Detector, RawImage, expose
from reread.analytics.simulation_dose import glandular_dose_per_mas_mgy, usual_dose_mgy
from reread.analytics.simulation_gland import Tissue, tissues
from reread.analytics.simulation_lesions import BenignGrain, Lesion
from reread.analytics.simulation_processing import digitised_film, present
from reread.analytics.simulation_projection import Grid, PathLengths, project
from reread.analytics.simulation_shape import Compression, SkinDistance
from reread.analytics.simulation_strands import Strand, draw_benign, draw_strands
from reread.analytics.simulation_texture import FineTiles
from reread.analytics.simulation_truth import BreastTruth, GrainTruth, LesionTruth
from reread.analytics.simulation_vendors import RawRelation, Vendor
from reread.analytics.simulation_voxels import VoxelBreast, place_in_gland, project_voxels
from reread.analytics.simulation_women import Woman, gland_of_view, position, stream

BeamSource = Callable[[str, str, float], Beam]
"""anode, filter, kVp → beam; `reread.connectors.simulated_beams.beam` is one"""

_SIDES = {Laterality.LEFT: 0, Laterality.RIGHT: 1}
_VIEWS = {View.CC: 0, View.MLO: 1}


@dataclass(frozen=True, slots=True)
class Exposure:
    """How an image was taken."""

    beam: Beam
    mas: float
    dose_mgy: float
    """average glandular dose"""
    entrance_dose_mgy: float
    """air kerma at the upper surface of the breast"""
    thickness_mm: float
    force_n: float
    magnification: float
    """of the middle of the breast"""
    source_to_detector_mm: float
    source_to_patient_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedImage:
    """One view; pixels and truth as stored, the right breast with the chest wall on the right."""

    woman: Woman
    year: int
    vendor: Vendor
    laterality: Laterality
    view: View
    angle_deg: float
    spacing_mm: float
    """in the detector plane"""
    raw: NDArray[np.uint16] | None
    """For Processing; none of digitised film"""
    shown: NDArray[np.uint16] | NDArray[np.uint8]
    """For Presentation, or the film"""
    exposure: Exposure
    truth: BreastTruth


@dataclass(frozen=True, slots=True, eq=False)
class Insides:
    """What is inside the breasts of a woman: made once, used for all views and years."""

    tissue: dict[Laterality, Tissue]
    strands: dict[Laterality, tuple[Strand, ...]]
    benign: dict[Laterality, tuple[BenignGrain, ...]]
    tiles: dict[Laterality, FineTiles]

    @classmethod
    def of(cls, woman: Woman) -> Insides:
        """Draw them; takes about two seconds."""
        both = tissues(stream(woman.seed, woman.number, 4))
        strands = {side: draw_strands(stream(woman.seed, woman.number, 5, k)) for side, k in _SIDES.items()}
        benign = {
            side: draw_benign(stream(woman.seed, woman.number, 9, k), strands[side], woman.age_years)
            for side, k in _SIDES.items()
        }
        tiles = {side: FineTiles.of(stream(woman.seed, woman.number, 6, k)) for side, k in _SIDES.items()}
        return cls(dict(zip(_SIDES, both, strict=True)), strands, benign, tiles)


def simulate_image(
    woman: Woman,
    insides: Insides,
    laterality: Laterality,
    view: View,
    year: int,
    years: int,
    vendor: Vendor,
    beams: BeamSource,
) -> SimulatedImage:
    """Take one mammogram.

    Parameters
    ----------
    year, years
        The year, from 0, and how many there are; lesions have their full size in the last.
    beams
        Where spectra come from.

    Raises
    ------
    SimulationInvalid
        The view or the beam cannot be simulated.
    """
    detector = vendor.field_for(*woman.needed_mm())
    grid = Grid(detector.rows, detector.columns, detector.pitch_mm)
    compression, in_profile = position(woman, laterality, view, year, grid)
    lesions = [
        (lesion, scale)
        for lesion in woman.lesions
        if lesion.laterality is laterality and (scale := lesion.scale(year, years)) > 0
    ]
    skin = SkinDistance.of(compression)
    paths = project(
        skin,
        insides.tissue[laterality],
        insides.strands[laterality],
        insides.benign[laterality],
        lesions,
        gland_of_view(woman, laterality, year, skin),
        grid,
        insides.tiles[laterality],
        nipple_in_profile=in_profile,
    )
    return _taken(paths, compression, woman, laterality, year, vendor, detector, beams)


def simulate_phantom(
    breast: VoxelBreast, woman: Woman, lesions: Sequence[Lesion], year: int, vendor: Vendor, beams: BeamSource
) -> SimulatedImage:
    """Take a cranio-caudal view of a compressed voxel phantom, as the left breast of a woman.

    Parameters
    ----------
    woman
        Gives identity and random numbers; her own breasts are not used.
    lesions
        Planted at places in the gland that follow from the woman's seed.
    """
    _, across, depth = breast.extent_mm()
    detector = vendor.field_for(across * 1.15, depth * 1.15)
    grid = Grid(detector.rows, detector.columns, detector.pitch_mm)
    rng = stream(woman.seed, woman.number, 10)
    placed = [place_in_gland(breast, lesion, grid, rng) for lesion in lesions]
    paths = project_voxels(breast, placed, grid)
    return _taken(paths, breast.compression(grid), woman, Laterality.LEFT, year, vendor, detector, beams)


def _taken(
    paths: PathLengths,
    compression: Compression,
    woman: Woman,
    laterality: Laterality,
    year: int,
    vendor: Vendor,
    detector: Detector,
    beams: BeamSource,
) -> SimulatedImage:
    """Expose, process and store."""
    view = compression.view
    key = (_SIDES[laterality], _VIEWS[view], year)
    thickness = compression.thickness_mm
    beam = beams(*vendor.beam_for(thickness))
    rng = stream(woman.seed, woman.number, 7, *key)
    dose_per_mas = glandular_dose_per_mas_mgy(beam, thickness, compression.bottom_mm)
    mas = round(
        usual_dose_mgy(thickness)
        * vendor.dose_factor
        * _dense_factor(paths.truth)
        * float(rng.uniform(0.92, 1.08))
        / dose_per_mas,
        1,
    )
    force = float(np.clip(rng.normal(105, 22), 50, 190))
    raw = expose(paths, _table(beam, detector.absorber, detector.absorber_mm), detector, mas, rng)
    to_surface = beam.distance_mm - compression.bottom_mm - thickness
    exposure = Exposure(
        beam=beam,
        mas=mas,
        dose_mgy=dose_per_mas * mas,
        entrance_dose_mgy=beam.kerma_per_mas_ugy / 1000 * mas * (beam.distance_mm / to_surface) ** 2,
        thickness_mm=round(thickness),
        force_n=round(force),
        magnification=1 / compression.shrink,
        source_to_detector_mm=beam.distance_mm,
        source_to_patient_mm=beam.distance_mm - compression.middle_mm,
    )
    on_left = laterality is Laterality.LEFT
    if vendor.is_film:
        film = digitised_film(raw, detector.columns, rng, on_left=on_left)
        truth = as_stored(paths.truth, film.shape[1], on_left=on_left, step=2)
        return SimulatedImage(
            woman,
            year,
            vendor,
            laterality,
            view,
            compression.angle_deg,
            detector.pitch_mm * 2,
            None,
            film,
            exposure,
            truth,
        )
    look = vendor.look
    air = 2**look.bits - 1 if look.inverted else 0
    return SimulatedImage(
        woman=woman,
        year=year,
        vendor=vendor,
        laterality=laterality,
        view=view,
        angle_deg=compression.angle_deg,
        spacing_mm=detector.pitch_mm,
        raw=_whole(*_stored_raw(raw, vendor.raw_relation, rng), detector.columns, on_left=on_left),
        shown=_whole(present(raw, look), np.array(air), detector.columns, on_left=on_left),
        exposure=exposure,
        truth=as_stored(paths.truth, detector.columns, on_left=on_left),
    )


def _dense_factor(truth: BreastTruth) -> float:
    """Automatic exposure gives a dense breast more."""
    return 0.88 + 1.2 * truth.volumetric_percent / 100


@lru_cache(maxsize=16)
def _table(beam: Beam, absorber: str, absorber_mm: float) -> BeamTable:
    return beam_table(beam, absorber, absorber_mm)


def _stored_raw(
    raw: RawImage, relation: RawRelation, rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Pixels of the breast's columns in the vendor's relation to exposure, and values of open air to continue with."""
    detector = raw.detector
    air = min(raw.air_counts, detector.full_scale)
    if relation is RawRelation.LINEAR:
        return raw.counts, np.array(round(air))
    # 14 bits over six units of natural logarithm, denser is larger
    counts = np.arange(2**detector.bits, dtype=np.float64) - detector.offset
    scale = detector.full_scale / 6.0
    logs = scale * (np.log(detector.full_scale) - np.log(np.maximum(counts, 1)))
    table = np.clip(np.rint(logs), 0, detector.full_scale).astype(np.uint16)
    return table[raw.counts], np.array(int(table[round(air)]))


def _whole(part: NDArray[np.uint16], air: NDArray[np.float64], columns: int, *, on_left: bool) -> NDArray[np.uint16]:
    """The whole detector: the breast's columns, and air beyond; mirrored for a right breast."""
    image = np.full((part.shape[0], columns), air, dtype=np.uint16)
    image[:, : part.shape[1]] = part
    return image if on_left else np.ascontiguousarray(image[:, ::-1])


def as_stored(truth: BreastTruth, columns: int, *, on_left: bool, step: int = 1) -> BreastTruth:
    """The truth in pixels of the stored image.

    Parameters
    ----------
    columns
        Of the stored image.
    step
        Detector pixels per stored pixel.
    """

    def x(value: float) -> float:
        column = (value + 0.5) / step - 0.5
        return column if on_left else columns - 1 - column

    def y(value: float) -> float:
        return (value + 0.5) / step - 0.5

    def line(points: Sequence[tuple[float, float]]) -> Contour:
        return tuple((round(x(a), 2), round(y(b), 2)) for a, b in points)

    def grain(one: GrainTruth) -> GrainTruth:
        return replace(one, x_px=x(one.x_px), y_px=y(one.y_px))

    def lesion(one: LesionTruth) -> LesionTruth:
        return replace(
            one,
            x_px=x(one.x_px),
            y_px=y(one.y_px),
            radius_px=one.radius_px / step,
            grains=tuple(grain(each) for each in one.grains),
        )

    return replace(
        truth,
        skin_line=line(truth.skin_line),
        muscle_line=line(truth.muscle_line),
        nipple_px=(x(truth.nipple_px[0]), y(truth.nipple_px[1])),
        lesions=tuple(lesion(each) for each in truth.lesions),
        benign=tuple(grain(each) for each in truth.benign),
    )
