"""Percent density against tissue of known area, and what must not change it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from outlines import moved, whole_mask, with_mask
from phantoms import Phantom, phantom

from reread.analytics.breast import find_breast
from reread.analytics.density import DensityParameters, category, film_edges, measure_density
from reread.analytics.errors import MeasurementFailed
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import DensityScore, Laterality, Mammogram, View


def measured(image: Mammogram) -> DensityScore:
    breast = find_breast(image)
    return measure_density(breast, find_pectoral(breast, image.header.view))


def mottled(
    view: View = View.MLO, radius_mm: float = 24.0, seed: int = 1, spacing_mm: float = 0.2
) -> tuple[Mammogram, Phantom]:
    """The phantom with tissue of two kinds: strands through fat, and gaps of fat in the gland."""
    truth = phantom(
        view,
        rows=round(200 / spacing_mm),
        columns=round(160 / spacing_mm),
        spacing_mm=spacing_mm,
        gland_radius_mm=radius_mm,
        mass=False,
        cluster=False,
        seed=seed,
    )
    grid = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((500, 500)).astype(np.float32), (0, 0), 1.6)
    y, x = np.mgrid[0 : truth.breast.shape[0], 0 : truth.breast.shape[1]].astype(np.float32) * np.float32(
        2 * spacing_mm
    )
    field = cv2.remap(grid, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    inside = truth.breast & ~truth.pectoral
    strands = field > np.quantile(field[inside & ~truth.dense], 0.92)
    gaps = field < np.quantile(field[truth.dense], 0.2)
    tissue = np.where(truth.dense, 0.1 - 0.16 * gaps, 0.12 * strands) - 0.1 * truth.dense
    tissue = cv2.GaussianBlur(tissue.astype(np.float32), (0, 0), 0.3 / spacing_mm)
    pixels = truth.mammogram.pixels + np.where(inside, tissue, 0)
    return Mammogram(truth.mammogram.header, pixels.astype(np.float32)), truth


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("radius_mm", [16.0, 24.0, 30.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_mottled_gland_has_its_area(view: View, radius_mm: float, seed: int) -> None:
    image, truth = mottled(view, radius_mm, seed)
    score = measured(image)
    assert score.percent_density == pytest.approx(truth.percent_density, abs=6.0)
    assert score.breast_area_mm2 == pytest.approx((truth.breast & ~truth.pectoral).sum() * 0.04, rel=0.08)
    assert score.percent_density == pytest.approx(100 * score.dense_area_mm2 / score.breast_area_mm2, abs=0.01)
    assert score.category == category(score.percent_density)


def test_more_gland_is_more_density() -> None:
    values = [measured(mottled(radius_mm=r)[0]).percent_density for r in (14.0, 20.0, 26.0, 32.0)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 10


@pytest.mark.parametrize("spacing_mm", [0.1, 0.4])
def test_spacing_does_not_matter(spacing_mm: float) -> None:
    other = measured(mottled(spacing_mm=spacing_mm)[0]).percent_density
    assert other == pytest.approx(measured(mottled()[0]).percent_density, abs=3.0)


def test_the_mirror_image_has_the_same_density() -> None:
    left = phantom(View.CC, Laterality.LEFT, chest_wall_on_left=True, noise=0, label=False).mammogram
    right = Mammogram(left.header, np.ascontiguousarray(left.pixels[:, ::-1]))
    assert measured(right).percent_density == pytest.approx(measured(left).percent_density, abs=0.2)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.1), (0.25, 0.5), (0.9, 0.0)])
def test_gain_and_offset_do_not_matter(gain: float, offset: float) -> None:
    image, _ = mottled()
    other = Mammogram(image.header, (offset + gain * image.pixels).astype(np.float32))
    assert measured(other).percent_density == pytest.approx(measured(image).percent_density, abs=0.7)


def test_a_bend_of_the_grey_scale_hardly_matters() -> None:
    image, _ = mottled()
    bent = Mammogram(image.header, (np.clip(image.pixels, 0, 1) ** 1.4).astype(np.float32))
    assert measured(bent).percent_density == pytest.approx(measured(image).percent_density, abs=3.0)


def test_noise_hardly_matters() -> None:
    image, _ = mottled()
    noise = 0.02 * np.random.default_rng(5).standard_normal(image.pixels.shape)
    assert measured(
        Mammogram(image.header, (image.pixels + noise).astype(np.float32))
    ).percent_density == pytest.approx(measured(image).percent_density, abs=3.0)


def test_the_muscle_sets_no_scale() -> None:
    """A muscle twice as bright leaves the density where it was."""
    image, truth = mottled(View.MLO)
    brighter = np.where(truth.pectoral, image.pixels + 0.2, image.pixels).astype(np.float32)
    assert measured(Mammogram(image.header, brighter)).percent_density == pytest.approx(
        measured(image).percent_density, abs=1.5
    )


def test_a_breast_without_structure_has_no_dense_tissue() -> None:
    image = phantom(View.CC, mass=False, cluster=False, label=False, noise=0, gland_radius_mm=0.1).mammogram
    flat = Mammogram(image.header, np.where(image.pixels > 0.2, 0.4, image.pixels).astype(np.float32))
    assert measured(flat).percent_density < 1


def test_too_little_breast_is_refused() -> None:
    image = phantom(View.CC).mammogram
    breast = find_breast(image)
    with pytest.raises(MeasurementFailed, match="too little"):
        measure_density(breast, None, DensityParameters(periphery_mm=200))


@pytest.mark.parametrize(
    ("percent", "letter"), [(0, "a"), (9.99, "a"), (10, "b"), (24.9, "b"), (25, "c"), (49, "c"), (50, "d"), (100, "d")]
)
def test_letters_follow_their_boundaries(percent: float, letter: str) -> None:
    assert category(percent) == letter


def test_letters_follow_configured_boundaries() -> None:
    quartiles = DensityParameters(category_b_from=25, category_c_from=50, category_d_from=75)
    assert [category(p, quartiles) for p in (24, 26, 51, 76)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("outwards_mm", [-2.0, 2.0])
@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_another_outline_hardly_matters(view: View, outwards_mm: float) -> None:
    """Two millimetres of skin line are 4 % of the area; the tissue inside stays dense or not."""
    breast = find_breast(mottled(view)[0])
    pectoral = find_pectoral(breast, view)
    score, other = measure_density(breast, pectoral), measure_density(*moved(breast, pectoral, outwards_mm))
    assert other.dense_area_mm2 == pytest.approx(score.dense_area_mm2, rel=0.06)
    assert other.breast_area_mm2 != pytest.approx(score.breast_area_mm2, rel=0.02)


def test_strips_at_the_film_edge_are_not_dense() -> None:
    """Scanned film has bright and dark strips at its border."""
    breast = find_breast(mottled(View.CC)[0])
    mask = whole_mask(breast)
    mask[-30:, :200] = True
    pixels = breast.surroundings.pixels.copy()
    pixels[-30:, :200] = 0.4
    pixels[-4:, ::9] = 0.1
    strips = with_mask(replace(breast, surroundings=replace(breast.surroundings, pixels=pixels)), mask)
    edges = film_edges(strips, DensityParameters())
    assert edges[-15:].all() and not edges[-17:-16, 10:].any()
    assert edges[:, :5].all()
    apart = measure_density(strips, None).dense_area_mm2 - measure_density(breast, None).dense_area_mm2
    naive = DensityParameters(border_mm=0.0, wall_mm=0.0)
    assert apart < measure_density(strips, None, naive).dense_area_mm2 - measure_density(breast, None).dense_area_mm2
