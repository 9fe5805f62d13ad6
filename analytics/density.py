"""Area density of one image: where fat shows as gaps between gland, and where tissue is brighter than fat."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.breast_depth import DepthParameters, fading_depth_mm
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Mask, Plane, blur, blur_inside, disc
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import DensityScore


@dataclass(frozen=True, slots=True)
class DensityParameters:
    """Where tissue is looked at, and what counts as dense."""

    periphery_mm: float = 5.0
    """the zone under the skin that counts as breast but never as dense"""
    muscle_margin_mm: float = 2.8
    """strip beside the muscle that is left out"""
    border_mm: float = 6.0
    """nor is anything dense this near to the upper and lower border of the image: scanned film has dark and bright
    strips there, and rounded corners"""
    wall_mm: float = 2.0
    """nor this near to the edge at the chest wall"""
    depth: DepthParameters = field(default_factory=DepthParameters)
    fat_quantile: float = 0.1
    """this quantile of the pixels of equal depth under the skin stands for fat of that depth"""
    window_mm: float = 1.6
    """standard deviation of the neighbourhood whose skewness is taken"""
    background_mm: float = 3.0
    """standard deviation of the background taken off before"""
    noise_fraction: float = 0.03
    """local spread below this part of the spread of the breast is noise: its skewness counts less"""
    largest_skewness: float = 1.0
    """beyond this, skewness says no more"""
    level_mm: float = 1.2
    """standard deviation of the smoothing of the level above fat"""
    level_weight: float = 0.3
    """weight of the level above fat (in standard deviations of the breast) beside the skewness; small, as the level
    depends on the outline and the texture hardly does"""
    dense_from: float = 0.4
    """tissue is dense from this evidence on; on the odd half of mini-MIAS this keeps the medians of former versions"""
    least_spread: float = 0.004
    """least standard deviation of the breast, of the full range; below it nothing is dense"""
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
) -> DensityScore:
    """Measure percent density; no gain or offset of the grey levels changes it.

    Two pieces of evidence are added in every pixel of the breast without muscle. *Texture*: the skewness of its
    neighbourhood above fat (regional skewness falls with density: Byng et al. 1996, Phys Med Biol 41:909). For a
    mixture of two
    tissues with the share p of the brighter one it is (1 - 2p) / sqrt(p (1 - p)): negative where fat shows as gaps in
    gland, positive where strands run through fat. *Level*: how far the pixel lies above the fat of its own depth
    under the skin, in standard deviations of the breast; the fat level as a function of depth takes up the thinning
    of the breast and the processing of its edge. The muscle sets no scale.

    Raises
    ------
    MeasurementFailed
        Too little breast is left without the muscle and the zone under the skin.
    """
    parameters = parameters or DensityParameters()
    frame = breast.frame
    muscle = np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    region = breast_without_muscle(breast, muscle, parameters) & ~film_edges(breast, parameters)
    depth_mm = fading_depth_mm(breast, parameters.depth)
    core: Mask = region & (depth_mm > parameters.periphery_mm)
    pixel_mm2 = frame.spacing_mm**2
    breast_area_mm2 = float((breast.mask & ~muscle).sum()) * pixel_mm2
    if core.sum() * pixel_mm2 < 300.0:
        raise MeasurementFailed("too little breast is left without muscle and skin to measure density")
    dense = dense_tissue(breast, region, core, depth_mm, parameters)
    dense_area_mm2 = float(dense.sum()) * pixel_mm2
    percent = 100.0 * dense_area_mm2 / breast_area_mm2
    # the one threshold that would call as much of the breast dense
    threshold = float(np.quantile(frame.pixels[core], 1.0 - float(dense.sum()) / float(core.sum())))
    return DensityScore(
        round(percent, 3),
        category(percent, parameters),
        round(dense_area_mm2, 2),
        round(breast_area_mm2, 2),
        round(min(max(threshold, 0.0), 1.0), 5),
    )


def breast_without_muscle(breast: SegmentedBreast, muscle: Mask, parameters: DensityParameters) -> Mask:
    """The breast without the muscle and a strip beside it."""
    wide = cv2.dilate(muscle.astype(np.uint8), disc(parameters.muscle_margin_mm, breast.frame.spacing_mm)) > 0
    region: Mask = breast.mask & ~wide
    return region


def film_edges(breast: SegmentedBreast, parameters: DensityParameters) -> Mask:
    """Strips along the borders of the image and the chest wall, in the frame of the breast."""
    spacing_mm, rows = breast.frame.spacing_mm, breast.surroundings.pixels.shape[0]
    width = round(parameters.border_mm / spacing_mm)
    at = np.arange(breast.mask.shape[0]) + breast.offset[1]
    out: Mask = np.zeros_like(breast.mask)
    out[(at < width) | (at >= rows - width)] = True
    out[:, : round(parameters.wall_mm / spacing_mm)] = True
    return out


def dense_tissue(
    breast: SegmentedBreast, region: Mask, core: Mask, depth_mm: Plane, parameters: DensityParameters
) -> Mask:
    """The dense pixels of `core`."""
    pixels, spacing_mm = breast.frame.pixels, breast.frame.spacing_mm
    centred = pixels - np.float32(pixels[core].mean())
    spread = float(centred[core].std())
    if spread < parameters.least_spread:
        return np.zeros_like(core)
    centred /= np.float32(spread)
    weight = region.astype(np.float32)
    fat = fat_level(centred, depth_mm, region, parameters.fat_quantile)
    above = np.where(breast.mask, centred - fat, np.float32(0))
    darkest, brightest = np.quantile(above[core], (0.1, 0.9))
    if brightest - darkest < parameters.noise_fraction:
        # all spread is that of the edge
        return np.zeros_like(core)
    level = blur(above, parameters.level_mm, spacing_mm)
    # without the fat of its depth, the thinning edge of the breast is no gap
    skewness = _local_skewness(above, weight, spacing_mm, parameters)
    dense: Mask = core & (parameters.level_weight * level - skewness > parameters.dense_from)
    return dense


_DEPTHS_MM = np.array([2.0, 4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 40.0, 60.0])


def fat_level(pixels: Plane, depth_mm: Plane, region: Mask, quantile: float) -> Plane:
    """The level of fat in every pixel, from a low quantile of each ring of equal depth under the skin."""
    depths, tissue = depth_mm[region], pixels[region]
    ring = np.digitize(depths, _DEPTHS_MM)
    at, level = [], []
    for index in range(1, _DEPTHS_MM.size):
        values = tissue[ring == index]
        if values.size > 100:
            at.append(float(_DEPTHS_MM[index - 1] + _DEPTHS_MM[index]) / 2)
            level.append(float(np.quantile(values, quantile)))
    if not at:
        return np.full_like(pixels, np.quantile(tissue, quantile))
    return np.interp(depth_mm, at, level).astype(np.float32)


def _local_skewness(above: Plane, weight: Plane, spacing_mm: float, parameters: DensityParameters) -> Plane:
    """Skewness in a Gaussian neighbourhood, without the background; limited to what it can tell."""
    background = blur_inside(above, weight, parameters.background_mm, spacing_mm)
    detail = (above - background) * weight

    def local(plane: Plane) -> Plane:
        return blur(plane, parameters.window_mm, spacing_mm)

    total = np.maximum(local(weight), np.float32(1e-4))
    squared = detail * detail
    first, second, third = local(detail) / total, local(squared) / total, local(squared * detail) / total
    variance = np.maximum(second - first * first, 0) + np.float32(parameters.noise_fraction**2)
    moment = third - 3 * first * second + 2 * first**3
    skewness: Plane = np.clip(moment / variance**1.5, -parameters.largest_skewness, parameters.largest_skewness)
    return skewness


def category(percent_density: float, parameters: DensityParameters | None = None) -> str:
    """The letter a–d of a percent density; a rough proxy of BI-RADS, by configurable boundaries."""
    parameters = parameters or DensityParameters()
    bounds = (parameters.category_b_from, parameters.category_c_from, parameters.category_d_from)
    return "abcd"[sum(percent_density >= bound for bound in bounds)]
