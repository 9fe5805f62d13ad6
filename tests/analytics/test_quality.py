"""Quality and positioning against images that were made worse on purpose."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import search_pectoral
from reread.analytics.positioning import measure_positioning
from reread.analytics.quality import measure_quality
from reread.analytics.reasons import MuscleOutcome
from reread.analytics.records import ImageQuality, Laterality, Mammogram, Positioning, Provenance, View
from reread.analytics.study import combine_study
from reread.analytics.tables import tables


def image(view: View = View.CC, noise: float = 0.004, **given: object) -> Mammogram:
    """The phantom with fine detail."""
    plain = phantom(view, rows=1500, columns=1200, spacing_mm=0.13, noise=0.0, **given).mammogram
    rng = np.random.default_rng(3)
    detail = cv2.GaussianBlur(rng.standard_normal(plain.pixels.shape).astype(np.float32), (0, 0), 1.8)
    detail += 2 * cv2.GaussianBlur(rng.standard_normal(plain.pixels.shape).astype(np.float32), (0, 0), 8.0)
    pixels = plain.pixels + np.where(plain.pixels > 0.2, 0.08 * detail, 0)
    pixels += noise * rng.standard_normal(pixels.shape)
    return Mammogram(plain.header, pixels.astype(np.float32))


def quality(mammogram: Mammogram) -> ImageQuality:
    breast = find_breast(mammogram)
    found = measure_quality(mammogram, breast, search_pectoral(breast, mammogram.header.view)[0])
    assert found is not None
    return found


def changed(mammogram: Mammogram, pixels: np.ndarray) -> Mammogram:
    return Mammogram(mammogram.header, np.ascontiguousarray(pixels, dtype=np.float32))


def test_blur_lowers_sharpness() -> None:
    sharp = image()
    values = [quality(changed(sharp, cv2.GaussianBlur(sharp.pixels, (0, 0), s))).sharpness for s in (0.01, 1.5, 3.0)]
    assert values[0] > 1.3 * values[1] > 1.3 * 1.3 * values[2]


def test_noise_is_measured_in_proportion() -> None:
    one, four = (quality(image(noise=level)).noise for level in (0.01, 0.04))
    assert four / one == pytest.approx(4, rel=0.25)


def test_motion_is_told_from_blur() -> None:
    sharp = image()
    moved = changed(sharp, cv2.blur(sharp.pixels, (1, 9)))
    blurred = changed(sharp, cv2.GaussianBlur(sharp.pixels, (0, 0), 2.0))
    assert quality(moved).motion > quality(sharp).motion + 0.3
    assert quality(blurred).motion < quality(sharp).motion + 0.1


def test_clipping_is_counted() -> None:
    good = image(label=False)
    assert quality(good).clipped_bright < 0.001
    level = float(np.quantile(good.pixels[good.pixels > 0.2], 0.9))
    found = quality(changed(good, np.minimum(good.pixels, level)))
    assert found.clipped_bright == pytest.approx(0.1, abs=0.03)


def test_gain_and_offset_matter_to_the_level_alone() -> None:
    first = image()
    one, other = quality(first), quality(changed(first, 0.1 + 0.5 * first.pixels))
    assert other.mean_level == pytest.approx(0.1 + 0.5 * one.mean_level, abs=0.01)
    assert (other.sharpness, other.noise, other.motion) == pytest.approx(
        (one.sharpness, one.noise, one.motion), rel=0.05, abs=0.005
    )


def test_mirrored_images_have_the_same_quality() -> None:
    left = image()
    one, other = quality(left), quality(changed(left, left.pixels[:, ::-1]))
    assert other.sharpness == pytest.approx(one.sharpness, rel=0.02)
    assert other.motion == pytest.approx(one.motion, abs=0.02)


def test_a_breast_cut_off_has_its_length_at_the_border() -> None:
    whole = image()
    assert quality(whole).cut_front_mm == 0
    cut = changed(whole, whole.pixels[:, :500])
    cut = Mammogram(replace(cut.header, columns=500), cut.pixels)
    found = quality(cut)
    assert found.cut_front_mm is not None and found.cut_front_mm > 30
    assert found.cut_above_mm == 0


def positioning(mammogram: Mammogram) -> Positioning:
    breast = find_breast(mammogram)
    muscle, _ = search_pectoral(breast, mammogram.header.view)
    return measure_positioning(breast, muscle, find_nipple(breast, muscle), mammogram.header)


def test_nipple_line_of_a_cranio_caudal_view() -> None:
    truth = phantom(View.CC)
    found = positioning(truth.mammogram)
    assert found.posterior_nipple_line_mm == pytest.approx(truth.nipple[0] * 0.2, abs=5)
    assert found.muscle_width_mm is None and found.muscle_reaches_nipple_level is None and found.fold_on_image is None


@pytest.mark.parametrize("laterality", list(Laterality))
def test_muscle_of_an_oblique_view(laterality: Laterality) -> None:
    truth = phantom(View.MLO, laterality)
    found = positioning(truth.mammogram)
    assert truth.pectoral_angle_deg is not None
    assert found.muscle_angle_deg == pytest.approx(truth.pectoral_angle_deg, abs=5)
    rows = np.flatnonzero(truth.pectoral.any(axis=1))
    columns = truth.pectoral[rows[8]].sum()
    assert found.muscle_width_mm == pytest.approx(columns * 0.2, abs=6)
    assert found.muscle_length_mm == pytest.approx(rows.size * 0.2, abs=10)
    assert found.fold_on_image is True
    assert found.posterior_nipple_line_mm is not None and found.muscle_below_nipple_level_mm is not None
    # the line meets the muscle exactly where the muscle goes on below it
    assert found.muscle_reaches_nipple_level is (found.muscle_below_nipple_level_mm > 0)


def test_without_spacing_only_what_has_no_scale() -> None:
    truth = phantom(View.MLO)
    unknown = Mammogram(replace(truth.mammogram.header, spacing_known=False), truth.mammogram.pixels)
    found, graded = positioning(unknown), quality(unknown)
    assert found.muscle_angle_deg is not None and found.muscle_reaches_nipple_level is not None
    assert found.posterior_nipple_line_mm is None and found.muscle_width_mm is None
    assert graded.cut_front_mm is None and graded.sharpness > 0


def test_a_missing_muscle_has_its_reason() -> None:
    fatty = find_breast(phantom(View.CC, mass=False, gland_radius_mm=10).mammogram)
    assert search_pectoral(fatty, View.CC) == (None, MuscleOutcome.NOT_IN_VIEW)
    muscle, why = search_pectoral(fatty, View.MLO)
    assert muscle is None and why in (MuscleOutcome.NO_CLEAR_EDGE, MuscleOutcome.TOO_SMALL)
    assert all(outcome.sentence for outcome in MuscleOutcome)


def test_tables_hold_quality_and_repeatability() -> None:
    analysis = MammographyAnalysis()
    results = [
        analysis.measure(phantom(view, side, gland_radius_mm=24 + 4 * (side is Laterality.LEFT)).mammogram)
        for view in (View.CC, View.MLO)
        for side in Laterality
    ]
    study = combine_study(
        study_instance_uid="2.25.1", revision=1, woman="w", study_date="", images=results, rejected=[]
    )
    made = tables([study], Provenance("reread-mammography", "0.1.0", "0" * 16, "run", "2026-01-02T00:00:00Z"))
    rows = made["quality"].to_pylist()
    assert [row["muscle_outcome"] for row in rows] == [image.muscle_outcome for image in study.images]
    assert all(row["sharpness"] > 0 and row["spacing_known"] for row in rows)
    woman = made["studies"].to_pylist()[0]
    assert woman["density_left_right"] == pytest.approx(woman["percent_density_left"] - woman["percent_density_right"])
    value = {(image.header.laterality, image.header.view): image.density.percent_density for image in study.images}
    expected = [value[side, View.CC] - value[side, View.MLO] for side in Laterality]
    assert woman["density_between_views"] == pytest.approx(np.mean(expected))
    assert woman["nipple_line_left_mm"] is not None
    assert woman["volumetric_percent"] is None
    assert {row["volumetric_refusal"] for row in made["density"].to_pylist()} == {"for_presentation"}
