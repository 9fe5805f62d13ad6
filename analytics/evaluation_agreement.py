"""How well two numbers agree, and how well one tells two classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from reread.analytics.evaluation_bootstrap import Interval, Rows, intervals

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Separation:
    """One number against two classes."""

    positives: int
    negatives: int
    auc: Interval
    curve: tuple[tuple[float, float], ...]
    """ROC: (share of negatives, share of positives) at or above each threshold"""


@dataclass(frozen=True, slots=True)
class NumericAgreement:
    """Measured against true numbers; differences are measured less true."""

    count: int
    spearman: Interval
    pearson: Interval
    mean_absolute_error: Interval
    bias: Interval
    """mean difference"""
    limit_low: Interval
    """bias - 1.96 standard deviations of the differences (Bland and Altman 1986)"""
    limit_high: Interval
    points: tuple[tuple[float, float], ...]
    """(true, measured)"""


def auc(positive: Values, negative: Values) -> float:
    """Chance that a positive exceeds a negative, ties half (Mann and Whitney 1947); NaN when a class is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    wins = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


def roc_curve(positive: Values, negative: Values) -> tuple[tuple[float, float], ...]:
    """Every step of the ROC curve from (0, 0) to (1, 1); empty when a class is."""
    if not len(positive) or not len(negative):
        return ()
    up, down = np.sort(positive), np.sort(negative)
    thresholds = np.unique(np.concatenate([up, down]))[::-1]
    return (
        (0.0, 0.0),
        *(
            (
                1.0 - int(np.searchsorted(down, threshold, "left")) / len(down),
                1.0 - int(np.searchsorted(up, threshold, "left")) / len(up),
            )
            for threshold in thresholds
        ),
    )


def pearson(first: Values, second: Values) -> float:
    """Correlation; NaN when a side does not vary."""
    if len(first) < 2 or np.all(first == first[0]) or np.all(second == second[0]):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def spearman(first: Values, second: Values) -> float:
    """Rank correlation, ties share their mean rank; NaN when a side does not vary."""
    return pearson(rankdata(first), rankdata(second))


def separation(
    values: Sequence[float],
    positive: Sequence[bool],
    woman: Sequence[int],
    *,
    women: int,
    draws: int,
    generator: np.random.Generator,
) -> Separation:
    """AUC of a number for two classes, with its interval by woman."""
    number, yes = np.asarray(values, np.float64), np.asarray(positive, bool)

    def figures(rows: Rows) -> tuple[float]:
        some, chosen = number[rows], yes[rows]
        return (auc(some[chosen], some[~chosen]),)

    (found,) = intervals(figures, woman, women, draws, generator)
    return Separation(int(yes.sum()), int((~yes).sum()), found, roc_curve(number[yes], number[~yes]))


def rank_agreement(
    first: Sequence[float],
    second: Sequence[float],
    woman: Sequence[int],
    *,
    women: int,
    draws: int,
    generator: np.random.Generator,
) -> Interval:
    """Spearman's correlation with its interval by woman."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    (found,) = intervals(lambda rows: (spearman(one[rows], other[rows]),), woman, women, draws, generator)
    return found


def numeric_agreement(
    true: Sequence[float],
    measured: Sequence[float],
    woman: Sequence[int],
    *,
    women: int,
    draws: int,
    generator: np.random.Generator,
) -> NumericAgreement:
    """Correlation, error and limits of agreement of measured against true numbers, in the unit of both."""
    truth, seen = np.asarray(true, np.float64), np.asarray(measured, np.float64)

    def figures(rows: Rows) -> tuple[float, ...]:
        some, other = truth[rows], seen[rows]
        if len(rows) < 2:
            return (float("nan"),) * 6
        difference = other - some
        bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        error = float(np.abs(difference).mean())
        return spearman(some, other), pearson(some, other), error, bias, bias - spread, bias + spread

    found = intervals(figures, woman, women, draws, generator)
    rank, linear, absolute, mean, low, high = found
    points = tuple(zip(truth.tolist(), seen.tolist(), strict=True))
    return NumericAgreement(len(truth), rank, linear, absolute, mean, low, high, points)
