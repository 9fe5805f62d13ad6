"""From images to breasts to the study."""

from dataclasses import replace

import pytest
from phantoms import phantom

from reread.analytics.reasons import Reason
from reread.analytics.records import DensityScore, ImageResult, Laterality, RejectedImage, StudyResult, View
from reread.analytics.study import combine_study


def image(laterality: Laterality, view: View, percent: float | None, number: int = 1) -> ImageResult:
    header = replace(
        phantom(rows=64, columns=64, spacing_mm=3.0).mammogram.header,
        laterality=laterality,
        view=view,
        sop_instance_uid=f"2.25.{number}",
    )
    density = None if percent is None else DensityScore(percent, "abcd"[min(3, int(percent // 25))], 100, 1000, 0.5)
    failure = Reason.MEASUREMENT_FAILED if percent is None else None
    return ImageResult(header, None, None, None, density, (), failure, "", ())


def combined(*images: ImageResult) -> StudyResult:
    return combine_study(
        study_instance_uid="2.25.9", revision=2, woman="w", study_date="20260102", images=images, rejected=()
    )


L, R = Laterality.LEFT, Laterality.RIGHT


def test_a_breast_is_the_mean_of_its_views_and_the_study_of_its_breasts() -> None:
    study = combined(image(L, View.CC, 10), image(L, View.MLO, 20), image(R, View.CC, 50), image(R, View.MLO, 60))
    assert study.left is not None and study.right is not None and study.density is not None
    assert (study.left.percent_density, study.right.percent_density) == (15, 55)
    assert study.density.percent_density == 35
    # each breast has the letter of its own number, the study that of the denser breast (boundaries 10, 25, 50 %)
    assert (study.left.category, study.right.category, study.density.category) == ("b", "d", "d")


def test_a_repeated_view_does_not_weigh_double() -> None:
    study = combined(
        image(L, View.CC, 10, 1), image(L, View.CC, 30, 2), image(L, View.CC, 20, 3), image(L, View.MLO, 40, 4)
    )
    assert study.left is not None
    assert study.left.percent_density == 30


def test_a_raw_view_does_not_count_beside_the_same_view_for_presentation() -> None:
    def raw(made: ImageResult) -> ImageResult:
        return replace(made, header=replace(made.header, for_processing=True))

    study = combined(image(L, View.CC, 10, 1), raw(image(L, View.CC, 50, 2)), raw(image(L, View.MLO, 40, 3)))
    assert study.left is not None
    assert study.left.percent_density == 25


def test_one_breast_and_failed_images() -> None:
    study = combined(image(L, View.CC, None), image(R, View.MLO, 12))
    assert study.left is None
    assert study.right is not None and study.density is not None
    assert study.density.percent_density == 12
    assert len(study.images) == 2


@pytest.mark.parametrize("images", [(), (image(L, View.CC, None),)])
def test_nothing_measured_is_no_density(images: tuple[ImageResult, ...]) -> None:
    study = combined(*images)
    assert study.density is None and study.left is None and study.right is None


def test_the_order_of_arrival_does_not_matter() -> None:
    images = [image(L, View.CC, 10, 1), image(R, View.MLO, 60, 2), image(L, View.MLO, 33, 3)]
    assert combined(*images) == combined(*reversed(images))


def test_what_is_given_is_kept() -> None:
    lost = RejectedImage("a", Reason.EMPTY, "")
    study = combine_study(study_instance_uid="2.25.9", revision=3, woman="w", study_date="", images=(), rejected=[lost])
    assert (study.study_instance_uid, study.revision, study.woman, study.study_date) == ("2.25.9", 3, "w", "")
    assert study.rejected == (lost,)
