"""The columns of quality, positioning, volumetric density and repeatability."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

from reread.analytics.records import ImageQuality, ImageResult, Laterality, Positioning, StudyResult, View

Row = dict[str, Any]
_QUALITY, _POSITIONING = tuple(ImageQuality.__slots__), tuple(Positioning.__slots__)


def volumetric_columns(image: ImageResult) -> Row:
    """What the density table has of the volumes of one image."""
    score = image.volumetric
    return {
        "volumetric_percent": score.volumetric_percent if score else None,
        "volumetric_category": score.category if score else None,
        "breast_volume_cm3": score.breast_volume_cm3 if score else None,
        "gland_volume_cm3": score.gland_volume_cm3 if score else None,
        "thickness_mm": image.header.acquisition.thickness_mm,
        "volumetric_refusal": image.volumetric_refusal.value if image.volumetric_refusal else None,
    }


def quality_columns(image: ImageResult) -> Row:
    """One row of the quality table, without keys."""
    taken = image.header.acquisition
    return {
        "view_modifiers": list(image.header.view_modifiers),
        "spacing_known": image.header.spacing_known,
        "muscle_outcome": image.muscle_outcome.value,
        **{name: getattr(image.quality, name) if image.quality else None for name in _QUALITY},
        **{name: getattr(image.positioning, name) if image.positioning else None for name in _POSITIONING},
        "kvp": taken.kvp,
        "anode": taken.anode or None,
        "filter_material": taken.filter_material or None,
        "compressed_thickness_mm": taken.thickness_mm,
        "compression_force_n": taken.force_n,
        "exposure_mas": taken.exposure_mas,
        "organ_dose_mgy": taken.organ_dose_mgy,
    }


def repeatability_columns(study: StudyResult) -> Row:
    """Volumetric density of a woman, and how well her breasts and views agree."""
    both, left, right = study.volumetric, study.volumetric_left, study.volumetric_right
    return {
        "volumetric_percent": both.volumetric_percent if both else None,
        "volumetric_percent_left": left.volumetric_percent if left else None,
        "volumetric_percent_right": right.volumetric_percent if right else None,
        "volumetric_category": both.category if both else None,
        "density_left_right": study.left.percent_density - study.right.percent_density
        if study.left and study.right
        else None,
        "density_between_views": _between_views(study, lambda i: i.density.percent_density if i.density else None),
        "volumetric_left_right": left.volumetric_percent - right.volumetric_percent if left and right else None,
        "volumetric_between_views": _between_views(
            study, lambda i: i.volumetric.volumetric_percent if i.volumetric else None
        ),
        "nipple_line_left_mm": _cc_less_mlo(study, Laterality.LEFT, _nipple_line),
        "nipple_line_right_mm": _cc_less_mlo(study, Laterality.RIGHT, _nipple_line),
    }


def _nipple_line(image: ImageResult) -> float | None:
    return image.positioning.posterior_nipple_line_mm if image.positioning else None


def _between_views(study: StudyResult, value: Callable[[ImageResult], float | None]) -> float | None:
    differences = [_cc_less_mlo(study, side, value) for side in Laterality]
    known = [difference for difference in differences if difference is not None]
    return fmean(known) if known else None


def _cc_less_mlo(study: StudyResult, side: Laterality, value: Callable[[ImageResult], float | None]) -> float | None:
    means = []
    for view in (View.CC, View.MLO):
        values = [
            number
            for image in study.images
            if image.header.laterality is side and image.header.view is view and image.header.shows_whole_breast
            if (number := value(image)) is not None
        ]
        if not values:
            return None
        means.append(fmean(values))
    return means[0] - means[1]
