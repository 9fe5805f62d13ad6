"""Left against right: a difference counts, a general difference does not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.asymmetry import AsymmetryParameters, compared, difference
from reread.analytics.breast import find_breast
from reread.analytics.calibration import ImageKind, built_in_table
from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, FindingKind, Laterality, Mammogram, Nature, Signature, View
from reread.analytics.signatures import MUSCLE, grid_of, signature_of, to_cells, to_pixels
from reread.analytics.study import combine_study

CALIBRATION = built_in_table().entries[ImageKind.FILM, FindingKind.MASS]
L, R = Laterality.LEFT, Laterality.RIGHT


def breast_of(side: Laterality, view: View = View.CC, *, bump: float = 0.0, shift_px: int = 0) -> Mammogram:
    image = phantom(view, side, mass=False, cluster=False, label=False, noise=0.003).mammogram
    y, x = np.mgrid[0:1000, 0:800]
    column = 180 if side is L else 799 - 180
    pixels = image.pixels + bump * np.exp(-(np.hypot(x - column, y - 320) ** 2) / (2 * 40.0**2))
    if shift_px:
        move = np.array([[1, 0, 0], [0, 1, shift_px]], np.float32)
        pixels = cv2.warpAffine(pixels.astype(np.float32), move, (800, 1000), borderMode=cv2.BORDER_REPLICATE)
    return Mammogram(image.header, pixels.astype(np.float32))


def signature(image: Mammogram) -> Signature:
    breast = find_breast(image)
    pectoral = find_pectoral(breast, image.header.view)
    return signature_of(breast, pectoral, find_nipple(breast, pectoral))


def at_bump(own: Signature, plane: np.ndarray, side: Laterality) -> float:
    cell = to_cells(own, np.array([[180.0 if side is L else 619.0, 320.0]]))[0].round().astype(int)
    return float(plane[cell[1], cell[0]])


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("side", [L, R])
def test_what_one_breast_has_more_stands_out(view: View, side: Laterality) -> None:
    other_side = R if side is L else L
    own, other = signature(breast_of(side, view, bump=0.25)), signature(breast_of(other_side, view))
    plane = difference(own, other)
    assert plane is not None
    assert at_bump(own, plane, side) > 2
    back = difference(other, own)
    assert back is not None
    assert at_bump(other, back, other_side) < -1.5


def test_a_shifted_breast_is_registered() -> None:
    own, other = signature(breast_of(L, bump=0.25)), signature(breast_of(R, shift_px=50))
    plane = difference(own, other)
    assert plane is not None
    peak = np.unravel_index(int(np.argmax(plane)), plane.shape)
    where = to_pixels(own, np.array([[peak[1], peak[0]]], np.float64))[0]
    assert np.hypot(where[0] - 180, where[1] - 320) * 0.2 < 12


def test_gain_and_offset_leave_the_signature_alone() -> None:
    image = breast_of(L, bump=0.2)
    other = Mammogram(image.header, (0.6 * image.pixels + 0.15).astype(np.float32))
    one, two = grid_of(signature(image)), grid_of(signature(other))
    assert one.brightness.shape == two.brightness.shape
    assert np.abs(one.brightness - two.brightness)[one.tissue & two.tissue].mean() < 0.05


def test_a_signature_is_small_and_says_where_it_lies() -> None:
    image = breast_of(R, View.MLO)
    found = signature(image)
    assert len(found.levels) == found.rows * found.columns < 12000
    assert found == signature(image)
    assert (grid_of(found).muscle == (np.frombuffer(found.levels, np.uint8).reshape(found.rows, -1) == MUSCLE)).all()
    assert grid_of(found).muscle.any()
    cells = np.array([[0.0, 0.0], [7.0, 31.0]])
    assert to_cells(found, to_pixels(found, cells)) == pytest.approx(cells, abs=1e-6)
    assert found.nipple is not None
    nipple = to_pixels(found, np.array([found.nipple]))[0]
    breast = find_breast(image)
    truth = find_nipple(breast, find_pectoral(breast, View.MLO))
    assert nipple == pytest.approx((truth.x_px, truth.y_px), abs=0.1)


def candidate(x: float, y: float, evidence: float) -> Finding:
    return Finding(
        FindingKind.MASS, x, y, round(CALIBRATION.probability(evidence), 5), None, (), 10.0, evidence=evidence
    )


def test_the_difference_joins_the_evidence_of_a_candidate() -> None:
    own, other = signature(breast_of(L, bump=0.25)), signature(breast_of(R))
    found = compared((candidate(180, 320, 1.0), candidate(150, 700, 1.0)), own, other, CALIBRATION)
    first, second = found[:2]
    assert (first.x_px, first.y_px) == (180, 320)
    assert first.evidence is not None and second.evidence is not None
    assert first.evidence > 1.1 > second.evidence
    assert first.score == round(CALIBRATION.probability(first.evidence), 5)


def test_a_difference_without_a_candidate_becomes_an_asymmetry() -> None:
    own, other = signature(breast_of(L, bump=0.25)), signature(breast_of(R))
    found = compared((), own, other, CALIBRATION, AsymmetryParameters(alone_from=2.0))
    assert found and {f.nature for f in found} == {Nature.ASYMMETRY}
    assert min(np.hypot(f.x_px - 180, f.y_px - 320) * 0.2 for f in found) < 12
    shape = found[0].shape
    assert shape is not None and shape.contrast_percent > 10 and shape.margin_mm is None
    ends = np.array(shape.long_axis) * 0.2
    assert np.hypot(*(ends[0] - ends[1])) == pytest.approx(found[0].size_mm, abs=1.3 * own.spacing_mm)
    assert shape.short_axis_mm is not None and 8 < shape.short_axis_mm <= found[0].size_mm
    assert shape.chest_wall_distance_mm == pytest.approx(found[0].x_px * 0.2, abs=8)
    near = candidate(found[0].x_px, found[0].y_px, 1.0)
    again = compared((near,), own, other, CALIBRATION, AsymmetryParameters(alone_from=2.0))
    assert sum(f.nature is Nature.ASYMMETRY for f in again) < len(found)


def test_clusters_and_findings_without_evidence_stay_as_they_are() -> None:
    own, other = signature(breast_of(L, bump=0.25)), signature(breast_of(R))
    cluster = Finding(FindingKind.CALCIFICATION, 180, 320, 0.4, 1, (), 5.0, evidence=3.0)
    foreign = Finding(FindingKind.MASS, 180, 320, 0.4, 1, (), 5.0)
    found = compared((foreign, cluster), own, other, CALIBRATION)
    assert cluster in found and foreign in found


def test_too_little_common_area_is_not_compared() -> None:
    own = signature(breast_of(L))
    tiny = replace(own, levels=bytes(own.rows * own.columns))
    assert difference(own, tiny) is None
    findings = (candidate(180, 320, 1.0),)
    assert compared(findings, own, tiny, CALIBRATION) == findings


def test_the_study_compares_the_same_views_of_both_sides_whatever_the_order() -> None:
    analysis = MammographyAnalysis()
    images = [analysis.measure(breast_of(side, bump=bump)) for side, bump in ((L, 0.25), (R, 0.0))]

    def joined(chosen: list) -> tuple:  # type: ignore[type-arg]
        study = combine_study(study_instance_uid="1", revision=1, woman="w", study_date="", images=chosen, rejected=())
        return tuple((i.header.laterality, i.findings) for i in study.images)

    assert joined(images) == joined(images[::-1])
    (_, left), _ = joined(images)
    single = {(f.x_px, f.y_px): f.evidence for f in images[0].findings}
    near = min((f for f in left if f.kind is FindingKind.MASS), key=lambda f: np.hypot(f.x_px - 180, f.y_px - 320))
    before = single.get((near.x_px, near.y_px))
    assert near.evidence is not None and (before is None or near.evidence > before)
    # one side alone is not changed
    alone = combine_study(study_instance_uid="1", revision=1, woman="w", study_date="", images=images[:1], rejected=())
    assert alone.images[0].findings == images[0].findings
    # nor is one by a raw image of the other side
    raw = replace(images[1], header=replace(images[1].header, for_processing=True))
    mixed = combine_study(
        study_instance_uid="1", revision=1, woman="w", study_date="", images=[images[0], raw], rejected=()
    )
    assert mixed.images[0].findings == images[0].findings
