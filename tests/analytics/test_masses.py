"""Mass candidates: the planted one is found, whatever the side and the spacing."""

import numpy as np
import pytest
from outlines import moved
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.masses import MassParameters, find_masses
from reread.analytics.masses_maps import MassMapParameters
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, FindingKind, Laterality, Mammogram, View


def measured(image: Mammogram) -> tuple[Finding, ...]:
    breast = find_breast(image)
    return find_masses(breast, find_pectoral(breast, image.header.view))


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("laterality", list(Laterality))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_mass_is_among_the_first(view: View, laterality: Laterality, seed: int) -> None:
    # a small gland: else the dense disc is the clearest "mass" of the phantom
    truth = phantom(view, laterality, seed=seed, gland_radius_mm=12)
    assert truth.mass is not None
    hits = [
        rank
        for rank, f in enumerate(measured(truth.mammogram))
        if np.hypot(f.x_px - truth.mass[0], f.y_px - truth.mass[1]) * 0.2 < 4
    ]
    assert hits and hits[0] <= 2


def test_outline_has_the_size_of_the_mass() -> None:
    truth = phantom(View.CC, gland_radius_mm=12)
    assert truth.mass is not None
    finding = min(
        measured(truth.mammogram),
        key=lambda f: np.hypot(f.x_px - truth.mass[0], f.y_px - truth.mass[1]),  # type: ignore[index]
    )
    assert finding.kind is FindingKind.MASS
    assert finding.size_mm == pytest.approx(2 * truth.mass_radius_mm, rel=0.35)
    xs, ys = np.array(finding.outline).T
    assert xs.min() < truth.mass[0] < xs.max() and ys.min() < truth.mass[1] < ys.max()


def test_the_mirror_image_has_the_mirrored_candidates() -> None:
    left = phantom(View.CC, noise=0, label=False).mammogram
    right = Mammogram(left.header, np.ascontiguousarray(left.pixels[:, ::-1]))
    one, other = measured(left)[:5], measured(right)[:5]
    for a, b in zip(one, other, strict=True):
        assert b.x_px == pytest.approx(799 - a.x_px, abs=5)
        assert b.y_px == pytest.approx(a.y_px, abs=5)
        assert b.score == pytest.approx(a.score, abs=0.02)


@pytest.mark.parametrize("spacing_mm", [0.1, 0.4])
def test_spacing_does_not_matter(spacing_mm: float) -> None:
    first = measured(phantom(View.CC).mammogram)[0]
    image = phantom(View.CC, rows=round(200 / spacing_mm), columns=round(160 / spacing_mm), spacing_mm=spacing_mm)
    found = measured(image.mammogram)[0]
    assert found.x_px * spacing_mm == pytest.approx(first.x_px * 0.2, abs=2)
    assert found.y_px * spacing_mm == pytest.approx(first.y_px * 0.2, abs=2)
    assert found.score == pytest.approx(first.score, abs=0.1)


def test_candidates_are_in_order_and_apart() -> None:
    findings = measured(phantom().mammogram)
    scores = [f.score for f in findings]
    assert scores == sorted(scores, reverse=True)
    assert 3 <= len(findings) <= MassParameters().most
    points = np.array([(f.x_px, f.y_px) for f in findings]) * 0.2
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + 100 * np.eye(len(points))
    assert distance.min() > 6


def evidence_near(findings: tuple[Finding, ...], x_px: float, y_px: float) -> float:
    near = [f.evidence for f in findings if np.hypot(f.x_px - x_px, f.y_px - y_px) * 0.2 < 5 and f.evidence is not None]
    return max(near, default=float("nan"))


@pytest.mark.parametrize("outwards_mm", [-3.0, -1.5, 1.5, 3.0])
@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_another_outline_hardly_changes_the_evidence(view: View, outwards_mm: float) -> None:
    breast = find_breast(phantom(view, gland_radius_mm=12).mammogram)
    pectoral = find_pectoral(breast, view)
    other, muscle = moved(breast, pectoral, outwards_mm)

    def change(interior_mm: float) -> float:
        parameters = MassParameters(maps=MassMapParameters(interior_mm=interior_mm))
        strongest = find_masses(breast, pectoral, parameters)[:3]
        again = find_masses(other, muscle, parameters)
        return float(np.mean([abs(evidence_near(again, f.x_px, f.y_px) - (f.evidence or 0.0)) for f in strongest]))

    assert change(MassMapParameters().interior_mm) < 0.07
    assert change(MassMapParameters().interior_mm) < 0.6 * change(MassMapParameters().skin_mm)


def test_a_breast_without_interior_is_measured_on_all_its_tissue() -> None:
    breast = find_breast(phantom(View.CC).mammogram)
    narrow = MassParameters(maps=MassMapParameters(interior_mm=500.0))
    all_tissue = MassParameters(maps=MassMapParameters(interior_mm=MassMapParameters().skin_mm))
    assert find_masses(breast, None, narrow) == find_masses(breast, None, all_tissue)
