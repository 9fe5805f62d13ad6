"""What stands on the density page, without how it looks: a pure function of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reread.analytics.density import DensityParameters
from reread.analytics.records import ImageResult, Laterality, StudyResult, View
from reread.analytics.tables_quality import quality_columns, repeatability_columns
from reread.analytics.volumetric import VolumetricParameters
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.results.page_language import Words
from reread.connectors.results.page_remarks import image_remarks, nipple_line_remark


@dataclass(frozen=True, slots=True)
class Scale:
    """Letters over a percentage: where b, c and d begin, and who says so."""

    limits: tuple[float, float, float]
    end: float
    """the scale ends here"""
    source: str


@dataclass(frozen=True, slots=True)
class ViewDensity:
    """Density of one view; None where it is not known."""

    laterality: Laterality
    view: str
    percent: float | None
    letter: str
    volumetric_percent: float | None
    note: str
    """why there is none"""


@dataclass(frozen=True, slots=True)
class BreastDensity:
    """Density of one breast, or of both."""

    percent: float | None
    letter: str
    volumetric_percent: float | None
    volumetric_letter: str
    breast_volume_cm3: float | None
    gland_volume_cm3: float | None
    dense_area_cm2: float | None
    breast_area_cm2: float | None
    cc_less_mlo: float | None
    """percentage points; of a breast"""


@dataclass(frozen=True, slots=True)
class DensityFacts:
    """Everything on the page."""

    study_date: str
    both: BreastDensity
    right: BreastDensity
    left: BreastDensity
    views: tuple[ViewDensity, ...]
    """R CC, L CC, R MLO, L MLO, then others"""
    left_less_right: float | None
    earlier: tuple[EarlierDensity, ...]
    remarks: tuple[str, ...]
    """on the quality of the images, with the view"""
    area_scale: Scale
    volume_scale: Scale
    no_volume: str
    """why there is no volumetric density; "" when there is one"""
    version: str = ""
    """algorithm and version"""


def area_scale() -> Scale:
    """Letters over percent density."""
    limits = DensityParameters()
    return Scale(
        (limits.category_b_from, limits.category_c_from, limits.category_d_from),
        100.0,
        "Boyd et al. 1995, doi 10.1093/jnci/87.9.670",
    )


def volume_scale() -> Scale:
    """Letters over volumetric density."""
    limits = VolumetricParameters()
    return Scale((limits.category_b_from, limits.category_c_from, limits.category_d_from), 40.0, "Highnam et al. 2010")


def density_facts(
    result: StudyResult, words: Words, earlier: Sequence[EarlierDensity] = (), *, version: str = ""
) -> DensityFacts:
    """Gather the facts of one study."""
    order = {View.CC: 0, View.MLO: 1}
    images = sorted(
        result.images,
        key=lambda i: (
            order.get(i.header.view, 2),
            i.header.view,
            i.header.laterality is Laterality.LEFT,
            i.header.sop_instance_uid,
        ),
    )
    refusals = [image.volumetric_refusal for image in images if image.volumetric_refusal is not None]
    repeatability = repeatability_columns(result)
    seen: dict[str, list[str]] = {}  # remark → where
    for image in images:
        columns = {**quality_columns(image), "view": image.header.view.value}
        texts = list(image_remarks(columns, words))
        if image.failure is not None:
            texts.append(f"{words.not_measured} ({image.failure.value.replace('_', ' ')})")
        for text in texts:
            seen.setdefault(text, []).append(f"{image.header.laterality} {image.header.view}")
    for side, column in (("R", "nipple_line_right_mm"), ("L", "nipple_line_left_mm")):
        if text := nipple_line_remark(repeatability[column], words):
            seen.setdefault(text, []).append(side)
    remarks = [f"{', '.join(where)}: {text}" for text, where in seen.items()]
    return DensityFacts(
        study_date=result.study_date,
        both=_breast(result, None),
        right=_breast(result, Laterality.RIGHT),
        left=_breast(result, Laterality.LEFT),
        views=tuple(_view(image, words) for image in images),
        left_less_right=repeatability["density_left_right"],
        earlier=tuple(earlier),
        remarks=tuple(remarks),
        area_scale=area_scale(),
        volume_scale=volume_scale(),
        no_volume=refusals[0].value.replace("_", " ") if refusals and result.volumetric is None else "",
        version=version,
    )


def _view(image: ImageResult, words: Words) -> ViewDensity:
    density, volume = image.density, image.volumetric
    return ViewDensity(
        laterality=image.header.laterality,
        view=image.header.view.value,
        percent=density.percent_density if density else None,
        letter=density.category if density else "",
        volumetric_percent=volume.volumetric_percent if volume else None,
        note=words.not_measured if density is None else "",
    )


def _breast(result: StudyResult, side: Laterality | None) -> BreastDensity:
    density, volume = {
        None: (result.density, result.volumetric),
        Laterality.RIGHT: (result.right, result.volumetric_right),
        Laterality.LEFT: (result.left, result.volumetric_left),
    }[side]
    return BreastDensity(
        percent=density.percent_density if density else None,
        letter=density.category if density else "",
        volumetric_percent=volume.volumetric_percent if volume else None,
        volumetric_letter=volume.category if volume else "",
        breast_volume_cm3=volume.breast_volume_cm3 if volume else None,
        gland_volume_cm3=volume.gland_volume_cm3 if volume else None,
        dense_area_cm2=density.dense_area_mm2 / 100 if density else None,
        breast_area_cm2=density.breast_area_mm2 / 100 if density else None,
        cc_less_mlo=_between_views(result, side) if side else None,
    )


def _between_views(result: StudyResult, side: Laterality) -> float | None:
    means = []
    for view in (View.CC, View.MLO):
        values = [
            image.density.percent_density
            for image in result.images
            if image.header.laterality is side
            and image.header.view is view
            and image.header.shows_whole_breast
            and image.density is not None
        ]
        if not values:
            return None
        means.append(sum(values) / len(values))
    return means[0] - means[1]
