"""Measured results against the truth: detection, image-level AUC, density.

Rules (those of the review of this project). A finding hits a lesion when its centre lies within its reach, the larger
of its radius and 5 mm; a lesion counts once. False marks are counted on normal images only. A truth image without a
result counts: its lesions are missed. Lesions without a position count for the AUC of images, not for the FROC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reread.analytics.errors import RereadError
from reread.analytics.evaluation_agreement import (
    NumericAgreement,
    Separation,
    numeric_agreement,
    rank_agreement,
    separation,
)
from reread.analytics.evaluation_bootstrap import DRAWS, SEED, Interval
from reread.analytics.evaluation_froc import FreeResponse, free_response

LEAST_REACH_MM = 5.0
TISSUES = ("F", "G", "D")
"""fatty, fatty-glandular, dense (Suckling et al. 1994)"""
TARGETS: dict[str, tuple[str, frozenset[str]]] = {
    "mass": ("mass", frozenset({"CIRC", "SPIC", "MISC"})),
    "asymmetry_distortion": ("mass", frozenset({"ASYM", "ARCH"})),
    "calcification_cluster": ("calcification", frozenset({"CALC"})),
}
"""group of lesions -> kind of the findings, classes of the truth"""
NORMAL = "NORM"
CLASSES = frozenset({NORMAL}).union(*(classes for _, classes in TARGETS.values()))
QUANTITIES = {
    "area_percent": ("area percent density", "%"),
    "volumetric_percent": ("volumetric density", "%"),
    "breast_volume_cm3": ("breast volume", "cm³"),
}
"""what may be a number in truth and result -> name, unit"""


class EvaluationInvalid(RereadError):
    """Truth or results cannot be evaluated; the text says what to give."""


@dataclass(frozen=True, slots=True)
class TruthLesion:
    """One lesion of one image."""

    lesion_class: str
    x_px: float | None
    """None: its place is not known, or not on the image"""
    y_px: float | None
    reach_px: float


@dataclass(frozen=True, slots=True)
class TruthImage:
    """What is known of one image."""

    sop_instance_uid: str
    name: str
    woman: str
    side: str
    """L, R or empty"""
    normal: bool
    lesions: tuple[TruthLesion, ...]
    tissue: str
    """one of `TISSUES`, or empty"""
    numbers: Mapping[str, float]
    """keyed like `QUANTITIES`"""
    pairing: str
    """left and right of a woman are compared where this is the same: view, year, kind of object"""


@dataclass(frozen=True, slots=True)
class MeasuredFinding:
    """One candidate."""

    sop_instance_uid: str
    kind: str
    x_px: float
    y_px: float
    score: float


@dataclass(frozen=True, slots=True)
class MeasuredNumbers:
    """Everything that was measured; None: there is no such table."""

    findings: tuple[MeasuredFinding, ...] | None
    numbers: Mapping[str, Mapping[str, float]] | None
    """SOP Instance UID -> `QUANTITIES` -> number"""


@dataclass(frozen=True, slots=True)
class TissueAgreement:
    """Percent density against tissue classes, and left against right."""

    images: int
    spearman: Interval
    dense: Separation
    fatty: Separation
    """the fatty against the rest, lower is fattier"""
    median_by_tissue: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures."""

    images: int
    women: int
    normal_images: int
    lesions_without_position: int
    findings_on_unknown_images: int
    draws: int
    seed: int
    detection: Mapping[str, FreeResponse]
    """by `TARGETS`; empty without findings"""
    image_level: Mapping[str, Separation]
    """images with any lesion, or one of a group, against normal ones, by the highest score"""
    tissue: TissueAgreement | None
    numbers: Mapping[str, NumericAgreement]
    """by `QUANTITIES`"""
    left_right: Mapping[str, Interval]
    """Spearman of left against right of the same woman, of what was measured"""


def evaluate(truth: Sequence[TruthImage], measured: MeasuredNumbers, *, draws: int = DRAWS) -> Evaluation:
    """Compare results with the truth.

    Parameters
    ----------
    truth
        Images, each once.
    draws
        Bootstrap draws by woman; intervals are percentiles of them. Seeds are fixed: same input, same figures.

    Raises
    ------
    EvaluationInvalid
        No image in the truth, or none of it was measured.
    """
    if not truth:
        raise EvaluationInvalid("the truth holds no image")
    if draws < 1:
        raise EvaluationInvalid("at least one bootstrap draw")
    # by number where they are numbers: the order decides which woman a draw means
    women = sorted({image.woman for image in truth}, key=lambda name: name.zfill(20) if name.isdigit() else name)
    number = {name: index for index, name in enumerate(women)}
    judge = _Judge(sorted(truth, key=lambda image: image.name), number, draws)
    detection, image_level, unknown = judge.findings(measured.findings)
    tissue, numbers, left_right = judge.density(measured.numbers)
    return Evaluation(
        images=len(truth),
        women=len(women),
        normal_images=sum(image.normal for image in truth),
        lesions_without_position=sum(lesion.x_px is None for image in truth for lesion in image.lesions),
        findings_on_unknown_images=unknown,
        draws=draws,
        seed=SEED,
        detection=detection,
        image_level=image_level,
        tissue=tissue,
        numbers=numbers,
        left_right=left_right,
    )


