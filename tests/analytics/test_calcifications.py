"""Calcification clusters: planted ones are found, lines and lone spots are not clusters."""

import cv2
import numpy as np
import pytest
from phantoms import Phantom, phantom

from reread.analytics.breast import find_breast
from reread.analytics.calcifications import CalcificationParameters, evidence_of, find_calcifications, scan
from reread.analytics.calcifications_spots import SpotParameters, Spots, find_spots, least_z_at
from reread.analytics.calcifications_vessels import along_a_vessel
from reread.analytics.frame import resample
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, FindingKind, Laterality, Mammogram, Nature, View


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


def test_noise_alone_gives_no_more_marks_than_the_operating_points_allow() -> None:
    marks = [f.operating_point for seed in range(6) for f in measured(phantom(seed=seed, cluster=False).mammogram)]
    assert 0 not in marks and 1 not in marks
    assert marks.count(2) <= 3  # half a false mark an image


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


def spots_at(points_mm: list[tuple[float, float]], strength: float = 6.0, spacing_mm: float = 0.2) -> Spots:
    points = np.array(points_mm, np.float64) / spacing_mm
    usable = np.ones((500, 500), dtype=bool)
    return Spots(
        points, np.full(len(points), strength), np.full(len(points), 0.3), usable, 3.0, np.empty((0, 2)), np.empty(0)
    )


SCATTERED = [(float(x), float(y)) for x in range(8, 100, 14) for y in range(8, 100, 14)]


def test_the_same_spots_surprise_less_where_spots_are_common() -> None:
    group = [(50.0, 50.0), (51.0, 50.0), (50.0, 51.0), (51.0, 51.0)]
    alone, _ = scan(spots_at(group), 0.2, CalcificationParameters())
    among, _ = scan(spots_at(group + SCATTERED), 0.2, CalcificationParameters())
    assert alone[0] > among[0] > 3
    assert among[10] == 0


def test_a_closer_group_surprises_more() -> None:
    def surprise(apart_mm: float) -> float:
        group = [(50.0 + apart_mm * a, 50.0 + apart_mm * b) for a in (0, 1) for b in (0, 1)]
        return float(scan(spots_at(group + SCATTERED), 0.2, CalcificationParameters())[0][0])

    assert surprise(0.7) > surprise(2.0) > surprise(9.0) == 0


def test_the_cluster_rule_is_a_setting() -> None:
    group = [(50.0, 50.0), (51.0, 50.0), (50.0, 51.0)]
    assert scan(spots_at(group), 0.2, CalcificationParameters())[0].max() > 0
    # in a circle of 3 mm2 no radius is left
    assert scan(spots_at(group), 0.2, CalcificationParameters(area_mm2=3.0))[0].max() == 0
    image = phantom().mammogram
    breast = find_breast(image)
    strict = find_calcifications(image, breast, None, CalcificationParameters(least_members=6))
    assert strict and all(len(f.members) >= 6 for f in strict)


def test_members_on_a_line_count_less_and_three_are_no_line() -> None:
    line = spots_at([(40.0 + x, 50.0) for x in range(6)])
    field = spots_at([(40.0, 50.0), (42.0, 50.0), (41.0, 52.0), (43.0, 51.5), (40.5, 53.0), (42.5, 53.0)])
    all_six, three = np.arange(6), np.arange(3)
    parameters = CalcificationParameters()
    assert evidence_of(line, all_six, 9.0, 0.2, parameters) < 0.5 * evidence_of(field, all_six, 9.0, 0.2, parameters)
    assert evidence_of(line, three, 9.0, 0.2, parameters) == evidence_of(field, three, 9.0, 0.2, parameters)


def test_the_strongest_spot_alone_is_no_evidence() -> None:
    weak = spots_at([(40.0, 50.0), (41.0, 50.0), (40.0, 51.0)], strength=3.0)
    one_strong = Spots(
        weak.points, np.array([50.0, 3.0, 3.0]), weak.size_mm, weak.usable, 3.0, weak.dashes, weak.dash_strength
    )
    assert evidence_of(one_strong, np.arange(3), 9.0, 0.2, CalcificationParameters()) == 0


def found_spots(image: Mammogram) -> Spots:
    breast = find_breast(image)
    frame = resample(image, 0.1, mirrored=not breast.region.chest_wall_on_left, crop_px=breast.crop_px)
    return find_spots(frame, breast, None)


def with_disc(radius_mm: float, height: float = 0.3) -> Mammogram:
    image = phantom(View.CC, cluster=False, mass=False, label=False, gland_radius_mm=5).mammogram
    y, x = np.mgrid[0:1000, 0:800]
    away = np.hypot(x - 150, y - 300) * 0.2
    pixels = image.pixels + np.where(away <= radius_mm, np.float32(height), np.float32(0))
    return Mammogram(image.header, np.clip(pixels, 0, 1).astype(np.float32))


def near(spots: Spots, image: Mammogram, within_mm: float) -> int:
    crop = find_breast(image).crop_px
    away = np.hypot(spots.points[:, 0] + crop[0] - 150, spots.points[:, 1] + crop[1] - 300) * 0.2
    return int((away < within_mm).sum())


def test_a_small_disc_is_one_spot_and_a_coarse_one_none() -> None:
    small, coarse = with_disc(0.4), with_disc(2.0)
    assert near(found_spots(small), small, 1.5) == 1
    assert near(found_spots(coarse), coarse, 3.5) == 0


