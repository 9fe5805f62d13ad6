"""Free-response ROC: the share of lesions found against false marks on a normal image (Bunch 1977).

A lesion counts once, with the best finding that hits it. False marks are counted on normal images only. The threshold
of a rate is the score that at most ``rate * normal images`` false marks exceed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reread.analytics.evaluation_bootstrap import Interval, draw_women, percentile_interval, times_drawn

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""false marks per normal image at which sensitivity is told"""


@dataclass(frozen=True, slots=True)
class FreeResponse:
    """Detection of one group of lesions."""

    lesions: int
    normal_images: int
    false_marks_per_normal_image: float
    """of the whole table, at no threshold"""
    rates: tuple[float, ...]
    sensitivity: tuple[Interval, ...]
    """one for each rate"""
    curve: tuple[tuple[float, float], ...]
    """(false marks per normal image, sensitivity), both rising"""


def sensitivity_at(
    rates: Sequence[float], lesion_scores: NDArray[np.float64], false_scores: NDArray[np.float64], normal_images: int
) -> list[float]:
    """Share of lesions whose best hit exceeds the threshold of each rate.

    Parameters
    ----------
    lesion_scores
        Best hit of each lesion, -inf without one.
    false_scores
        Of all findings on normal images, in any order.

    Returns
    -------
    list of float
        NaN without lesions.
    """
    falling = np.sort(false_scores)[::-1]
    found = []
    for rate in rates:
        allowed = int(rate * normal_images)
        threshold = falling[allowed] if allowed < len(falling) else -np.inf
        found.append(float(np.mean(lesion_scores > threshold)) if len(lesion_scores) else float("nan"))
    return found


def free_response_curve(
    lesion_scores: NDArray[np.float64], false_scores: NDArray[np.float64], normal_images: int
) -> tuple[tuple[float, float], ...]:
    """Every step of the curve, from (0, …) to all findings of the table; empty without lesions or normal images."""
    if not len(lesion_scores) or not normal_images:
        return ()
    thresholds = np.unique(np.concatenate([false_scores, lesion_scores[np.isfinite(lesion_scores)]]))[::-1]
    falls, hits = np.sort(false_scores), np.sort(lesion_scores)
    points = [(0.0, 0.0)]
    for threshold in thresholds:
        false = len(falls) - int(np.searchsorted(falls, threshold, "left"))
        hit = len(hits) - int(np.searchsorted(hits, threshold, "left"))
        points.append((false / normal_images, hit / len(hits)))
    return tuple(points)


def free_response(
    lesion_scores: Sequence[float],
    lesion_woman: Sequence[int],
    false_scores: Sequence[float],
    false_woman: Sequence[int],
    normal_woman: Sequence[int],
    *,
    women: int,
    draws: int,
    generator: np.random.Generator,
    rates: tuple[float, ...] = RATES,
) -> FreeResponse:
    """Sensitivity at false marks per normal image, with intervals by woman.

    Parameters
    ----------
    lesion_scores, lesion_woman
        Best hit of each lesion (-inf without one), and the number of her whose it is, from 0.
    false_scores, false_woman
        Findings on normal images.
    normal_woman
        Of each normal image.
    """
    lesions, false = np.asarray(lesion_scores, np.float64), np.asarray(false_scores, np.float64)
    normal = len(normal_woman)
    # drawn whether or not there is a lesion: the figures of one group do not depend on another being empty
    counts = times_drawn(draw_women(women, draws, generator), women)
    point = sensitivity_at(rates, lesions, false, normal)
    found = _drawn(rates, lesions, np.asarray(lesion_woman, np.intp), false, false_woman, normal_woman, counts)
    return FreeResponse(
        lesions=len(lesions),
        normal_images=normal,
        false_marks_per_normal_image=len(false) / max(normal, 1),
        rates=rates,
        sensitivity=tuple(percentile_interval(value, found[:, k]) for k, value in enumerate(point)),
        curve=free_response_curve(lesions, false, normal),
    )


def _drawn(
    rates: Sequence[float],
    lesions: NDArray[np.float64],
    lesion_woman: NDArray[np.intp],
    false: NDArray[np.float64],
    false_woman: Sequence[int],
    normal_woman: Sequence[int],
    counts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """`sensitivity_at` of every draw: (draws, rates). A false mark is repeated as often as its woman is drawn."""
    order = np.argsort(false, kind="stable")[::-1]
    falling, woman = false[order], np.asarray(false_woman, np.intp)[order]
    found = np.full((len(counts), len(rates)), np.nan)
    for draw, times in enumerate(counts):
        weight = times[lesion_woman]
        total, normal = int(weight.sum()), int(times[np.asarray(normal_woman, np.intp)].sum())
        if not total or not normal:
            continue
        reached = np.cumsum(times[woman])
        for k, rate in enumerate(rates):
            place = int(np.searchsorted(reached, int(rate * normal), "right"))
            threshold = falling[place] if place < len(falling) else -np.inf
            found[draw, k] = int(weight[lesions > threshold].sum()) / total
    return found