class _Judge:
    def __init__(self, truth: list[TruthImage], number: Mapping[str, int], draws: int) -> None:
        self._truth = truth
        self._woman = {image.sop_instance_uid: number[image.woman] for image in truth}
        self._women, self._draws = len(number), draws
        # one stream through the groups and the tissue, in this order, as the review draws; others have their own
        self._stream = np.random.default_rng(SEED)
        self._streams = 0

    def _own(self) -> np.random.Generator:
        self._streams += 1
        return np.random.default_rng([SEED, self._streams])

    def findings(
        self, findings: Sequence[MeasuredFinding] | None
    ) -> tuple[dict[str, FreeResponse], dict[str, Separation], int]:
        if findings is None:
            return {}, {}, 0
        found: dict[tuple[str, str], list[MeasuredFinding]] = defaultdict(list)
        for one in findings:
            found[one.sop_instance_uid, one.kind].append(one)
        detection = {name: self._group(kind, classes, found) for name, (kind, classes) in TARGETS.items()}
        kinds = tuple(dict.fromkeys(kind for kind, _ in TARGETS.values()))
        separations = {"any_lesion": self._image_level(kinds, CLASSES, found)}
        separations |= {name: self._image_level((kind,), classes, found) for name, (kind, classes) in TARGETS.items()}
        return detection, separations, sum(one.sop_instance_uid not in self._woman for one in findings)

    def _group(
        self, kind: str, classes: frozenset[str], found: Mapping[tuple[str, str], list[MeasuredFinding]]
    ) -> FreeResponse:
        best, best_woman = [], []
        for image in self._truth:
            for lesion in image.lesions:
                if lesion.lesion_class in classes and lesion.x_px is not None and lesion.y_px is not None:
                    candidates = found.get((image.sop_instance_uid, kind), ())
                    scores = [
                        one.score
                        for one in candidates
                        if np.hypot(one.x_px - lesion.x_px, one.y_px - lesion.y_px) <= lesion.reach_px
                    ]
                    best.append(max(scores, default=float("-inf")))
                    best_woman.append(self._woman[image.sop_instance_uid])
        normal = [image.sop_instance_uid for image in self._truth if image.normal]
        false = [(one.score, self._woman[uid]) for uid in normal for one in found.get((uid, kind), ())]
        return free_response(
            best,
            best_woman,
            [score for score, _ in false],
            [woman for _, woman in false],
            [self._woman[uid] for uid in normal],
            women=self._women,
            draws=self._draws,
            generator=self._stream,
        )

    def _image_level(
        self,
        kinds: tuple[str, ...],
        classes: frozenset[str],
        found: Mapping[tuple[str, str], list[MeasuredFinding]],
    ) -> Separation:
        """By the highest score on the image; one without findings is below all."""
        chosen = [
            image
            for image in self._truth
            if image.normal or classes is CLASSES or any(lesion.lesion_class in classes for lesion in image.lesions)
        ]
        highest = [
            max((one.score for kind in kinds for one in found.get((image.sop_instance_uid, kind), ())), default=-np.inf)
            for image in chosen
        ]
        return separation(
            highest,
            [not image.normal for image in chosen],
            [self._woman[image.sop_instance_uid] for image in chosen],
            women=self._women,
            draws=self._draws,
            generator=self._own(),
        )

    def density(
        self, numbers: Mapping[str, Mapping[str, float]] | None
    ) -> tuple[TissueAgreement | None, dict[str, NumericAgreement], dict[str, Interval]]:
        if numbers is None:
            return None, {}, {}
        agreement, left_right = {}, {}
        for quantity in QUANTITIES:
            value = {uid: row[quantity] for uid, row in numbers.items() if quantity in row and uid in self._woman}
            both = [image for image in self._truth if image.sop_instance_uid in value and quantity in image.numbers]
            if both:
                agreement[quantity] = numeric_agreement(
                    [image.numbers[quantity] for image in both],
                    [value[image.sop_instance_uid] for image in both],
                    [self._woman[image.sop_instance_uid] for image in both],
                    women=self._women,
                    draws=self._draws,
                    generator=self._own(),
                )
            pairs = self._pairs(value)
            if pairs:
                left_right[quantity] = rank_agreement(
                    [value[left] for left, _ in pairs],
                    [value[right] for _, right in pairs],
                    [self._woman[left] for left, _ in pairs],
                    women=self._women,
                    draws=self._draws,
                    generator=self._own(),
                )
        area = {uid: row["area_percent"] for uid, row in numbers.items() if "area_percent" in row}
        return self._tissue(area), agreement, left_right

    def _pairs(self, value: Mapping[str, float]) -> list[tuple[str, str]]:
        sides: dict[tuple[str, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for image in self._truth:
            if image.sop_instance_uid in value and image.side in ("L", "R"):
                sides[image.woman, image.pairing]["LR".index(image.side)].append(image.sop_instance_uid)
        return [(left, right) for lefts, rights in sides.values() for left in lefts for right in rights]

    def _tissue(self, value: Mapping[str, float]) -> TissueAgreement | None:
        chosen = [image for image in self._truth if image.tissue and image.sop_instance_uid in value]
        if not chosen:
            return None
        percent = [value[image.sop_instance_uid] for image in chosen]
        woman = [self._woman[image.sop_instance_uid] for image in chosen]
        options = {"women": self._women, "draws": self._draws}
        order = [float(TISSUES.index(image.tissue)) for image in chosen]
        spearman = rank_agreement(percent, order, woman, generator=self._stream, **options)
        return TissueAgreement(
            images=len(chosen),
            spearman=spearman,
            dense=separation(percent, [k == 2 for k in order], woman, generator=self._own(), **options),
            fatty=separation([-p for p in percent], [k == 0 for k in order], woman, generator=self._own(), **options),
            median_by_tissue={
                tissue: float(np.median([p for p, k in zip(percent, order, strict=True) if k == index]))
                for index, tissue in enumerate(TISSUES)
                if index in order
            },
        )
