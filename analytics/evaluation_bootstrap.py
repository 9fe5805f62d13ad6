"""Intervals by woman: her images and lesions are drawn together, because they are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20261121
DRAWS = 2000
_PERCENTILES = (2.5, 97.5)

Rows = NDArray[np.intp]
Statistic = Callable[[Rows], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % percentile interval (Efron 1979); NaN: it cannot be computed."""

    value: float
    low: float
    high: float


def draw_women(women: int, draws: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of women drawn with replacement.

    Returns
    -------
    (draws, women) array
        Row by row from the generator, so that fewer draws are the first of more.
    """
    return np.array([generator.choice(women, women) for _ in range(draws)], np.intp).reshape(draws, women)


def times_drawn(sample: NDArray[np.intp], women: int) -> NDArray[np.int64]:
    """How often each woman stands in each draw: (draws, women)."""
    return np.array([np.bincount(row, minlength=women) for row in sample], np.int64).reshape(len(sample), women)


def rows_by_woman(woman_of_row: Sequence[int], women: int) -> list[Rows]:
    """The rows of each woman, in their order."""
    rows: list[list[int]] = [[] for _ in range(women)]
    for row, woman in enumerate(woman_of_row):
        rows[woman].append(row)
    return [np.array(found, np.intp) for found in rows]


def intervals(
    statistic: Statistic, woman_of_row: Sequence[int], women: int, draws: int, generator: np.random.Generator
) -> tuple[Interval, ...]:
    """Figures of all rows, and of rows drawn by woman.

    Parameters
    ----------
    statistic
        Indices of rows -> figures, always equally many; NaN where a draw has none (one class only, say). Such draws
        are left out of the interval of that figure.
    woman_of_row
        Number of the woman, from 0, of each row.
    """
    whole = statistic(np.arange(len(woman_of_row), dtype=np.intp))
    rows = rows_by_woman(woman_of_row, women)
    found = np.array(
        [statistic(np.concatenate([rows[w] for w in sample])) for sample in draw_women(women, draws, generator)],
        np.float64,
    ).reshape(draws, len(whole))
    return tuple(percentile_interval(value, found[:, column]) for column, value in enumerate(whole))


def percentile_interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    """The middle 95 % of what was drawn, NaN left out."""
    usable = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(usable):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.percentile(usable, _PERCENTILES)
    return Interval(float(value), float(low), float(high))
