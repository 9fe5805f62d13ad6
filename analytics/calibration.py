"""From evidence to probability, and the operating points: one versioned table, measured, not guessed.

The table is `operating_points.json` beside this file. ``python -m benchmarks.accuracy --write-table`` writes what holds
for film, ``python -m benchmarks.operating_points`` what holds for digital images. Evidence is in standard deviations of
the breast's own tissue, but what stands out by chance, and how far a lesion does, depends on how the image was made:
each kind of image has entries of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from math import exp
from typing import Any

from reread.analytics.errors import SettingsInvalid
from reread.analytics.records import FindingKind, ImageHeader

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of digitised film, and root of its multi-frame siblings (PS3.4 B.5)"""


class ImageKind(StrEnum):
    """How an image was made, as far as operating points differ."""

    FILM = "film"
    """digitised film"""
    PRESENTATION = "presentation"
    """digital, for presentation"""
    PROCESSING = "processing"
    """digital, raw"""


def image_kind(header: ImageHeader) -> ImageKind:
    """Tell the kind of an image by its header record.

    Raw is what says so. Film is what has Detector Type FILM (0018,7004; PS3.3 C.8.11.4) or, without any Detector
    Type, a Secondary Capture class: mammograms were digitised into it before there was a class for them. The rest is
    digital for presentation, computed radiography with it.
    """
    if header.for_processing:
        return ImageKind.PROCESSING
    detector, sop_class = header.acquisition.detector_type, header.sop_class_uid
    captured = sop_class == SECONDARY_CAPTURE or sop_class.startswith(f"{SECONDARY_CAPTURE}.")
    if detector == "FILM" or (captured and not detector):
        return ImageKind.FILM
    return ImageKind.PRESENTATION


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One operating point of one detector (R0.319-R0.327, R1.286)."""

    number: int
    """0 fewest marks … 2 most"""
    least_score: float
    """marks have at least this score"""
    sensitivity: float
    """share of the lesions of the set in `Calibration.measured_on` that it marks"""
    false_marks_per_image: float
    """marks on a normal image of that set"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one kind of finding on one kind of image: from evidence to probability, and the operating points."""

    slope: float
    intercept: float
    lesions: int
    """lesions of the set on which it was measured …"""
    normal_images: int
    """… and its images without lesion"""
    points: tuple[OperatingPoint, OperatingPoint, OperatingPoint]
    chosen_on: str
    """set on which the curve and the least scores were chosen"""
    measured_on: str
    """set on which sensitivity and false marks were counted; the same set is said to be the same"""

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
    """Calibrations of every kind of finding on every kind of image."""

    version: str
    entries: dict[tuple[ImageKind, FindingKind], Calibration]

    def of(self, header: ImageHeader, kind: FindingKind) -> Calibration:
        """What holds for findings on an image: as for film where nothing was measured for its kind."""
        return self.entries.get((image_kind(header), kind)) or self.entries[ImageKind.FILM, kind]


def read_table(text: str) -> CalibrationTable:
    """Read a calibration table.

    Raises
    ------
    SettingsInvalid
        It is not JSON, names an unknown kind, lacks a kind of finding on film or a point, or the points are out of
        order.
    """
    try:
        raw = json.loads(text)
        entries = {
            (ImageKind(image), FindingKind(kind)): _calibration(entry)
            for image, kinds in raw["images"].items()
            for kind, entry in kinds.items()
        }
        if missing := [kind.value for kind in FindingKind if (ImageKind.FILM, kind) not in entries]:
            raise ValueError(f"nothing for {missing[0]} on film")
        return CalibrationTable(str(raw["version"]), entries)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
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
        str(raw["chosen_on"]),
        str(raw["measured_on"]),
    )


@cache
def built_in_table() -> CalibrationTable:
    """The table of this version of the built-in analysis."""
    return read_table((files("reread.analytics") / "operating_points.json").read_text(encoding="utf-8"))


def operating_point(score: float, thresholds: tuple[float, float, float]) -> int | None:
    """The most specific operating point whose threshold the score reaches (R0.315)."""
    return next((point for point, least in enumerate(thresholds) if score >= least), None)
