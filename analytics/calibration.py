"""From evidence to probability, and the operating points: one versioned table, measured, not guessed.

The table is `operating_points.json` beside this file, written by ``python -m benchmarks.accuracy --write-table``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp
from typing import Any

from reread.analytics.errors import SettingsInvalid
from reread.analytics.records import FindingKind


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One operating point of one detector (R0.319-R0.327, R1.286)."""

    number: int
    """0 fewest marks … 2 most"""
    least_score: float
    """marks have at least this score"""
    sensitivity: float
    """share of the lesions of the measured set that it marks"""
    false_marks_per_image: float
    """marks on a normal image of the measured set"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one kind of finding: the logistic curve from evidence to probability, and the operating points."""

    slope: float
    intercept: float
    lesions: int
    """lesions of the set on which it was measured"""
    normal_images: int
    points: tuple[OperatingPoint, OperatingPoint, OperatingPoint]

    def probability(self, evidence: float) -> float:
        """Share of candidates of this evidence that were lesions in the measured set, 0…1 (Platt 1999)."""
        exponent = max(-60.0, min(60.0, self.slope * evidence + self.intercept))
        return 1.0 / (1.0 + exp(-exponent))

    @property
    def thresholds(self) -> tuple[float, float, float]:
        """Least scores of the operating points 0, 1 and 2."""
        first, second, third = self.points
        return first.least_score, second.least_score, third.least_score


@dataclass(frozen=True, slots=True)
class CalibrationTable:
    """Calibrations of all kinds, and where they come from."""

    version: str
    measured_on: str
    kinds: dict[FindingKind, Calibration]


def read_table(text: str) -> CalibrationTable:
    """Read a calibration table.

    Raises
    ------
    SettingsInvalid
        It is not JSON, a kind or point is missing, or the points are out of order.
    """
    try:
        raw = json.loads(text)
        kinds = {kind: _calibration(raw["kinds"][kind.value]) for kind in FindingKind}
        return CalibrationTable(str(raw["version"]), str(raw["measured_on"]), kinds)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SettingsInvalid(f"the table of operating points cannot be read: {error}") from error


def _calibration(raw: dict[str, Any]) -> Calibration:
    points = tuple(
        OperatingPoint(
            number,
            float(raw["points"][number]["least_score"]),
            float(raw["points"][number]["sensitivity"]),
            float(raw["points"][number]["false_marks_per_image"]),
        )
        for number in range(3)
    )
    scores = [point.least_score for point in points]
    if sorted(scores, reverse=True) != scores or float(raw["slope"]) <= 0:
        raise ValueError("least scores have to fall from point 0 to 2, and the slope has to be positive")
    return Calibration(
        float(raw["slope"]),
        float(raw["intercept"]),
        int(raw["lesions"]),
        int(raw["normal_images"]),
        (points[0], points[1], points[2]),
    )


@cache
def built_in_table() -> CalibrationTable:
    """The table of this version of the built-in analysis."""
    return read_table((files("reread.analytics") / "operating_points.json").read_text(encoding="utf-8"))


def operating_point(score: float, thresholds: tuple[float, float, float]) -> int | None:
    """The most specific operating point whose threshold the score reaches (R0.315)."""
    return next((point for point, least in enumerate(thresholds) if score >= least), None)