def test_a_strip_of_bare_film_gives_no_spots() -> None:
    image = phantom(View.CC, cluster=False, label=False).mammogram
    pixels = image.pixels.copy()
    top = int(np.flatnonzero((pixels > 0.15).any(axis=1))[0])
    rng = np.random.default_rng(3)
    pixels[top + 10 : top + 45, :200] += 0.08 * rng.standard_normal((35, 200)).astype(np.float32)
    spoiled = Mammogram(image.header, np.clip(pixels, 0, 1))
    spots, crop = found_spots(spoiled), find_breast(spoiled).crop_px
    assert not ((spots.points[:, 1] + crop[1] < top + 45) & (spots.points[:, 0] < 190)).any()


def test_finer_pixels_need_clearer_spots() -> None:
    parameters = SpotParameters()
    assert least_z_at(0.2, parameters) == parameters.least_z == least_z_at(0.4, parameters)
    assert least_z_at(0.07, parameters) > least_z_at(0.1, parameters) > parameters.least_z


def test_a_breast_in_a_tenth_of_a_raw_range_gives_the_same_cluster() -> None:
    truth = phantom(View.CC, label=False)
    plain = measured(truth.mammogram)[0]
    narrow = np.rint((0.1 * truth.mammogram.pixels + 0.4) * 65535) / 65535
    raw = measured(Mammogram(truth.mammogram.header, narrow.astype(np.float32)))[0]
    assert (raw.x_px, raw.y_px) == pytest.approx((plain.x_px, plain.y_px), abs=3)
    assert raw.evidence == pytest.approx(plain.evidence, rel=0.1)


def test_grey_steps_of_a_smooth_image_are_no_spots() -> None:
    image = phantom(View.CC, cluster=False, label=False).mammogram
    smooth = cv2.GaussianBlur(image.pixels, (0, 0), 8.0)
    spots = found_spots(Mammogram(image.header, np.rint(smooth * 255) / np.float32(255)))
    assert len(spots.points) == 0


def test_gain_and_mirror_image_do_not_matter() -> None:
    truth = phantom(View.CC, label=False)
    pixels = truth.mammogram.pixels
    plain = measured(truth.mammogram)[0]
    darker = measured(Mammogram(truth.mammogram.header, (0.7 * pixels + 0.05).astype(np.float32)))[0]
    mirror = measured(Mammogram(truth.mammogram.header, np.ascontiguousarray(pixels[:, ::-1])))[0]
    assert len(darker.members) == len(plain.members) == len(mirror.members)
    assert darker.evidence == pytest.approx(plain.evidence, rel=0.1)
    assert (mirror.x_px, mirror.y_px) == pytest.approx((799 - plain.x_px, plain.y_px), abs=3)


def test_a_cluster_keeps_position_and_size_of_each_calcification() -> None:
    best = measured(phantom().mammogram)[0]
    assert best.nature is Nature.CLUSTER
    assert len(best.member_sizes_mm) == len(best.members)
    # planted with a standard deviation of 0.2 mm
    assert all(0.1 < size < 1.5 for size in best.member_sizes_mm)
    assert best.shape is not None
    assert best.shape.contrast_percent > 20
    assert best.shape.spiculation_percent is None and best.shape.margin_mm is None
    assert 20 < best.shape.area_mm2 < 100


def tram_tracks(length_mm: float, bend: float = 0.0) -> np.ndarray:
    """Two rows of dashes 2 mm apart."""
    along = np.arange(0.0, length_mm, 1.3)
    middle = bend * (along - length_mm / 2) ** 2
    return np.concatenate([np.column_stack([along, middle + side]) for side in (-1.0, 1.0)])


@pytest.mark.parametrize("bend", [0.0, 0.03])
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_tram_tracks_are_a_vessel_whatever_their_direction(bend: float, angle: float) -> None:
    tracks = tram_tracks(24.0, bend)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = tracks @ turn.T
    assert along_a_vessel(turned[len(turned) // 4], turned)


def test_a_group_a_short_row_and_few_objects_are_no_vessel() -> None:
    rng = np.random.default_rng(5)
    group = rng.uniform(-5, 5, (30, 2))
    assert not along_a_vessel(group.mean(axis=0), group)
    short = tram_tracks(8.0)
    assert not along_a_vessel(short.mean(axis=0), short)
    few = tram_tracks(24.0)[::8]
    assert not along_a_vessel(few.mean(axis=0), few)
    far = tram_tracks(24.0) + 100.0
    assert not along_a_vessel(np.zeros(2), far)
    assert not along_a_vessel(np.zeros(2), np.empty((0, 2)))


def test_a_row_with_a_wide_gap_ends_there() -> None:
    parts = np.concatenate([tram_tracks(7.0), tram_tracks(7.0) + np.array([14.0, 0.0])])
    assert not along_a_vessel(np.array([10.0, 0.0]), parts)


def test_a_calcified_artery_counts_less_than_a_cluster() -> None:
    image = phantom(View.CC, cluster=False, mass=False, label=False, gland_radius_mm=6).mammogram
    y, x = np.mgrid[0:1000, 0:800]
    artery, cluster = image.pixels.copy(), image.pixels.copy()
    spots = tram_tracks(26.0)
    rng = np.random.default_rng(2)
    for at_x, at_y in spots:
        artery += 0.2 * np.exp(-(np.hypot(x - 80 - 5 * at_x, y - 300 - 5 * at_y) ** 2) / 2)
        dx, dy = rng.uniform(-3.5, 3.5, 2)
        cluster += 0.2 * np.exp(-(np.hypot(x - 150 - 5 * dx, y - 300 - 5 * dy) ** 2) / 2)
    along, apart = (measured(Mammogram(image.header, pixels))[0] for pixels in (artery, cluster))
    assert along.evidence is not None and apart.evidence is not None
    assert along.evidence < 0.5 * apart.evidence
