"""What is true of a simulated image: exact volumes, lines, places."""

from __future__ import annotations

from dataclasses import dataclass

from reread.analytics.records import Contour
from reread.analytics.simulation_lesions import Lesion


@dataclass(frozen=True, slots=True)
class GrainTruth:
    """One calcification in one view."""

    x_px: float
    y_px: float
    depth_mm: float
    """from the chest wall edge, in the breast"""
    down_mm: float
    """down the image, in the breast"""
    height_mm: float
    """above the support plate"""
    length_mm: float
    """true long axis, in three dimensions"""
    width_mm: float
    material: str
    contrast: float
    """1 - transmitted share of the mean detected photon energy at its centre"""
    visible: bool
    """whether it lies on the image"""


@dataclass(frozen=True, slots=True)
class LesionTruth:
    """One lesion in one view; pixels of the stored image."""

    lesion: Lesion
    x_px: float
    y_px: float
    depth_mm: float
    down_mm: float
    height_mm: float
    radius_px: float
    """of the circle round all of it: for a mass without its strands"""
    long_axis_mm: float
    """true size: diameter of a mass, largest distance within a cluster"""
    volume_mm3: float
    peak_mm: float
    """longest path of a ray through it"""
    visible: bool
    """whether its centre lies on the image"""
    grains: tuple[GrainTruth, ...]


@dataclass(frozen=True, slots=True)
class BreastTruth:
    """One breast in one view; volumes are those of what the image shows, without the muscle."""

    breast_cm3: float
    """skin included"""
    gland_cm3: float
    """fibroglandular tissue with ligaments, ducts, vessels and extra gland; without masses"""
    lesion_cm3: float
    skin_cm3: float
    muscle_cm3: float
    volumetric_percent: float
    """gland over breast"""
    area_percent: float
    """share of the breast's area, without muscle, in which gland makes up `area_threshold` of the ray's path"""
    area_threshold: float
    breast_area_mm2: float
    """projected, in the detector plane, without muscle"""
    muscle_area_mm2: float
    thickness_mm: float
    """between the plates at the chest wall"""
    skin_line: Contour
    """from top to bottom, open"""
    muscle_line: Contour
    """from the upper edge of the image to the chest wall, open; empty without muscle"""
    nipple_px: tuple[float, float]
    nipple_in_profile: bool
    lesions: tuple[LesionTruth, ...]
    benign: tuple[GrainTruth, ...]
    """calcifications that are no lesion: single ones, and those of arteries"""
