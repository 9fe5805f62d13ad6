"""The table of operating points: complete, in order, and what the findings are marked by."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import phantom

from reread.analytics.calibration import built_in_table, operating_point, read_table
from reread.analytics.errors import SettingsInvalid
from reread.analytics.measurement import MammographyAnalysis, Parameters
from reread.analytics.records import FindingKind


def text(**changes: object) -> str:
    point = [
        {"least_score": 0.3, "sensitivity": 0.5, "false_marks_per_image": 0.25},
        {"least_score": 0.2, "sensitivity": 0.6, "false_marks_per_image": 0.5},
        {"least_score": 0.1, "sensitivity": 0.7, "false_marks_per_image": 1.0},
    ]
    kind = {"slope": 2.0, "intercept": -4.0, "lesions": 9, "normal_images": 20, "points": point} | changes
    return json.dumps({"version": "t", "measured_on": "x", "kinds": {k.value: kind for k in FindingKind}})


def test_the_built_in_table_is_measured_and_in_order() -> None:
    table = built_in_table()
    assert table.version and "mini-MIAS" in table.measured_on
    for kind in FindingKind:
        calibration = table.kinds[kind]
        assert calibration.lesions >= 10 and calibration.normal_images >= 100
        assert [point.number for point in calibration.points] == [0, 1, 2]
        sensitivity = [point.sensitivity for point in calibration.points]
        false = [point.false_marks_per_image for point in calibration.points]
        assert sensitivity == sorted(sensitivity) and 0 < sensitivity[0] <= sensitivity[2] <= 1
        assert false == sorted(false) and false[0] > 0
        assert sorted(calibration.thresholds, reverse=True) == list(calibration.thresholds)


@given(st.floats(-1e6, 1e6), st.floats(0, 10))
def test_more_evidence_is_never_less_probable(evidence: float, more: float) -> None:
    calibration = built_in_table().kinds[FindingKind.MASS]
    first, second = calibration.probability(evidence), calibration.probability(evidence + more)
    assert 0 <= first <= second <= 1


def test_a_table_is_read() -> None:
    calibration = read_table(text()).kinds[FindingKind.MASS]
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
        text(points=json.loads(text())["kinds"]["mass"]["points"][::-1]),
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
    table = built_in_table()
    for finding in result.findings:
        calibration = table.kinds[finding.kind]
        assert finding.evidence is not None
        assert finding.score == pytest.approx(calibration.probability(finding.evidence), abs=2e-5)
        assert finding.operating_point == operating_point(finding.score, calibration.thresholds)


def test_the_version_of_the_table_is_part_of_the_parameters() -> None:
    assert Parameters().operating_points == built_in_table().version
    assert Parameters(operating_points="other").digest != Parameters().digest
