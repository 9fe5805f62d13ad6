"""What becomes of a model's output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.model_analysis import ModelAnalysis
from reread.analytics.model_input import InputPreparation, prepare_input
from reread.analytics.model_output import OutputKind, OutputMapping, density_of, findings_of, map_of, number_of
from reread.analytics.reasons import Reason
from reread.analytics.records import FindingKind, Laterality, Nature, View

IMAGE = phantom(View.CC, Laterality.RIGHT, rows=400, columns=320, spacing_mm=0.5, label=False).mammogram
BREAST = find_breast(IMAGE)
GRID = prepare_input(IMAGE, BREAST, InputPreparation(400, 320, 0.5)).grid
MAP = OutputMapping(OutputKind.HEAT_MAP, least_score=0.1)


def inside() -> np.ndarray:
    """Stored positions well within the breast; a disc of three of the coarsest cells does not leave the map."""
    rows, columns = np.nonzero(BREAST.depth_mm * BREAST.mask > 20)
    stored = BREAST.frame.to_stored(np.column_stack([columns, rows]).astype(float))
    return stored[GRID.from_stored(stored)[:, 0] > 32]


PLACES = inside()


@given(at=st.integers(0, len(PLACES) - 1), cell=st.sampled_from([1, 4, 8]), radius=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_a_maximum_becomes_a_finding_at_its_place(at, cell, radius):
    (x, y) = np.round((GRID.from_stored(PLACES[at : at + 1])[0] + 0.5) / cell - 0.5)
    scores = np.zeros((400 // cell, 320 // cell))
    row, column = np.mgrid[: 400 // cell, : 320 // cell]
    scores[np.hypot(column - x, row - y) <= radius] = 0.7
    (finding,) = findings_of(scores[None, None], MAP, BREAST, GRID)
    away_mm = np.hypot(finding.x_px - PLACES[at][0], finding.y_px - PLACES[at][1]) * 0.5
    assert away_mm <= cell * 0.5 * 0.75 + 0.5  # half a cell's diagonal, and the rounding above
    assert finding.score == 0.7
    width_mm = (2 * radius + 1) * cell * 0.5
    assert 0.5 * width_mm <= finding.size_mm <= 1.5 * width_mm
    xs, ys = zip(*finding.outline, strict=True)
    assert min(xs) <= finding.x_px <= max(xs)
    assert min(ys) <= finding.y_px <= max(ys)


def test_neighbours_scores_and_numbers_are_limited():
    scores = np.zeros((400, 320))
    x, y = np.round(GRID.from_stored(PLACES[len(PLACES) // 2][None])[0]).astype(int)
    for step, score in ((0, 0.9), (8, 0.8), (40, 0.6), (80, 0.05)):  # 4, 20 and 40 mm away
        scores[y, x + step - 60] = score
    mapping = OutputMapping(
        OutputKind.HEAT_MAP, FindingKind.CALCIFICATION, least_score=0.1, apart_mm=10.0, marks_from=(0.85, 0.7, 0.5)
    )
    found = findings_of(scores, mapping, BREAST, GRID)
    assert [(finding.score, finding.operating_point) for finding in found] == [(0.9, 0), (0.6, 2)]
    assert {(finding.kind, finding.nature) for finding in found} == {(FindingKind.CALCIFICATION, Nature.CLUSTER)}
    assert len(findings_of(scores, OutputMapping(OutputKind.HEAT_MAP, most=1), BREAST, GRID)) == 1


def test_what_lies_outside_the_breast_is_no_finding():
    scores = np.zeros((400, 320))
    scores[200, 315] = 0.9
    scores[3, 3] = 0.9
    assert findings_of(scores, MAP, BREAST, GRID) == ()
    assert findings_of(np.full((400, 320), 0.5), MAP, BREAST, GRID) == ()


def test_an_image_score_stands_for_the_breast():
    mapping = OutputMapping(OutputKind.IMAGE_SCORE, channel=1, logits=True)
    (finding,) = findings_of(np.array([[0.0, np.log(3.0)]]), mapping, BREAST, GRID)
    assert finding.score == 0.75
    assert finding.operating_point is None
    assert finding.size_mm > 50
    assert findings_of(np.array([[0.0, -9.0]]), mapping, BREAST, GRID) == ()


def test_a_density_gets_its_areas():
    mapping = OutputMapping(OutputKind.DENSITY, scale=100.0)
    score = density_of(np.array([[0.25]], np.float32), mapping, BREAST, None)
    assert score.percent_density == 25.0
    assert score.dense_area_mm2 == pytest.approx(score.breast_area_mm2 / 4, abs=0.01)
    assert (BREAST.frame.pixels[BREAST.mask] > score.dense_threshold).mean() == pytest.approx(0.25, abs=0.01)
    with pytest.raises(MeasurementFailed, match=r"2500 %"):
        density_of(np.array([25.0]), mapping, BREAST, None)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (np.zeros((2, 3)), "not one number"),
        (np.array([[np.nan]]), "not finite"),
        (np.array([1.5]), "logits"),
    ],
)
def test_other_numbers_are_refused(output, words):
    with pytest.raises(MeasurementFailed, match=words):
        findings_of(output, OutputMapping(OutputKind.IMAGE_SCORE), BREAST, GRID)


def test_shapes():
    assert number_of(np.array(3.0), OutputMapping(OutputKind.DENSITY)) == 3.0
    assert map_of(np.zeros((1, 2, 5, 4)), OutputMapping(OutputKind.HEAT_MAP, channel=1)).shape == (5, 4)
    for shape in ((1, 1, 5, 4), (2, 2, 5, 4), (5,)):
        with pytest.raises(MeasurementFailed, match="not a map"):
            map_of(np.zeros(shape), OutputMapping(OutputKind.HEAT_MAP, channel=1))


def test_a_failing_model_keeps_the_anatomy():
    analysis = ModelAnalysis("m", "1", "0" * 64, InputPreparation(400, 320, 0.5), MAP, lambda _: np.zeros(3))
    result = analysis.measure(IMAGE)
    assert result.failure is Reason.MEASUREMENT_FAILED
    assert result.failure_detail.startswith("model: MeasurementFailed: the model's output has shape (3,)")
    assert result.breast is not None and result.nipple is not None and result.findings == ()
