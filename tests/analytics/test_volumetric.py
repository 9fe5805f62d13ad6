"""Volumetric density against slabs of known gland, made with the table's own beam but without its approximations."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.attenuation import effective_attenuation, known_beam
from reread.analytics.breast import find_breast
from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.reasons import Refusal
from reread.analytics.records import Acquisition, ImageHeader, Mammogram, View, VolumetricDensity
from reread.analytics.study import combine_study
from reread.analytics.volumetric import (
    VolumetricParameters,
    measure_volume,
    refusal,
    thickness_map,
    try_volume,
    volumetric_category,
)

THICKNESS_MM, MAGNIFICATION, LOG_RANGE = 50.0, 1.07, 9.7
TAKEN = Acquisition(28.0, "W", "Rh", THICKNESS_MM, 100.0, 90.0, 1.2, True, MAGNIFICATION, 650.0, LOG_RANGE)


def slab(gland_mm: float, seed: int = 1) -> tuple[Mammogram, float, float]:
    """A raw image of a rounded breast with gland of one thickness in a disc; its volumes in cm³."""
    truth = phantom(View.CC, mass=False, cluster=False, label=False, gland_radius_mm=28.0, seed=seed)
    spacing = 0.2 / MAGNIFICATION
    padded = np.pad(truth.breast, ((0, 0), (300, 0)), mode="edge").astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[:, 300:] * spacing
    thick = thickness_map(depth.astype(np.float32), truth.breast, THICKNESS_MM)
    gland = np.where(truth.dense, np.minimum(gland_mm, thick - 2.9), 0).clip(0)
    beam = effective_attenuation("W", "Rh", 28.0, THICKNESS_MM)
    depths = beam.fat_per_mm * thick + beam.gland_per_mm * gland - beam.bend_per_mm2 * gland**2
    ratio = 0.12 * 0.28 * thick / 10
    primary = np.exp(-depths) * 12000
    signal = primary + cv2.GaussianBlur((primary * ratio).astype(np.float32), (0, 0), 14.0 / spacing)
    signal += np.random.default_rng(seed).standard_normal(signal.shape) * np.sqrt(signal)
    pixels = 1 - np.log(np.maximum(signal, 1)) / LOG_RANGE
    header = replace(truth.mammogram.header, for_processing=True, acquisition=TAKEN)
    cubic = spacing**2 / 1000
    return Mammogram(header, pixels.astype(np.float32)), float(gland.sum()) * cubic, float(thick.sum()) * cubic


def measured(image: Mammogram) -> VolumetricDensity:
    return measure_volume(find_breast(image), None, image.header)


@pytest.mark.parametrize("gland_mm", [2.0, 8.0, 20.0, 35.0])
def test_slab_of_gland_has_its_volume(gland_mm: float) -> None:
    image, gland_cm3, breast_cm3 = slab(gland_mm)
    found = measured(image)
    assert found.breast_volume_cm3 == pytest.approx(breast_cm3, rel=0.05)
    assert found.volumetric_percent == pytest.approx(100 * gland_cm3 / breast_cm3, abs=2.0)
    assert found.volumetric_percent == pytest.approx(100 * found.gland_volume_cm3 / found.breast_volume_cm3, abs=0.01)


def test_exposure_does_not_matter() -> None:
    """Twice the dose is an offset of the logarithm."""
    image, _, _ = slab(10.0)
    brighter = Mammogram(image.header, image.pixels - np.float32(np.log(2) / LOG_RANGE))
    assert measured(brighter).volumetric_percent == pytest.approx(measured(image).volumetric_percent, abs=0.3)


def test_the_mirror_image_has_the_same_volume() -> None:
    image, _, _ = slab(10.0)
    mirrored = Mammogram(image.header, np.ascontiguousarray(image.pixels[:, ::-1]))
    assert measured(mirrored).volumetric_percent == pytest.approx(measured(image).volumetric_percent, abs=0.05)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kvp": None}, Refusal.NO_KVP),
        ({"kvp": 70.0}, Refusal.NO_KVP),
        ({"thickness_mm": None}, Refusal.NO_THICKNESS),
        ({"thickness_mm": 500.0}, Refusal.NO_THICKNESS),
        ({"anode": ""}, Refusal.UNKNOWN_BEAM),
        ({"filter_material": "Al", "anode": "Mo"}, Refusal.UNKNOWN_BEAM),
        ({"log_range": None}, Refusal.UNKNOWN_SCALE),
    ],
)
def test_what_is_missing_is_named(change: dict[str, object], why: Refusal) -> None:
    header = raw_header()
    assert refusal(header) is None
    assert refusal(replace(header, acquisition=replace(TAKEN, **change))) is why


def raw_header() -> ImageHeader:
    return replace(phantom(rows=64, columns=64).mammogram.header, for_processing=True, acquisition=TAKEN)


def test_presentation_and_unknown_spacing_are_refused() -> None:
    header = raw_header()
    assert refusal(replace(header, for_processing=False)) is Refusal.FOR_PRESENTATION
    assert refusal(replace(header, spacing_known=False)) is Refusal.NO_SPACING
    assert all(why.sentence for why in Refusal)


def test_a_site_can_give_the_scale_of_its_logarithmic_values() -> None:
    image, _, _ = slab(10.0)
    unknown = Mammogram(replace(image.header, acquisition=replace(TAKEN, log_range=None)), image.pixels)
    breast = find_breast(unknown)
    assert try_volume(breast, None, unknown.header) == (None, Refusal.UNKNOWN_SCALE)
    given, why = try_volume(breast, None, unknown.header, VolumetricParameters(logarithms_of_full_scale=LOG_RANGE))
    assert why is None
    assert given == measured(image)


def test_a_breast_that_is_nowhere_fully_compressed_has_no_reference() -> None:
    image, _, _ = slab(5.0)
    wanted = VolumetricParameters(smallest_reference_mm2=1e5)
    assert try_volume(find_breast(image), None, image.header, wanted) == (None, Refusal.NO_REFERENCE)


def test_it_goes_through_the_analysis_to_the_woman() -> None:
    analysis = MammographyAnalysis()
    results = [analysis.measure(slab(gland, seed)[0]) for gland, seed in ((6.0, 1), (12.0, 2))]
    assert all(result.volumetric is not None and result.volumetric_refusal is None for result in results)
    shown = phantom(View.MLO).mammogram
    assert analysis.measure(shown).volumetric_refusal is Refusal.FOR_PRESENTATION
    study = combine_study(
        study_instance_uid="2.25.1", revision=1, woman="w", study_date="", images=results, rejected=[]
    )
    first, second = (result.volumetric for result in results)
    assert first is not None and second is not None and study.volumetric_left is not None
    # two exposures of one view count as one view
    assert study.volumetric_left.breast_volume_cm3 == pytest.approx(
        (first.breast_volume_cm3 + second.breast_volume_cm3) / 2
    )
    assert study.volumetric_right is None
    assert study.volumetric is not None


@pytest.mark.parametrize(("percent", "letter"), [(0, "a"), (3.4, "a"), (3.5, "b"), (7.4, "b"), (7.5, "c"), (15.5, "d")])
def test_letters_follow_their_boundaries(percent: float, letter: str) -> None:
    assert volumetric_category(percent) == letter


def test_attenuation_falls_with_energy_and_inverts_itself() -> None:
    assert known_beam("Mo", "Rh") and not known_beam("W", "Cu")
    slopes = [effective_attenuation("W", "Rh", kvp, 50).fat_per_mm for kvp in (22, 25, 28, 31, 34, 40)]
    assert slopes == sorted(slopes, reverse=True)
    assert 0.03 < slopes[-1] < slopes[0] < 0.08
    beam = effective_attenuation("Mo", "Mo", 27, 45)
    assert beam.gland_per_mm < beam.fat_per_mm
    lengths = np.array([0.0, 1.0, 10.0, 25.0], dtype=np.float32)
    extra = beam.gland_per_mm * lengths - beam.bend_per_mm2 * lengths**2
    assert beam.gland_mm(extra.astype(np.float32)) == pytest.approx(lengths, abs=1e-3)
