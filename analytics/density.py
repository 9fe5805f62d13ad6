"""Area density of one image: how much of the breast is brighter than its own fat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Mask, Plane, blur_inside, disc
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import DensityScore


@dataclass(frozen=True, slots=True)
class DensityParameters:
    """Where tissue is looked at, and what counts as dense."""

    periphery_mm: float = 8.0
    """the thinning zone under the skin that is left out"""
    muscle_margin_mm: float = 2.4
    """strip beside the muscle that is left out"""
    fat_quantile: float = 0.2
    """this quantile of the pixels stands for fat"""
    bright_quantile: float = 0.995
    """this quantile of the whole breast, muscle included, stands for the brightest tissue"""
    dense_fraction: float = 0.6
    """tissue is dense from this fraction of the way from fat to brightest; chosen on the odd half of mini-MIAS"""
    levelling_mm: float = 8.0
    """standard deviation of the surroundings against which tissue is also judged: the breast is not equally thick"""
    levelling_weight: float = 1.0
    """weight of the difference from the surroundings"""
    least_contrast: float = 0.04
    """least difference of brightest tissue and fat, of the full range; below it nothing is dense"""
    category_b_from: float = 10.0
    """percent density; the boundary of Boyd et al. 1995 (doi 10.1093/jnci/87.9.670), categories under and over 10 %"""
    category_c_from: float = 25.0
    """percent density; the same classes, 25 %"""
    category_d_from: float = 50.0
    """percent density; the same classes, 50 %"""


def measure_density(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: DensityParameters | None = None,
    *,
    for_processing: bool = False,
) -> DensityScore:
    """Measure percent density.

    Interactive thresholding (Byng et al. 1994, doi 10.1088/0031-9155/39/10/008) with the threshold set from the
    image: part of the way from its fat to its brightest tissue. A pixel is compared after its difference from its
    surroundings has been added once more, which offsets uneven thickness; so `dense_threshold` holds for that
    levelled image. The zone under the skin counts as breast but never as dense; the muscle does not count. Raw
    detector values are put on a logarithmic scale first.

    Raises
    ------
    MeasurementFailed
        Too little breast is left without the muscle and the zone under the skin.
    """
    parameters = parameters or DensityParameters()
    frame = breast.frame
    muscle = np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    pixels = attenuation(frame.pixels) if for_processing else frame.pixels
    wide = cv2.dilate(muscle.astype(np.uint8), disc(parameters.muscle_margin_mm, frame.spacing_mm)) > 0
    core: Mask = breast.mask & ~wide & (breast.depth_mm > parameters.periphery_mm)
    pixel_mm2 = frame.spacing_mm**2
    breast_area_mm2 = float((breast.mask & ~muscle).sum()) * pixel_mm2
    if core.sum() * pixel_mm2 < 300.0:
        raise MeasurementFailed("too little breast is left without muscle and skin to measure density")
    around = blur_inside(pixels, (breast.mask & ~wide).astype(np.float32), parameters.levelling_mm, frame.spacing_mm)
    levelled = (pixels + parameters.levelling_weight * (pixels - around))[core]
    tissue = pixels[core]
    fat = float(np.quantile(tissue, parameters.fat_quantile))
    brightest = float(np.quantile(pixels[breast.mask], parameters.bright_quantile))
    contrast = brightest - fat
    if contrast < parameters.least_contrast:
        threshold, dense = brightest, 0
    else:
        threshold = fat + parameters.dense_fraction * contrast
        dense = int((levelled >= threshold).sum())
    dense_area_mm2 = dense * pixel_mm2
    percent = 100.0 * dense_area_mm2 / breast_area_mm2
    stored = float(1.0 - np.exp(-threshold * _LOG_RANGE)) if for_processing else threshold
    return DensityScore(
        round(percent, 3),
        category(percent, parameters),
        round(dense_area_mm2, 2),
        round(breast_area_mm2, 2),
        round(min(max(stored, 0.0), 1.0), 5),
    )


_LOG_RANGE = float(np.log(4096.0))


def attenuation(pixels: Plane) -> Plane:
    """Raw values, already inverted (brighter is denser), on a logarithmic scale; 0…1 over 12 bits of dynamic range.

    Detectors count photons, tissue attenuates exponentially: equal amounts of tissue are equal steps of the logarithm.
    """
    counted = np.maximum(1.0 - pixels, np.float32(1 / 4096))
    out: Plane = (-np.log(counted) / np.float32(_LOG_RANGE)).astype(np.float32)
    return out


def category(percent_density: float, parameters: DensityParameters | None = None) -> str:
    """The letter a–d of a percent density; a rough proxy of BI-RADS, by configurable boundaries."""
    parameters = parameters or DensityParameters()
    bounds = (parameters.category_b_from, parameters.category_c_from, parameters.category_d_from)
    return "abcd"[sum(percent_density >= bound for bound in bounds)]
