"""FROC, AUC, agreement: what they must be for any numbers, and intervals by woman."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, spearmanr

from reread.analytics.evaluation import (
    EvaluationInvalid,
    MeasuredFinding,
    MeasuredNumbers,
    TruthImage,
    TruthLesion,
    evaluate,
)
from reread.analytics.evaluation_agreement import auc, numeric_agreement, roc_curve, spearman
from reread.analytics.evaluation_bootstrap import draw_women, intervals, times_drawn
from reread.analytics.evaluation_froc import RATES, free_response, free_response_curve, sensitivity_at

# few values, so that ties are common
SCORES = st.lists(st.integers(0, 12).map(lambda value: value / 4), max_size=30).map(np.array)
SOME = st.lists(st.integers(0, 12).map(lambda value: value / 4), min_size=1, max_size=30).map(np.array)


@given(SOME, SCORES, st.integers(1, 20))
def test_a_higher_rate_never_finds_less_and_the_curve_rises(lesions, false, normal):
    found = sensitivity_at(RATES, lesions, false, normal)
    assert found == sorted(found)
    curve = free_response_curve(lesions, false, normal)
    assert list(curve) == sorted(curve)
    assert [y for _, y in curve] == sorted(y for _, y in curve)
    assert curve[-1] == (len(false) / normal, 1.0)


@given(SOME, SCORES, st.integers(1, 20))
def test_the_table_of_rates_lies_on_the_curve(lesions, false, normal):
    curve = free_response_curve(lesions, false, normal)
    for rate, value in zip(RATES, sensitivity_at(RATES, lesions, false, normal), strict=True):
        # the best step that does not pass the rate; ties at the threshold count for neither
        best = max(y for x, y in curve if x * normal <= int(rate * normal) + 1e-9)
        assert value == pytest.approx(best)


@given(SOME, SCORES, st.integers(1, 20), st.floats(0.1, 9), st.floats(-5, 5))
def test_only_the_order_of_scores_counts(lesions, false, normal, factor, shift):
    moved = sensitivity_at(RATES, lesions * factor + shift, false * factor + shift, normal)
    assert moved == sensitivity_at(RATES, lesions, false, normal)


def test_a_perfect_and_a_blind_detector():
    assert sensitivity_at(RATES, np.full(9, 1.0), np.full(500, 0.5), 10) == [1.0] * len(RATES)
    assert sensitivity_at(RATES, np.full(9, -np.inf), np.full(500, 0.5), 10) == [0.0] * len(RATES)
    assert sensitivity_at(RATES, np.full(9, -np.inf), np.array([]), 10) == [0.0] * len(RATES)


def test_a_random_detector_has_an_auc_of_a_half_within_its_interval():
    generator = np.random.default_rng(5)
    positive, negative = generator.random(4000), generator.random(4000)
    assert auc(positive, negative) == pytest.approx(0.5, abs=4 * math.sqrt(1 / (12 * 2000)))


@given(SOME, SOME)
def test_auc_is_that_of_scipys_mann_whitney_and_the_area_of_the_curve(positive, negative):
    expected = mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
    assert auc(positive, negative) == pytest.approx(expected)
    assert auc(negative, positive) == pytest.approx(1 - expected)
    x, y = np.array(roc_curve(positive, negative)).T
    assert np.trapezoid(y, x) == pytest.approx(expected)
    assert (x[-1], y[-1]) == (1.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30).map(np.array))
def test_spearman_is_that_of_scipy_and_nan_without_variation(points):
    first, second = points.T.astype(float)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert math.isnan(spearman(first, second))
    else:
        assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_agreement_of_known_numbers():
    true = [10.0, 20.0, 30.0, 40.0]
    seen = [11.0, 23.0, 31.0, 43.0]
    found = numeric_agreement(true, seen, [0, 1, 2, 3], women=4, draws=50, generator=np.random.default_rng(1))
    spread = 1.96 * math.sqrt(4 / 3)
    assert found.bias.value == pytest.approx(2)
    assert found.mean_absolute_error.value == pytest.approx(2)
    assert (found.limit_low.value, found.limit_high.value) == pytest.approx((2 - spread, 2 + spread))
    assert found.spearman.value == pytest.approx(1)
    assert found.bias.low >= 1
    assert found.bias.high <= 3


@settings(max_examples=40)
@given(st.data(), st.integers(2, 6))
def test_drawn_sensitivity_is_that_of_the_drawn_women_written_out(data, women):
    """The weights of the fast form against lesions and images repeated one by one."""
    woman = st.integers(0, women - 1)
    lesions = data.draw(st.lists(st.tuples(st.sampled_from([-np.inf, 0.0, 0.5, 1.0]), woman), min_size=1, max_size=8))
    images = data.draw(st.lists(woman, min_size=1, max_size=8))
    normal = [(w, data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=4))) for w in images]
    false = [(score, w) for w, scores in normal for score in scores]
    result = free_response(
        [score for score, _ in lesions],
        [w for _, w in lesions],
        [score for score, _ in false],
        [w for _, w in false],
        images,
        women=women,
        draws=20,
        generator=np.random.default_rng(3),
    )
    drawn = []
    for times in times_drawn(draw_women(women, 20, np.random.default_rng(3)), women):
        best = [score for score, w in lesions for _ in range(times[w])]
        names = [scores for w, scores in normal for _ in range(times[w])]
        if best and names:
            every = np.array([score for scores in names for score in scores])
            drawn.append(sensitivity_at(RATES, np.array(best), every, len(names)))
    for index, interval in enumerate(result.sensitivity):
        if drawn:
            assert (interval.low, interval.high) == tuple(np.percentile(np.array(drawn)[:, index], [2.5, 97.5]))
        else:
            assert math.isnan(interval.low)


def test_a_woman_is_drawn_whole():
    """Every image of hers says the same: her interval is that of women, far wider than that of images."""
    values = np.repeat(np.arange(10.0), 100)
    woman = np.repeat(np.arange(10), 100).tolist()
    (found,) = intervals(lambda rows: (float(values[rows].mean()),), woman, 10, 400, np.random.default_rng(2))
    assert found.value == pytest.approx(4.5)
    assert found.high - found.low > 2.5  # of women: 4 x 2.87 / sqrt(10); of images it would be 0.36


def image(name: str, woman: str, **more: object) -> TruthImage:
    plain = {"side": "L", "normal": True, "lesions": (), "tissue": "", "numbers": {}, "pairing": ""}
    return TruthImage(sop_instance_uid=f"uid-{name}", name=name, woman=woman, **plain | more)  # type: ignore[arg-type]


def sick(name: str, woman: str, kind: str = "CIRC", **more: object) -> TruthImage:
    return image(name, woman, normal=False, lesions=(TruthLesion(kind, 100.0, 200.0, 25.0),), **more)


def test_hits_reach_kind_and_unknown_images():
    truth = [sick("a", "1"), sick("b", "2"), image("c", "3")]
    findings = (
        MeasuredFinding("uid-a", "mass", 100.0, 225.0, 0.9),  # just within
        MeasuredFinding("uid-b", "mass", 100.0, 225.1, 0.9),  # just not
        MeasuredFinding("uid-b", "calcification", 100.0, 200.0, 0.9),  # of another kind
        MeasuredFinding("uid-c", "mass", 1.0, 1.0, 0.5),
        MeasuredFinding("uid-z", "mass", 1.0, 1.0, 0.5),
    )
    found = evaluate(truth, MeasuredNumbers(findings, None), draws=10)
    assert [figure.value for figure in found.detection["mass"].sensitivity] == [0.5] * 5
    assert found.detection["mass"].false_marks_per_normal_image == 1.0
    assert found.findings_on_unknown_images == 1
    assert found.image_level["any_lesion"].auc.value == 1.0
    assert math.isnan(found.detection["calcification_cluster"].sensitivity[0].value)
    assert found.tissue is None


def test_names_of_images_and_women_and_the_order_of_rows_change_no_figure():
    generator = np.random.default_rng(8)
    truth = [sick(f"s{k}", str(k)) for k in range(9)] + [image(f"n{k}", str(k)) for k in range(9)]
    findings = tuple(
        MeasuredFinding(one.sop_instance_uid, "mass", 100.0, 200.0, float(generator.random())) for one in truth
    )
    first = evaluate(truth, MeasuredNumbers(findings, None), draws=40)
    again = evaluate(truth[::-1], MeasuredNumbers(findings[::-1], None), draws=40)
    assert repr(again) == repr(first)  # a NaN equals no other
    renamed = [
        TruthImage(
            f"x{t.sop_instance_uid}", f"x{t.name}", f"{int(t.woman) + 70}", t.side, t.normal, t.lesions, "", {}, ""
        )
        for t in truth
    ]
    other = tuple(MeasuredFinding(f"x{f.sop_instance_uid}", f.kind, f.x_px, f.y_px, f.score) for f in findings)
    assert repr(evaluate(renamed, MeasuredNumbers(other, None), draws=40)) == repr(first)


def test_left_and_right_are_compared_within_view_and_year():
    truth = [
        image(f"{k}{side}{view}", str(k), side=side, pairing=view, numbers={"area_percent": 10.0 + k})
        for k in range(6)
        for view in ("CC", "MLO")
        for side in "LR"
    ]
    # the views differ wildly, the sides of one view do not
    numbers = {
        one.sop_instance_uid: {"area_percent": int(one.woman) * (1.0 if one.pairing == "CC" else -1.0)} for one in truth
    }
    found = evaluate(truth, MeasuredNumbers(None, numbers), draws=20)
    assert found.left_right["area_percent"].value == pytest.approx(1.0)
    assert found.numbers["area_percent"].count == 24
    assert found.detection == {}


def test_no_truth_and_no_draw_are_refused():
    with pytest.raises(EvaluationInvalid, match="no image"):
        evaluate([], MeasuredNumbers((), None))
    with pytest.raises(EvaluationInvalid, match="at least one"):
        evaluate([image("a", "1")], MeasuredNumbers((), None), draws=0)
