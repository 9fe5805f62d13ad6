"""Our own codes, for what no standard scheme has a code (PS3.16 section 8.2: designators of private schemes begin 99).

A value is never given another meaning; one that goes out of use stays in this list.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from reread.connectors.identifiers import derived_uid
from reread.connectors.reports.codes import Code

SCHEME = "99REREAD"
SCHEME_UID = derived_uid("coding scheme", SCHEME)


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


CONTRAST = _own("RR0010", "Contrast")
"""brightness above the surroundings, % of the range from fat to the brightest tissue of this breast (R0.258, R0.278)"""
SPICULATION = _own("RR0011", "Degree of spiculation")
"""share of the line-like structure around a mass that runs towards it beyond chance, % (R0.260)"""
MARGIN_WIDTH = _own("RR0012", "Width of margin")
"""distance over which the brightness of a mass falls from 75 to 25 % of its contrast"""
SCORE = _own("RR0013", "Detector score")
"""0 to 1, comparable within one kind of finding and algorithm version"""
EVIDENCE = _own("RR0014", "Detector evidence")
"""what the score is calibrated from, in standard deviations of the breast's own tissue"""
FINDING_IDENTIFIER = _own("RR0016", "Finding identifier")
"""place of the finding in the result of its image, from 1 (R0.225, R0.262, R0.280)"""
PLACE_IDENTIFIER = _own("RR0017", "Place identifier")
"""number of a place of the breast that several findings of the study show, from 1"""
COMPOSITE_IDENTIFIER = _own("RR0018", "Composite identifier")
"""number of a mass and the clusters in it within the study, from 1"""
DENSITY_CATEGORY = _own("RR0020", "Breast density category")
"""1 to 4 for a to d (R0.195)"""
DENSE_AREA = _own("RR0021", "Area of dense tissue")
BREAST_AREA = _own("RR0022", "Area of breast")
"""without the pectoral muscle"""
REGION_AREA = _own("RR0025", "Area of breast with pectoral muscle")
MUSCLE_AREA = _own("RR0026", "Area of pectoral muscle")
THICKNESS = _own("RR0027", "Thickness of compressed breast")
DENSE_THRESHOLD = _own("RR0023", "Threshold of dense tissue")
"""pixel value, 0 to 1, above which as much of the breast lies as is dense"""
FAT_ATTENUATION = _own("RR0024", "Attenuation of fat reference")
MEAN_LEVEL = _own("RR0030", "Mean level of breast")
CLIPPED_DARK = _own("RR0031", "Share of breast at lowest value")
CLIPPED_BRIGHT = _own("RR0032", "Share of breast at highest value")
SHARPNESS = _own("RR0033", "Sharpness")
NOISE = _own("RR0034", "Noise")
MOTION = _own("RR0035", "Motion")
CUT_FRONT = _own("RR0036", "Breast cut at front border")
CUT_ABOVE = _own("RR0037", "Breast cut at upper border")
CUT_BELOW = _own("RR0038", "Breast cut at lower border")
NIPPLE_LINE = _own("RR0040", "Posterior nipple line")
MUSCLE_WIDTH = _own("RR0041", "Width of pectoral muscle")
MUSCLE_LENGTH = _own("RR0042", "Length of pectoral muscle")
MUSCLE_ANGLE = _own("RR0043", "Angle of pectoral muscle")
MUSCLE_BELOW_NIPPLE = _own("RR0044", "Pectoral muscle below nipple level")
NIPPLE_CONFIDENCE = _own("RR0046", "Confidence of nipple position")

PRIVATE_CODES: tuple[Code, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Code) and value.scheme == SCHEME
)
"""All of them, in order of definition."""


def scheme_identification() -> Dataset:
    """Item of the Coding Scheme Identification Sequence (PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeUID = SCHEME_UID
    item.CodingSchemeName = "Reread private codes"
    item.CodingSchemeResponsibleOrganization = "Reread"
    return item
