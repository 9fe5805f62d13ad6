"""How a Mammography CAD SR is written: what goes in, in which codes and shapes; one value per destination.

The last options are of other forms, for viewers that need more than the standard asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class CodeProfile(StrEnum):
    """Which code schemes stand where the standard has moved from one to another."""

    SCT = "sct"
    """SNOMED CT, as the standard has it since 2019"""
    LEGACY = "legacy"
    """SRT and SNM3 as workstations from before expect (R0.176, R0.238, R0.255)"""
    SNM3 = "snm3"
    """the same, with views and their modifiers in SNM3 too (R1.181, R1.182)"""


class Impressions(StrEnum):
    """What an individual impression stands for (R1.192)."""

    PER_IMAGE = "per-image"
    PER_DETECTION = "per-detection"


class Lengths(StrEnum):
    """Unit of lengths of findings."""

    MILLIMETRES = "mm"
    """R1.212"""
    CENTIMETRES = "cm"
    """R0.255 … R0.257"""


class PointTable(StrEnum):
    """What the table of operating points sets against each other."""

    SENSITIVITY = "sensitivity"
    """false markers per image and lesion sensitivity (R1.248 … R1.257)"""
    CERTAINTY = "certainty"
    """the least certainty of a mark and false markers per image (R0.317 … R0.327)"""


@dataclass(frozen=True, slots=True)
class CadReportOptions:
    """What a destination wants to find in its report.

    ``CadReportOptions(density=False, composites=False, geometry=False, quality=False, metrics=False, outlines=False)``
    is the small report for old workstations (R0.36), ``findings=False, composites=False, geometry=False`` the one of
    biomarkers alone (R0.38).
    """

    codes: CodeProfile = CodeProfile.SCT
    certainty: bool = False
    """give each finding's score as Certainty of Finding, % (R1.205); by default only in the table of points (R0.360)"""
    outlines: bool = True
    """outlines of masses and clusters (R0.253, R0.272)"""
    markers: bool = False
    """outlines as plain shapes: ellipses for masses, upright rectangles for clusters (R1.208, R1.222, R1.288)"""
    outer_margin: bool = True
    """the outer limits of a mass's fuzzy margin (R1.210)"""
    calcifications: bool = True
    """the single calcifications of a cluster as findings below it (R0.282)"""
    metrics: bool = True
    """long axis, area, distances, contrast, spiculation and number of calcifications (R0.361, R1.266-R1.269)"""
    impressions: Impressions = Impressions.PER_IMAGE
    lengths: Lengths = Lengths.MILLIMETRES
    findings: bool = True
    """masses and clusters"""
    composites: bool = True
    """mass with calcifications (R0.218), and the same place in two views"""
    density: bool = True
    """area and volumetric density, breast composition (R0.189 … R0.213)"""
    geometry: bool = True
    """breast and muscle outline, nipple, selected region (R0.229 … R0.244, R0.293)"""
    quality: bool = True
    """image quality, TID 4014"""
    operating_points: bool = True
    """optional marks of points above 0, and the table of points; else only what point 0 marks (R1.287)"""

    point_table: PointTable = PointTable.SENSITIVITY

    cornerstone_tracking: bool = False
    """of the measurement report: tracking identifiers by which OHIF takes its outlines over as measurements"""
    segmentation_placed: bool = False
    """of segmentations: the spacing and the plane orientation that OHIF supposes of an image without one"""

    def of(self, names: frozenset[str]) -> CadReportOptions:
        """Only these options; all others as by default."""
        return replace(CadReportOptions(), **{name: getattr(self, name) for name in names})

    @property
    def variant(self) -> str:
        """Part of the name of an object, and so of its UID: "" for the defaults, else all that differs from them."""
        words = []
        for item in fields(self):
            value = getattr(self, item.name)
            if value != item.default:
                words.append(str(value) if isinstance(value, StrEnum) else f"{'' if value else 'no-'}{item.name}")
        return "".join(f"-{word}" for word in words)


VIEWER_OPTIONS = frozenset({"cornerstone_tracking", "segmentation_placed"})
CAD_SR_OPTIONS = frozenset(item.name for item in fields(CadReportOptions)) - VIEWER_OPTIONS
