"""From images to a study: density of each breast and of both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from reread.analytics.records import DensityScore, ImageResult, Laterality, RejectedImage, StudyResult, View


def combine_study(
    *,
    study_instance_uid: str,
    revision: int,
    woman: str,
    study_date: str,
    images: Sequence[ImageResult],
    rejected: Sequence[RejectedImage],
) -> StudyResult:
    """Combine the images of one study revision.

    A breast's density is the mean over its views; two images of one view count as one view, so that a repeated
    exposure does not weigh double. The study's percent density is the mean of its breasts, its category that of the
    denser breast (the rule of BI-RADS, ACR 2013). Images come out ordered by laterality, view and SOP Instance UID.

    Parameters
    ----------
    woman
        Keyed pseudonym of the patient.
    study_date
        DICOM DA, may be empty.
    """
    ordered = tuple(
        sorted(images, key=lambda image: (image.header.laterality, image.header.view, image.header.sop_instance_uid))
    )
    left = breast_density(image for image in ordered if image.header.laterality is Laterality.LEFT)
    right = breast_density(image for image in ordered if image.header.laterality is Laterality.RIGHT)
    return StudyResult(
        study_instance_uid=study_instance_uid,
        revision=revision,
        woman=woman,
        study_date=study_date,
        images=ordered,
        rejected=tuple(rejected),
        density=_mean([score for score in (left, right) if score is not None]),
        left=left,
        right=right,
    )


def breast_density(images: Iterable[ImageResult]) -> DensityScore | None:
    """Mean density of one breast over its views; None when no image has a density."""
    views: dict[View, list[DensityScore]] = defaultdict(list)
    for image in images:
        if image.density is not None:
            views[image.header.view].append(image.density)
    means = [mean for scores in views.values() if (mean := _mean(scores)) is not None]
    return _mean(means)


def _mean(scores: Sequence[DensityScore]) -> DensityScore | None:
    """The mean of the numbers; the letter is that of the densest part."""
    if not scores:
        return None

    def mean(values: Iterable[float]) -> float:
        return sum(values) / len(scores)

    return DensityScore(
        percent_density=mean(score.percent_density for score in scores),
        category=max(scores, key=lambda score: score.percent_density).category,
        dense_area_mm2=mean(score.dense_area_mm2 for score in scores),
        breast_area_mm2=mean(score.breast_area_mm2 for score in scores),
        dense_threshold=mean(score.dense_threshold for score in scores),
    )
