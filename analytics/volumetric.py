"""Volumetric density of one raw image: how many cubic centimetres of gland in how many of breast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.attenuation import effective_attenuation, known_beam
from reread.analytics.breast import SegmentedBreast
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Mask, Plane, blur, disc
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.reasons import Refusal
from reread.analytics.records import Acquisition, ImageHeader, VolumetricDensity


@dataclass(frozen=True, slots=True)
class VolumetricParameters:
    """Geometry, scatter, reference and categories."""

    logarithms_of_full_scale: float | None = None
    """natural logarithms of exposure that the whole range of logarithmic (LOG) raw values spans: a property of the
    devices of a site, in no attribute; None: such images are refused"""
    support_mm: float = 20.0
    """height of the breast support above the detector, where the header gives no magnification"""
    scatter_per_cm: float = 0.12
    """scatter over primary per cm of breast without a grid (Boone et al. 2000, doi 10.1118/1.1312812)"""
    grid_factor: float = 0.28
    """part of that behind a grid: transmission of scatter 0.20 over that of primary 0.72"""
    scatter_mm: float = 14.0
    """standard deviation of the spread of scatter"""
    smoothing_mm: float = 1.0
    """standard deviation of the smoothing before the reference is taken"""
    fat_quantile: float = 0.05
    """this quantile of the attenuation of nearly fully compressed breast stands for pure fat"""
    full_from: float = 0.85
    """the reference is looked for from this part of the compressed thickness on"""
    skin_mm: float = 1.45
    """thickness of the skin (breast CT, Huang et al. 2008; not checked in the paper)"""
    muscle_margin_mm: float = 3.0
    """strip beside the muscle where no reference is taken"""
    smallest_reference_mm2: float = 150.0
    """least area of fully compressed breast for a reference"""
    category_b_from: float = 3.5
    """percent; grades of a volumetric product as used by Yoshida et al. 2021 (doi 10.3390/curroncol28060448): 0 to
    3.4, 3.5 to 7.4, 7.5 to 15.4, from 15.5 %; made for another method, so a proxy here"""
    category_c_from: float = 7.5
    """percent; the same grades"""
    category_d_from: float = 15.5
    """percent; the same grades"""


def refusal(header: ImageHeader, parameters: VolumetricParameters | None = None) -> Refusal | None:
    """Why volumetric density cannot be measured on an image; None when it can."""
    taken = header.acquisition
    if not header.for_processing:
        return Refusal.FOR_PRESENTATION
    if _log_range(taken, parameters or VolumetricParameters()) is None:
        return Refusal.UNKNOWN_SCALE
    if taken.thickness_mm is None or not 10 <= taken.thickness_mm <= 150:
        return Refusal.NO_THICKNESS
    if taken.kvp is None or not 20 <= taken.kvp <= 49:
        return Refusal.NO_KVP
    if not known_beam(taken.anode, taken.filter_material):
        return Refusal.UNKNOWN_BEAM
    if not header.spacing_known:
        return Refusal.NO_SPACING
    return None


def try_volume(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    header: ImageHeader,
    parameters: VolumetricParameters | None = None,
) -> tuple[VolumetricDensity | None, Refusal | None]:
    """`measure_volume`, or why not."""
    refused = refusal(header, parameters)
    if refused is None:
        try:
            return measure_volume(breast, pectoral, header, parameters), None
        except MeasurementFailed:
            refused = Refusal.NO_REFERENCE
    return None, refused


def measure_volume(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    header: ImageHeader,
    parameters: VolumetricParameters | None = None,
) -> VolumetricDensity:
    """Measure gland and breast volume.

    The relative model (Highnam and Brady 1999; van Engeland et al. 2006): the most fatty
    fully compressed pixel is taken for pure fat, and what another pixel attenuates more is gland, with effective
    coefficients of the beam at the thickness of the breast. Towards the skin line the breast is taken to be rounded
    (a half circle of the compressed thickness), which gives the volume and what fat alone attenuates there. Scatter
    is taken off first, as a spread share of the signal. Behind the muscle's edge, what is not fat is muscle. Skin
    counts as breast, not as gland.

    Parameters
    ----------
    header
        For which `refusal` gives None.

    Raises
    ------
    MeasurementFailed
        No part of the breast is compressed to the full thickness, so nothing can be called pure fat.
    """
    parameters = parameters or VolumetricParameters()
    taken, frame = header.acquisition, breast.frame
    log_range = _log_range(taken, parameters)
    if log_range is None or taken.kvp is None or taken.thickness_mm is None:
        raise MeasurementFailed("beam, thickness or the scale of the values is unknown")
    thickness_mm = taken.thickness_mm
    spacing_mm = frame.spacing_mm / magnification(taken, parameters)
    depth_mm = breast.depth_mm * np.float32(spacing_mm / frame.spacing_mm)
    thick = thickness_map(depth_mm, breast.mask, thickness_mm)
    depths = _attenuation(frame.pixels * np.float32(log_range), breast.mask, thick, taken, spacing_mm, parameters)
    beam = effective_attenuation(taken.anode, taken.filter_material, taken.kvp, thickness_mm)

    muscle = np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    wide = cv2.dilate(muscle.astype(np.uint8), disc(parameters.muscle_margin_mm, spacing_mm)) > 0
    smooth = blur(depths, parameters.smoothing_mm, spacing_mm)
    nearly_full: Mask = breast.mask & ~wide & (thick > parameters.full_from * thickness_mm)
    if float(nearly_full.sum()) * spacing_mm**2 < parameters.smallest_reference_mm2:
        raise MeasurementFailed("no part of the breast is compressed to the full thickness")
    # what fat alone would attenuate less, or skin more, than in the middle of the breast
    inner = thickness_map(depth_mm - parameters.skin_mm, breast.mask, thickness_mm - 2 * parameters.skin_mm)
    skin = np.maximum(thick - inner, 0) - 2 * parameters.skin_mm
    edge = beam.fat_per_mm * (thickness_mm - thick) - beam.gland_per_mm * np.maximum(skin, 0)
    fat = float(np.quantile((smooth + edge)[nearly_full], parameters.fat_quantile))
    dense_mm = beam.gland_mm((depths + edge - fat).astype(np.float32))
    dense_mm = np.clip(dense_mm, 0.0, np.maximum(thick - 2 * parameters.skin_mm, 0))

    pixel_cm3 = spacing_mm**2 / 1000
    region = breast.mask & ~muscle
    gland_cm3 = float(dense_mm[region].sum(dtype=np.float64)) * pixel_cm3
    breast_cm3 = float(thick[region].sum(dtype=np.float64)) * pixel_cm3
    # over the muscle lies breast: all that does not attenuate like muscle
    breast_cm3 += float((thick - dense_mm)[breast.mask & muscle].sum(dtype=np.float64)) * pixel_cm3
    percent = 100.0 * gland_cm3 / max(breast_cm3, 1e-6)
    return VolumetricDensity(
        volumetric_percent=round(percent, 3),
        category=volumetric_category(percent, parameters),
        breast_volume_cm3=round(breast_cm3, 3),
        gland_volume_cm3=round(gland_cm3, 3),
        thickness_mm=thickness_mm,
        fat_attenuation=round(fat, 5),
    )


def magnification(taken: Acquisition, parameters: VolumetricParameters) -> float:
    """How much larger the middle of the breast is in the detector plane."""
    if taken.magnification is not None and 1.0 <= taken.magnification <= 2.0:
        return taken.magnification
    distance = taken.source_to_detector_mm or 650.0
    return distance / (distance - parameters.support_mm - (taken.thickness_mm or 0.0) / 2)


def thickness_map(depth_mm: Plane, mask: Mask, thickness_mm: float) -> Plane:
    """Thickness in mm of a breast with round edges, from the depth under the skin line."""
    radius = thickness_mm / 2
    short = np.clip(radius - depth_mm, 0, radius)
    chord = 2 * np.sqrt(np.maximum(radius**2 - short**2, 0))
    out: Plane = np.where(mask, chord, 0).astype(np.float32)
    return out


def volumetric_category(percent: float, parameters: VolumetricParameters | None = None) -> str:
    """The letter a–d of a volumetric percent density, by configurable boundaries."""
    parameters = parameters or VolumetricParameters()
    bounds = (parameters.category_b_from, parameters.category_c_from, parameters.category_d_from)
    return "abcd"[sum(percent >= bound for bound in bounds)]


def _log_range(taken: Acquisition, parameters: VolumetricParameters) -> float | None:
    return taken.log_range if taken.log_range is not None else parameters.logarithms_of_full_scale


def _attenuation(
    attenuation: Plane,
    mask: Mask,
    thick: Plane,
    taken: Acquisition,
    spacing_mm: float,
    parameters: VolumetricParameters,
) -> Plane:
    """-ln(primary signal), up to a constant."""
    level = float(np.median(attenuation[mask]))
    signal = np.exp(np.clip(level - attenuation, -6, 6)).astype(np.float32)
    share = parameters.scatter_per_cm / 10 * (1.0 if taken.has_grid is False else parameters.grid_factor)
    ratio = thick * np.float32(share)
    scatter = blur(np.where(mask, signal * ratio / (1 + ratio), np.float32(0)), parameters.scatter_mm, spacing_mm)
    primary = np.maximum(signal - scatter, np.float32(0.05) * signal)
    out: Plane = -np.log(np.maximum(primary, np.float32(1e-4)))
    return out
