"""Calcification clusters: planted ones are found, lines and lone spots are not clusters."""

import cv2
import numpy as np
import pytest
from phantoms import Phantom, phantom

from reread.analytics.breast import find_breast
from reread.analytics.calcifications import CalcificationParameters, find_calcifications
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, FindingKind, Laterality, Mammogram, View


def measured(image: Mammogram) -> tuple[Finding, ...]:
    breast = find_breast(image)
    return find_calcifications(image, breast, find_pectoral(breast, image.header.view))


def assert_found(truth: Phantom, spacing_mm: float) -> None:
    findings = measured(truth.mammogram)
    assert truth.cluster is not None
    best = findings[0]
    assert best.kind is FindingKind.CALCIFICATION
    assert np.hypot(best.x_px - truth.cluster[0], best.y_px - truth.cluster[1]) * spacing_mm < 3
    assert best.operating_point == 0
    found = np.array(best.members)
    near = [np.hypot(*(found - point).T).min() * spacing_mm < 0.4 for point in truth.calcifications]
    assert sum(near) >= 6
    assert len(found) <= 12


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("laterality", list(Laterality))
@pytest.mark.parametrize("seed", [1, 2])
def test_planted_cluster_comes_first(view: View, laterality: Laterality, seed: int) -> None:
    assert_found(phantom(view, laterality, seed=seed), 0.2)


def test_at_a_tenth_of_a_millimetre_too() -> None:
    assert_found(phantom(rows=2000, columns=1600, spacing_mm=0.1), 0.1)


def test_no_cluster_is_marked_where_none_was_planted() -> None:
    marked = [f for seed in range(3) for f in measured(phantom(seed=seed, cluster=False).mammogram)]
    assert all(f.operating_point is None for f in marked)


def test_two_spots_are_no_cluster() -> None:
    image = phantom(View.CC, cluster=False, noise=0).mammogram
    pixels = image.pixels.copy()
    for x in (200, 215):
        pixels[300, x] += 0.3
    assert all(len(f.members) >= 3 for f in measured(Mammogram(image.header, pixels)))
    assert not [f for f in measured(Mammogram(image.header, pixels)) if f.operating_point is not None]


def test_a_vessel_is_not_a_cluster() -> None:
    image = phantom(View.CC, cluster=False).mammogram
    line = np.zeros(image.pixels.shape, np.float32)
    cv2.polylines(line, [np.array([[60, 250], [160, 290], [260, 300]], np.int32)], False, 1.0, 1, cv2.LINE_AA)
    pixels = image.pixels + 0.12 * cv2.GaussianBlur(line, (0, 0), 1.0)
    findings = measured(Mammogram(image.header, pixels.astype(np.float32)))
    assert all(f.operating_point is None for f in findings)


def test_findings_are_in_order_and_within_the_image() -> None:
    findings = measured(phantom(noise=0.02).mammogram)
    scores = [f.score for f in findings]
    assert scores == sorted(scores, reverse=True)
    assert len(findings) <= CalcificationParameters().most
    for finding in findings:
        assert 0 <= finding.score <= 1
        assert len(finding.members) >= 3
        assert len(finding.outline) >= 3
        assert 0 < finding.size_mm < 12
        xs, ys = np.array(finding.members).T
        assert xs.min() >= 0 and xs.max() <= 799 and ys.min() >= 0 and ys.max() <= 999


def test_no_calcification_belongs_to_two_clusters() -> None:
    members = [m for f in measured(phantom(noise=0.02, seed=4).mammogram) for m in f.members]
    assert len(members) == len(set(members))
