"""From images to a study: density of each breast and of both, left against right, views against views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from reread.analytics.asymmetry import AsymmetryParameters, compared
from reread.analytics.calibration import built_in_table
from reread.analytics.density import category
from reread.analytics.matching import MatchingParameters, matched
from reread.analytics.records import (
    DensityScore,
    FindingKind,
    ImageResult,
    Laterality,
    RejectedImage,
    StudyResult,
    View,
    VolumetricDensity,
)
from reread.analytics.volumetric import volumetric_category

Letter = Callable[[float], str]
"""from percent density to a, b, c or d"""


def combine_study(
    *,
    study_instance_uid: str,
    revision: int,
    woman: str,
    study_date: str,
    images: Sequence[ImageResult],
    rejected: Sequence[RejectedImage],
    letter: Letter = category,
    asymmetry: AsymmetryParameters | None = None,
    matching: MatchingParameters | None = None,
) -> StudyResult:
    """Combine the images of one study revision.

    A breast's density is the mean over its views; two images of one view count as one view, so that a repeated
    exposure does not weigh double. The study's percent density is the mean of its breasts, its category that of the
    denser breast (the rule of BI-RADS, ACR 2013). Images come out ordered by laterality, view and SOP Instance UID.

    Each breast is compared with the same view of the other, then findings of two views are matched.

    Parameters
    ----------
    woman
        Keyed pseudonym of the patient.
    study_date
        DICOM DA, may be empty.
    letter
        From percent density to a, b, c or d.
    """
    ordered = tuple(
        sorted(images, key=lambda image: (image.header.laterality, image.header.view, image.header.sop_instance_uid))
    )
    ordered = matched(_compared(ordered, asymmetry), matching)
    left = breast_density((image for image in ordered if image.header.laterality is Laterality.LEFT), letter)
    right = breast_density((image for image in ordered if image.header.laterality is Laterality.RIGHT), letter)
    volume_left = breast_volume(image for image in ordered if image.header.laterality is Laterality.LEFT)
    volume_right = breast_volume(image for image in ordered if image.header.laterality is Laterality.RIGHT)
    return StudyResult(
        study_instance_uid=study_instance_uid,
        revision=revision,
        woman=woman,
        study_date=study_date,
        images=ordered,
        rejected=tuple(rejected),
        density=_of_both([score for score in (left, right) if score is not None], letter),
        left=left,
        right=right,
        volumetric=_volume_of_both([score for score in (volume_left, volume_right) if score is not None]),
        volumetric_left=volume_left,
        volumetric_right=volume_right,
    )


def breast_volume(images: Iterable[ImageResult]) -> VolumetricDensity | None:
    """Mean volumes of one breast over its views; its percent is gland over breast of those means."""
    views: dict[View, list[VolumetricDensity]] = defaultdict(list)
    for image in images:
        if image.volumetric is not None and image.header.shows_whole_breast:
            views[image.header.view].append(image.volumetric)
    means = [_mean_volume(scores) for scores in views.values()]
    return _mean_volume(means) if means else None


def _mean_volume(scores: Sequence[VolumetricDensity]) -> VolumetricDensity:
    def mean(values: Iterable[float]) -> float:
        return sum(values) / len(scores)

    breast, gland = mean(s.breast_volume_cm3 for s in scores), mean(s.gland_volume_cm3 for s in scores)
    percent = 100.0 * gland / max(breast, 1e-6)
    return VolumetricDensity(
        volumetric_percent=percent,
        category=volumetric_category(percent),
        breast_volume_cm3=breast,
        gland_volume_cm3=gland,
        thickness_mm=mean(s.thickness_mm for s in scores),
        fat_attenuation=mean(s.fat_attenuation for s in scores),
    )


def _volume_of_both(breasts: Sequence[VolumetricDensity]) -> VolumetricDensity | None:
    """The mean breast, with the letter of the denser one."""
    if not breasts:
        return None
    denser = max(breasts, key=lambda score: score.volumetric_percent)
    return replace(_mean_volume(breasts), category=denser.category)


def _compared(images: tuple[ImageResult, ...], parameters: AsymmetryParameters | None) -> tuple[ImageResult, ...]:
    """Each image against the first of the same view and kind (raw or not) of the other breast."""
    out = []
    for image in images:
        other = next(
            (
                candidate.signature
                for candidate in images
                if candidate.header.view is image.header.view
                and candidate.header.laterality is not image.header.laterality
                # the greys of a raw image say nothing about those of a processed one
                and candidate.header.for_processing == image.header.for_processing
                and candidate.signature is not None
            ),
            None,
        )
        if image.signature is not None and other is not None:
            calibration = built_in_table().of(image.header, FindingKind.MASS)
            findings = compared(image.findings, image.signature, other, calibration, parameters)
            image = replace(image, findings=findings)
        out.append(image)
    return tuple(out)


def _of_both(breasts: Sequence[DensityScore], letter: Letter) -> DensityScore | None:
    """The mean of the numbers, and the letter of the denser breast."""
    if not breasts:
        return None
    denser = max(breasts, key=lambda score: score.percent_density)
    return replace(_mean(breasts, letter), category=denser.category)


def breast_density(images: Iterable[ImageResult], letter: Letter = category) -> DensityScore | None:
    """Mean density of one breast over its views, with the letter of that mean; None when no image has a density.

    Of a view that is there raw and for presentation the raw image does not count: the area density was settled on
    images for presentation.
    """
    views: dict[View, list[ImageResult]] = defaultdict(list)
    for image in images:
        if image.density is not None and image.header.shows_whole_breast:
            views[image.header.view].append(image)
    means = [
        _mean([image.density for image in _presented(found) if image.density is not None], letter)
        for found in views.values()
    ]
    return _mean(means, letter) if means else None


def _presented(images: Sequence[ImageResult]) -> Sequence[ImageResult]:
    return [image for image in images if not image.header.for_processing] or images


def _mean(scores: Sequence[DensityScore], letter: Letter) -> DensityScore:
    """The mean of the numbers, and its letter."""

    def mean(values: Iterable[float]) -> float:
        return sum(values) / len(scores)

    percent_density = mean(score.percent_density for score in scores)
    return DensityScore(
        percent_density=percent_density,
        category=letter(percent_density),
        dense_area_mm2=mean(score.dense_area_mm2 for score in scores),
        breast_area_mm2=mean(score.breast_area_mm2 for score in scores),
        dense_threshold=mean(score.dense_threshold for score in scores),
    )
