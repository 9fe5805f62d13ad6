"""Simulated mammograms: exact truth, the same woman in views, sides and years, and realism that can be measured."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from reread.analytics.records import Laterality, View
from reread.analytics.simulation import Insides, SimulatedImage, simulate_image
from reread.analytics.simulation_beam import SimulationInvalid
from reread.analytics.simulation_gland import random_field
from reread.analytics.simulation_lesions import LesionClass, LesionKind, draw_lesion
from reread.analytics.simulation_projection import Grid, PathLengths, project
from reread.analytics.simulation_shape import SOURCE_MM, SkinDistance
from reread.analytics.simulation_vendors import VENDORS, vendor_of
from reread.analytics.simulation_women import (
    LesionWish,
    Woman,
    draw_woman,
    gland_of_view,
    parse_lesions,
    position,
    stream,
)
from reread.connectors.simulated_beams import beam

pytest.importorskip("spekpy")
pytest.importorskip("xraydb")

GRID = Grid(700, 550, 0.4)


@lru_cache(maxsize=4)
def insides_of(woman: Woman) -> Insides:
    return Insides.of(woman)


@lru_cache(maxsize=16)
def paths_of(
    woman: Woman, side: Laterality = Laterality.LEFT, view: View = View.CC, year: int = 0, grid: Grid = GRID
) -> PathLengths:
    inside = insides_of(replace(woman, lesions=()))
    compression, profile = position(woman, side, view, year, grid)
    skin = SkinDistance.of(compression)
    lesions = [(lesion, 1.0) for lesion in woman.lesions if lesion.laterality is side]
    return project(
        skin,
        inside.tissue[side],
        inside.strands[side],
        (),
        lesions,
        gland_of_view(woman, side, year, skin),
        grid,
        inside.tiles[side],
        nipple_in_profile=profile,
    )


def woman(seed: int = 4, number: int = 0) -> Woman:
    return draw_woman(seed, number, years=3, wish=LesionWish(0.0))


def with_lesion(kind: LesionKind, lesion_class: LesionClass | None = None, seed: int = 1) -> Woman:
    lesion = draw_lesion(
        stream(seed, 77), 1, kind, Laterality.LEFT, lesion_class=lesion_class, place=(0.45, 0.25, -0.2)
    )
    return replace(woman(), lesions=(lesion,))


def test_the_tissues_fill_the_breast_exactly():
    paths = paths_of(woman())
    filled = sum(paths.lengths_mm.values())
    assert np.abs(filled - paths.thickness_mm).max() < 1e-2
    assert all(path.min() >= 0 for path in paths.lengths_mm.values())


@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_the_truth_of_volumes_is_what_the_rays_went_through(view):
    """Path lengths over the solid angle: each pixel is a thin pyramid, integrated along its ray."""
    paths = paths_of(woman(), view=view)
    compression, _ = position(woman(), Laterality.LEFT, view, 0, GRID)
    # mean square of the distance from the source over that of the middle plane: 1 + (T / d)^2 / 12
    ratio = 1 + (compression.thickness_mm / (SOURCE_MM - compression.middle_mm)) ** 2 / 12
    pixel = (GRID.pitch_mm * compression.shrink) ** 2 * ratio
    u = (np.arange(paths.thickness_mm.shape[1]) + 0.5) * GRID.pitch_mm
    v = (np.arange(GRID.rows) + 0.5) * GRID.pitch_mm - GRID.height_mm / 2
    oblique = np.sqrt(1 + (u[None, :] ** 2 + v[:, None] ** 2) / SOURCE_MM**2)
    volumes = {name: float((path / oblique).sum()) * pixel / 1000 for name, path in paths.lengths_mm.items()}
    truth = paths.truth
    whole = sum(volumes.values()) - volumes.get("muscle", 0.0)
    assert truth.breast_cm3 == pytest.approx(whole, rel=0.015)
    assert truth.gland_cm3 == pytest.approx(volumes["glandular"], rel=0.01)
    assert truth.skin_cm3 == pytest.approx(volumes["skin"], rel=0.05)  # the nipple is skin there
    assert truth.volumetric_percent == pytest.approx(100 * truth.gland_cm3 / truth.breast_cm3)
    if view is View.MLO:
        assert truth.muscle_cm3 == pytest.approx(volumes["muscle"], rel=0.02)
    else:
        assert truth.muscle_cm3 == 0


def test_gland_is_the_same_in_both_views_and_falls_over_the_years():
    one = woman()
    cc, mlo = (paths_of(one, view=view).truth for view in (View.CC, View.MLO))
    assert cc.gland_cm3 == pytest.approx(mlo.gland_cm3, rel=0.1)
    years = [one.gland_cm3(Laterality.LEFT, year) for year in range(3)]
    assert years == sorted(years, reverse=True)
    later = paths_of(one, year=2).truth
    assert later.gland_cm3 == pytest.approx(years[2], rel=0.12)


def test_volume_does_not_depend_on_the_pixels():
    coarse = paths_of(woman()).truth
    fine = paths_of(woman(), grid=Grid(1400, 1100, 0.2)).truth
    assert fine.breast_cm3 == pytest.approx(coarse.breast_cm3, rel=2e-3)
    assert fine.gland_cm3 == pytest.approx(coarse.gland_cm3, rel=0.01)
    assert fine.area_percent == pytest.approx(coarse.area_percent, abs=1.5)


def test_a_mass_is_where_the_truth_says_and_as_large():
    one = with_lesion(LesionKind.MASS, LesionClass.CIRCUMSCRIBED)
    paths = paths_of(one)
    (truth,) = paths.truth.lesions
    mass = paths.lengths_mm["mass"]
    rows, columns = np.mgrid[0 : mass.shape[0], 0 : mass.shape[1]]
    assert float((mass * columns).sum() / mass.sum()) == pytest.approx(truth.x_px, abs=1.5)
    assert float((mass * rows).sum() / mass.sum()) == pytest.approx(truth.y_px, abs=1.5)
    extent = np.ptp(np.flatnonzero((mass > 0.3 * mass.max()).any(axis=0)))
    assert extent / 2 == pytest.approx(truth.radius_px, rel=0.25)
    assert truth.long_axis_mm == pytest.approx(2 * one.lesions[0].radius_mm)
    # a lump that is flattened by a tenth
    sphere = 4 / 3 * np.pi * one.lesions[0].radius_mm ** 3 * 0.9 * one.lesions[0].density
    assert truth.volume_mm3 == pytest.approx(sphere, rel=0.2)
    without = paths_of(woman())
    assert paths.truth.breast_cm3 == pytest.approx(without.truth.breast_cm3)


def test_every_calcification_is_where_the_truth_says():
    one = with_lesion(LesionKind.CALCIFICATION, LesionClass.PUNCTATE)
    paths = paths_of(one)
    (truth,) = paths.truth.lesions
    assert truth.grains
    assert len(truth.grains) == len(one.lesions[0].grains)
    mineral = paths.lengths_mm["hydroxyapatite"]
    for grain in truth.grains:
        row, column = round(grain.y_px), round(grain.x_px)
        assert mineral[row - 1 : row + 2, column - 1 : column + 2].max() > 0
    # all mineral is within the circle
    rows, columns = np.nonzero(mineral)
    assert np.hypot(columns - truth.x_px, rows - truth.y_px).max() <= truth.radius_px + 2
    compression, _ = position(one, Laterality.LEFT, View.CC, 0, GRID)
    grow = SOURCE_MM / (SOURCE_MM - compression.bottom_mm - truth.height_mm)
    volume = float(mineral.sum()) * (GRID.pitch_mm / grow) ** 2
    assert volume == pytest.approx(truth.volume_mm3, rel=0.03)


def test_spicules_radiate_from_a_spiculated_mass():
    one = with_lesion(LesionKind.MASS, LesionClass.SPICULATED)
    paths = paths_of(one, grid=Grid(1400, 1100, 0.2))
    (truth,) = paths.truth.lesions
    mass = paths.lengths_mm["mass"]
    rows, columns = np.nonzero(mass > 0.05)
    assert np.hypot(columns - truth.x_px, rows - truth.y_px).max() > 1.6 * truth.radius_px


def test_an_asymmetry_is_extra_gland_in_one_breast():
    one = with_lesion(LesionKind.ASYMMETRY)
    paths, without = paths_of(one), paths_of(woman())
    assert paths.truth.gland_cm3 > without.truth.gland_cm3 + 0.3
    (truth,) = paths.truth.lesions
    more = paths.lengths_mm["glandular"] - without.lengths_mm["glandular"]
    row, column, reach = round(truth.y_px), round(truth.x_px), round(truth.radius_px)
    near = more[row - reach : row + reach, column - reach : column + reach]
    assert near.mean() > 5 * abs(more).mean()


def test_left_and_right_of_one_woman_are_more_alike_than_two_women():
    ones = [insides_of(woman(4, number)) for number in (0, 1)]

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        inner = (slice(20, 80), slice(60, 130), slice(60, 130))
        # differences: the envelope is alike in all breasts
        return float(np.corrcoef(*(np.diff(field[inner], axis=1).ravel() for field in (a, b)))[0, 1])

    left, right = Laterality.LEFT, Laterality.RIGHT
    own = [alike(one.tissue[left].field, one.tissue[right].field) for one in ones]
    other = alike(ones[0].tissue[left].field, ones[1].tissue[right].field)
    assert min(own) > other + 0.15


def test_a_random_field_has_the_spectrum_that_it_should():
    field = random_field(np.random.default_rng(1), (512, 512), 100.0, beta=3.0)
    assert slope(field, 1.0, 0.03, 0.3) == pytest.approx(-3.0, abs=0.15)
    assert field.std() == pytest.approx(1)


def slope(image: np.ndarray, pitch_mm: float, low: float, high: float) -> float:
    """Exponent of the radially averaged power spectrum between two frequencies in cycles/mm."""
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])[None, :]
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n, pitch_mm) for n in image.shape[::-1])))
    edges = np.geomspace(low, high, 9)
    mean = [power[(frequency >= a) & (frequency < b)].mean() for a, b in pairwise(edges)]
    return float(np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(mean), 1)[0])


@pytest.mark.slow
def test_breast_texture_falls_as_mammograms_do():
    """Burgess et al. 2001: exponent 2.8 on average, most images between 2.4 and 3.4; three women, gland region."""
    found = []
    for number in range(3):
        paths = paths_of(woman(4, number), grid=Grid(1400, 1100, 0.2))
        gland = paths.lengths_mm["glandular"]
        row, column = (int(np.average(axis, weights=gland[axis_rows])) for axis, axis_rows in middle_of(gland))
        found.append(slope(gland[row - 100 : row + 100, max(column - 100, 0) : column + 100], 0.2, 0.12, 1.5))
    assert -3.7 < np.mean(found) < -2.3, found


def middle_of(gland: np.ndarray):
    rows, columns = np.nonzero(gland > 1)
    yield rows, (rows, columns)
    yield columns, (rows, columns)


def made(one: Woman, key: str = "A", **changes: object) -> SimulatedImage:
    plain = {"laterality": Laterality.LEFT, "view": View.CC, "year": 0} | changes
    return simulate_image(
        one, insides_of(replace(one, lesions=())), plain["laterality"], plain["view"], plain["year"], 3,  # type: ignore[arg-type]
        vendor_of(key).quick(), beam,
    )  # fmt: skip


def test_the_same_seed_gives_the_same_bytes_and_another_another():
    first, again = made(woman()), made(draw_woman(4, 0, years=3, wish=LesionWish(0.0)))
    assert first.raw is not None and again.raw is not None
    assert first.raw.tobytes() == again.raw.tobytes()
    assert first.shown.tobytes() == again.shown.tobytes()
    assert first.truth == again.truth
    assert draw_woman(4, 0) == draw_woman(4, 0)
    assert len({draw_woman(seed, number).left for seed in (4, 5) for number in (0, 1)}) == 4


def test_a_right_breast_hangs_the_other_way_with_its_truth():
    image = made(woman(), laterality=Laterality.RIGHT, view=View.MLO)
    width = image.shown.shape[1]
    assert image.shown[:, -20:].mean() > 3 * image.shown[:, :20].mean()
    assert image.truth.nipple_px[0] < 0.8 * width
    assert max(x for x, _ in image.truth.muscle_line) > 0.9 * width
    line = np.array(image.truth.skin_line)
    row, column = round(line[len(line) // 2][1]), round(line[len(line) // 2][0])
    across = image.shown[row].astype(float)
    assert across[column + 6 : column + 20].mean() > across[max(column - 20, 0) : column - 6].mean() + 200


@pytest.mark.parametrize("key", VENDORS)
def test_every_vendor_makes_its_pixels(key):
    image = made(woman(), key)
    vendor = vendor_of(key)
    if vendor.is_film:
        assert image.raw is None
        assert image.shown.dtype == np.uint8
    else:
        assert image.raw is not None
        assert image.raw.max() <= vendor.detector.full_scale
        assert image.shown.max() <= 2**vendor.look.bits - 1
        middle = image.raw[image.raw.shape[0] // 2, 40:60].astype(float)
        linear = vendor.raw_relation.value == "LIN"
        assert bool(middle.mean() < image.raw[0, -1]) is linear
    assert 0.4 < image.exposure.dose_mgy < 4
    assert 22 <= image.exposure.beam.kvp <= 40


def test_lesions_grow():
    lesion = with_lesion(LesionKind.MASS).lesions[0]
    late = replace(lesion, first_year=1, doubling_years=1.0)
    assert late.scale(0, 3) == 0
    assert late.scale(2, 3) == 1
    assert late.scale(1, 3) ** 3 == pytest.approx(0.5)


def test_what_cannot_be_made_is_said():
    with pytest.raises(SimulationInvalid, match="CC and MLO"):
        position(woman(), Laterality.LEFT, View.ML, 0, GRID)
    with pytest.raises(SimulationInvalid, match="no vendor"):
        vendor_of("Z")
    with pytest.raises(SimulationInvalid, match="no lesions"):
        parse_lesions("mass,tumour")
    with pytest.raises(SimulationInvalid, match="share of women"):
        LesionWish(1.5)
    assert parse_lesions("none") == ()
    assert parse_lesions("all") == tuple(LesionKind)
    assert parse_lesions("mass, calcification") == (LesionKind.MASS, LesionKind.CALCIFICATION)
