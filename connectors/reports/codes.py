"""The codes of a Mammography CAD SR as the standard has them; `code_profiles` gives those of older schemes."""

from __future__ import annotations

from typing import NamedTuple

from reread.analytics.records import FindingKind, Laterality, View
from reread.connectors.view_codes import MODIFIER_CODES, VIEW_MEANING, VIEW_SCT


class Code(NamedTuple):
    """A coded concept: Code Value, Coding Scheme Designator, Code Meaning."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


REPORT = _dcm("111036", "Mammography CAD Report")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH = Code("en", "RFC5646", "English")
COUNTRY = _dcm("121046", "Country of Language")
UNITED_STATES = Code("US", "ISO3166_1", "UNITED STATES")
IMAGE_LIBRARY = _dcm("111028", "Image Library")
IMAGE_LATERALITY = _dcm("111027", "Image Laterality")
IMAGE_VIEW = _dcm("111031", "Image View")
IMAGE_VIEW_MODIFIER = _dcm("111032", "Image View Modifier")
ORIENTATION_ROW = _dcm("111044", "Patient Orientation Row")
ORIENTATION_COLUMN = _dcm("111043", "Patient Orientation Column")
STUDY_DATE = _dcm("111060", "Study Date")
STUDY_TIME = _dcm("111061", "Study Time")
CONTENT_DATE = _dcm("111018", "Content Date")
CONTENT_TIME = _dcm("111019", "Content Time")
HORIZONTAL_SPACING = _dcm("111026", "Horizontal Pixel Spacing")
VERTICAL_SPACING = _dcm("111066", "Vertical Pixel Spacing")
FINDINGS_SUMMARY = _dcm("111017", "CAD Processing and Findings Summary")
IMPRESSION = _dcm("111034", "Individual Impression/Recommendation")
IMPRESSION_DESCRIPTION = _dcm("111033", "Impression Description")
RENDERING_INTENT = _dcm("111056", "Rendering Intent")
REQUIRED = _dcm("111150", "Presentation Required: Rendering device is expected to present")
OPTIONAL = _dcm("111151", "Presentation Optional: Rendering device may present")
NOT_PRESENTED = _dcm("111152", "Not for Presentation: Rendering device expected not to present")
OPERATING_POINT = _dcm("111071", "CAD Operating Point")
MAXIMUM_OPERATING_POINT = _dcm("111072", "Maximum CAD Operating Point")
RECOMMENDED_OPERATING_POINT = _dcm("111092", "Recommended CAD Operating Point")
OPERATING_POINT_TABLE = _dcm("111093", "CAD Operating Point Table")
OPERATING_POINT_DESCRIPTION = _dcm("111081", "CAD Operating Point Description")
LESION_SENSITIVITY = _dcm("111089", "Lesion Sensitivity")
FALSE_MARKERS_PER_IMAGE = _dcm("111086", "False Markers per Image")
X_CONCEPT = _dcm("122698", "X-Concept")
Y_CONCEPT = _dcm("122699", "Y-Concept")
COMPOSITE_FEATURE = _dcm("111015", "Composite Feature")
SINGLE_IMAGE_FINDING = _dcm("111059", "Single Image Finding")
COMPOSITE_TYPE = _dcm("111016", "Composite type")
SPATIALLY_RELATED = _dcm("111154", "Target content items are related spatially")
TEMPORALLY_RELATED = _dcm("111153", "Target content items are related temporally")
CONTRALATERALLY_RELATED = _dcm("111155", "Target content items are related contra-laterally")
COMPOSITE_TYPES = (TEMPORALLY_RELATED, SPATIALLY_RELATED, CONTRALATERALLY_RELATED)
"""CID 6035"""
SCOPE = _dcm("111057", "Scope of Feature")
ON_ONE_OF_THE_IMAGES = _dcm("111157", "Feature detected on only one of the images")
ON_SEVERAL_IMAGES = _dcm("111158", "Feature detected on multiple images")
ON_THE_ONLY_IMAGE = _dcm("111156", "Feature detected on the only image")
MASS_WITH_CALCIFICATIONS = _dcm("111459", "Mass with calcifications")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
CERTAINTY = _dcm("111012", "Certainty of Finding")
CENTER = _dcm("111010", "Center")
OUTLINE = _dcm("111041", "Outline")
OUTER_MARGIN = _dcm("113663", "Outer limits of fuzzy margin")
PATH = _dcm("121055", "Path")
SELECTED_REGION_DESCRIPTION = _dcm("111058", "Selected Region Description")
BREAST_OUTLINE = _dcm("111007", "Breast Outline including Pectoral Muscle Tissue")
PECTORAL_OUTLINE = _dcm("111045", "Pectoral Muscle Outline")
CALCIFICATION_COUNT = _dcm("111038", "Number of calcifications")
NIPPLE_DISTANCE = _dcm("121242", "Distance from nipple")
CHEST_WALL_DISTANCE = _dcm("121244", "Distance from chest wall")
FIBROGLANDULAR = _dcm("111046", "Percent Fibroglandular Tissue")
TISSUE_DENSITY = _dcm("112191", "Breast tissue density")
TISSUE_VOLUME = _dcm("112192", "Volume of parenchymal tissue")
BREAST_VOLUME = _dcm("112193", "Volume of breast")
DERIVATION = _dcm("121401", "Derivation")
UNSPECIFIED_METHOD = _dcm("112187", "Unspecified method of calculation")
TWO_DIMENSIONAL = _dcm("112188", "Two-dimensional method")
THREE_DIMENSIONAL = _dcm("112189", "Three-dimensional method")
ESTIMATED = Code("414135002", "SCT", "Estimated")
CALCULATION_DESCRIPTION = _dcm("112034", "Calculation Description")
BREAST_GEOMETRY = _dcm("111100", "Breast geometry")
SELECTED_REGION = _dcm("111099", "Selected region")
IMAGE_QUALITY = _dcm("111101", "Image Quality")
QUALITY_FINDING = _dcm("111052", "Quality Finding")
INSUFFICIENT_MUSCLE = _dcm("111197", "MLO Insufficient pectoral muscle")
NIPPLE_LINES_DIFFER = _dcm("111204", "CC Posterior nipple line does not measure within 1 cm of MLO")
NIPPLE_NOT_IN_PROFILE = _dcm("111205", "Nipple not in profile")
DETECTIONS = _dcm("111064", "Summary of Detections")
SUCCESSFUL_DETECTIONS = _dcm("111063", "Successful Detections")
FAILED_DETECTIONS = _dcm("111025", "Failed Detections")
DETECTION = _dcm("111022", "Detection Performed")
ANALYSES = _dcm("111065", "Summary of Analyses")
SUCCESSFUL_ANALYSES = _dcm("111062", "Successful Analyses")
FAILED_ANALYSES = _dcm("111024", "Failed Analyses")
ANALYSIS = _dcm("111004", "Analysis Performed")
SUCCEEDED = _dcm("111222", "Succeeded")
PARTIALLY = _dcm("111223", "Partially Succeeded")
FAILED = _dcm("111224", "Failed")
NOT_ATTEMPTED = _dcm("111225", "Not Attempted")
ALL_WITHOUT = _dcm("111241", "All algorithms succeeded; without findings")
ALL_WITH = _dcm("111242", "All algorithms succeeded; with findings")
SOME_WITHOUT = _dcm("111243", "Not all algorithms succeeded; without findings")
SOME_WITH = _dcm("111244", "Not all algorithms succeeded; with findings")
NONE_SUCCEEDED = _dcm("111245", "No algorithms succeeded; without findings")
FINDINGS_SUMMARIES = (ALL_WITHOUT, ALL_WITH, SOME_WITHOUT, SOME_WITH, NONE_SUCCEEDED)

MICROMETER = Code("um", "UCUM", "micrometer")
MILLIMETER = Code("mm", "UCUM", "millimeter")
CENTIMETER = Code("cm", "UCUM", "centimeter")
SQUARE_MILLIMETER = Code("mm2", "UCUM", "square millimeter")
CUBIC_CENTIMETER = Code("cm3", "UCUM", "cubic centimeter")
DEGREE = Code("deg", "UCUM", "degree")
ARBITRARY = Code("[arb'U]", "UCUM", "arbitrary unit")
ZERO_TO_ZERO = Code("{0:0}", "UCUM", "range: 0:0")
ZERO_TO_ONE = Code("{0:1}", "UCUM", "range: 0:1")
ONE_TO_FOUR = Code("{1:4}", "UCUM", "range: 1:4")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")
ZERO_TO_TWO = Code("{0:2}", "UCUM", "range: 0:2")
ONE_TO_TWO = Code("{1:2}", "UCUM", "range: 1:2")

LEFT_BREAST = Code("80248007", "SCT", "Left breast")
RIGHT_BREAST = Code("73056007", "SCT", "Right breast")
BOTH_BREASTS = Code("63762007", "SCT", "Both breasts")
LATERALITY = Code("272741003", "SCT", "Laterality")
MASS = Code("129793001", "SCT", "Mammography breast density")
CLUSTER = Code("129769006", "SCT", "Calcification Cluster")
CALCIFICATION = Code("129770007", "SCT", "Individual Calcification")
COMPOSITION = Code("129715009", "SCT", "Breast composition")
NIPPLE = Code("24142002", "SCT", "Nipple")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
AREA = Code("42798000", "SCT", "Area")
COLLOCATION_ANALYSIS = Code("133884007", "SCT", "Spatial collocation analysis")
QUALITY_ANALYSIS = Code("133887000", "SCT", "Image quality analysis")
COMPOSITION_ANALYSIS = Code("133890006", "SCT", "Breast composition analysis")
COMPOSITIONS = {
    "a": Code("129716005", "SCT", "Almost entirely fat"),
    "b": Code("129717001", "SCT", "Scattered fibroglandular densities"),
    "c": Code("129718006", "SCT", "Heterogeneously dense"),
    "d": Code("129719003", "SCT", "Extremely dense"),
}
"""CID 6000"""
FINDING_CODES = {FindingKind.MASS: MASS, FindingKind.CALCIFICATION: CLUSTER}
BREASTS = {Laterality.LEFT: LEFT_BREAST, Laterality.RIGHT: RIGHT_BREAST}
VIEWS = {view: Code(VIEW_SCT[view], "SCT", VIEW_MEANING[view]) for view in View}
MODIFIERS = {name: Code(sct, "SCT", name.title()) for name, (_, sct) in MODIFIER_CODES.items()}
"""CID 4015"""
