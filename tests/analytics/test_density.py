"""Percent density against discs of known area."""

from dataclasses import replace

import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.density import DensityParameters, attenuation, category, measure_density
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import DensityScore, Laterality, Mammogram, View


def measured(image: Mammogram) -> DensityScore:
    breast = find_breast(image)
    return measure_density(breast, find_pectoral(breast, image.header.view), for_processing=image.header.for_processing)


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("radius_mm", [16.0, 24.0, 30.0])
def test_dense_disc_has_its_area(view: View, radius_mm: float) -> None:
    truth = phantom(view, gland_radius_mm=radius_mm, mass=False)
    score = measured(truth.mammogram)
    assert score.percent_density == pytest.approx(truth.percent_density, abs=10.0)
    assert score.breast_area_mm2 == pytest.approx((truth.breast & ~truth.pectoral).sum() * 0.04, rel=0.08)
    assert score.percent_density == pytest.approx(100 * score.dense_area_mm2 / score.breast_area_mm2, abs=0.01)
    assert score.category == category(score.percent_density)


def test_more_gland_is_more_density() -> None:
    values = [measured(phantom(gland_radius_mm=r).mammogram).percent_density for r in (14.0, 20.0, 26.0, 32.0)]
    assert values == sorted(values)


@pytest.mark.parametrize("spacing_mm", [0.1, 0.4])
def test_spacing_does_not_matter(spacing_mm: float) -> None:
    image = phantom(rows=round(200 / spacing_mm), columns=round(160 / spacing_mm), spacing_mm=spacing_mm).mammogram
    assert measured(image).percent_density == pytest.approx(measured(phantom().mammogram).percent_density, abs=2.0)


def test_the_mirror_image_has_the_same_density() -> None:
    left = phantom(View.CC, Laterality.LEFT, chest_wall_on_left=True, noise=0, label=False).mammogram
    right = Mammogram(left.header, np.ascontiguousarray(left.pixels[:, ::-1]))
    assert measured(right).percent_density == pytest.approx(measured(left).percent_density, abs=0.2)


def test_brightness_and_contrast_do_not_matter() -> None:
    image = phantom().mammogram
    dim = Mammogram(image.header, (0.1 + 0.5 * image.pixels).astype(np.float32))
    assert measured(dim).percent_density == pytest.approx(measured(image).percent_density, abs=1.5)


def test_raw_values_are_taken_through_the_logarithm() -> None:
    """A detector's raw image of the phantom gives the density of the phantom."""
    image = phantom(View.CC, label=False).mammogram
    raw = Mammogram(
        replace(image.header, for_processing=True), (1 - np.exp(-image.pixels * np.log(4096))).astype(np.float32)
    )
    assert attenuation(raw.pixels) == pytest.approx(image.pixels, abs=2e-3)
    assert measured(raw).percent_density == pytest.approx(measured(image).percent_density, abs=3.0)


@pytest.mark.parametrize(
    ("percent", "letter"), [(0, "a"), (9.99, "a"), (10, "b"), (24.9, "b"), (25, "c"), (49, "c"), (50, "d"), (100, "d")]
)
def test_letters_follow_their_boundaries(percent: float, letter: str) -> None:
    assert category(percent) == letter


def test_letters_follow_configured_boundaries() -> None:
    quartiles = DensityParameters(category_b_from=25, category_c_from=50, category_d_from=75)
    assert [category(p, quartiles) for p in (24, 26, 51, 76)] == ["a", "b", "c", "d"]
