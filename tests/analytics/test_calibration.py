"""The table of operating points: complete, in order, and what the findings are marked by."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import phantom

from reread.analytics.calibration import ImageKind, built_in_table, image_kind, operating_point, read_table
from reread.analytics.errors import SettingsInvalid
from reread.analytics.measurement import MammographyAnalysis, Parameters
from reread.analytics.records import Acquisition, FindingKind, ImageHeader


def text(**changes: object) -> str:
    point = [
        {"least_score": 0.3, "sensitivity": 0.5, "false_marks_per_image": 0.25},
        {"least_score": 0.2, "sensitivity": 0.6, "false_marks_per_image": 0.5},
        {"least_score": 0.1, "sensitivity": 0.7, "false_marks_per_image": 1.0},
    ]
    kind: dict[str, object] = {"slope": 2.0, "intercept": -4.0, "lesions": 9, "normal_images": 20, "points": point}
    kind |= {"chosen_on": "x", "measured_on": "y"} | changes
    film = {k.value: kind for k in FindingKind}
    raw = {"mass": {**kind, "points": point, "slope": 3.0, "intercept": -6.0}}
    return json.dumps({"version": "t", "images": {"film": film, "processing": raw}})


def header(**changes: object) -> ImageHeader:
    return replace(phantom().mammogram.header, **changes)


def test_the_built_in_table_is_measured_and_in_order() -> None:
    table = built_in_table()
    assert table.version
    for (image, _), calibration in table.entries.items():
        assert ("mini-MIAS" in calibration.measured_on) == (image is ImageKind.FILM)
        assert calibration.lesions >= 10 and calibration.normal_images >= 40
        assert [point.number for point in calibration.points] == [0, 1, 2]
        sensitivity = [point.sensitivity for point in calibration.points]
        false = [point.false_marks_per_image for point in calibration.points]
        assert sensitivity == sorted(sensitivity) and 0 < sensitivity[0] <= sensitivity[2] <= 1
        # few images: the strictest point may have no false mark on the set that confirms it
        assert false == sorted(false) and false[0] >= 0 and false[2] > 0
        assert sorted(calibration.thresholds, reverse=True) == list(calibration.thresholds)


@given(st.floats(-1e6, 1e6), st.floats(0, 10))
def test_more_evidence_is_never_less_probable(evidence: float, more: float) -> None:
    calibration = built_in_table().entries[ImageKind.FILM, FindingKind.MASS]
    first, second = calibration.probability(evidence), calibration.probability(evidence + more)
    assert 0 <= first <= second <= 1


def test_a_table_is_read() -> None:
    calibration = read_table(text()).entries[ImageKind.FILM, FindingKind.MASS]
    assert calibration.probability(2.0) == 0.5
    assert calibration.thresholds == (0.3, 0.2, 0.1)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "[]",
        "{}",
        text(slope=-1.0),
        text(points=[]),
        text(slope="steep"),
        text(points=json.loads(text())["images"]["film"]["mass"]["points"][::-1]),
        text().replace('"film"', '"slide"'),
        json.dumps({"version": "t", "images": {}}),
        json.dumps({"version": "t", "images": []}),
    ],
)
def test_a_broken_table_is_refused(bad: str) -> None:
    with pytest.raises(SettingsInvalid, match="operating points"):
        read_table(bad)


@pytest.mark.parametrize(("score", "point"), [(0.95, 0), (0.8, 0), (0.75, 1), (0.6, 2), (0.59, None)])
def test_operating_point_is_the_most_specific_one(score: float, point: int | None) -> None:
    assert operating_point(score, (0.8, 0.7, 0.6)) == point


def test_findings_carry_the_probability_of_their_evidence() -> None:
    result = MammographyAnalysis().measure(phantom().mammogram)
    for finding in result.findings:
        calibration = built_in_table().of(result.header, finding.kind)
        assert finding.evidence is not None
        assert finding.score == pytest.approx(calibration.probability(finding.evidence), abs=2e-5)
        assert finding.operating_point == operating_point(finding.score, calibration.thresholds)


def test_the_version_of_the_table_is_part_of_the_parameters() -> None:
    assert Parameters().operating_points == built_in_table().version
    assert Parameters(operating_points="other").digest != Parameters().digest


MG, MG_RAW, CAPTURE, CR = (
    "1.2.840.10008.5.1.4.1.1.1.2",
    "1.2.840.10008.5.1.4.1.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.1",
)


@pytest.mark.parametrize(
    ("sop_class", "raw", "detector", "kind"),
    [
        (MG, False, "DIRECT", ImageKind.PRESENTATION),
        (MG, False, "", ImageKind.PRESENTATION),
        (MG, False, "FILM", ImageKind.FILM),
        (MG_RAW, True, "SCINTILLATOR", ImageKind.PROCESSING),
        (CAPTURE, False, "", ImageKind.FILM),
        (f"{CAPTURE}.2", False, "", ImageKind.FILM),
        (f"{CAPTURE}1", False, "", ImageKind.PRESENTATION),
        (CAPTURE, False, "SCINTILLATOR", ImageKind.PRESENTATION),
        (CR, False, "STORAGE", ImageKind.PRESENTATION),
    ],
)
def test_the_kind_of_an_image(sop_class: str, raw: bool, detector: str, kind: ImageKind) -> None:
    acquisition = Acquisition(detector_type=detector)
    assert image_kind(header(sop_class_uid=sop_class, for_processing=raw, acquisition=acquisition)) is kind


def test_a_kind_without_an_entry_is_marked_like_film() -> None:
    table = read_table(text())
    raw, shown = header(for_processing=True), header(sop_class_uid=MG, for_processing=False)
    assert table.of(raw, FindingKind.MASS).probability(2.5) > table.of(shown, FindingKind.MASS).probability(2.0) == 0.5
    assert table.of(raw, FindingKind.CALCIFICATION) == table.entries[ImageKind.FILM, FindingKind.CALCIFICATION]
