"""The records that cross every border: frozen, with units in the names.

Pixel coordinates are those of the stored image: `x_px` is the column, `y_px` the row, both counted
from 0 at the centre of the top left pixel, as `Rows` and `Columns` of the DICOM object see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reread.analytics.reasons import MuscleOutcome, Reason, Refusal

Contour = tuple[tuple[float, float], ...]
"""Vertices (x_px, y_px) of a closed polygon; the first vertex is not repeated at the end."""


class Laterality(StrEnum):
    """Image Laterality (0020,0062)."""

    LEFT = "L"
    RIGHT = "R"


class View(StrEnum):
    """View Position (0018,5101), the terms of PS3.3 C.8.11.7; codes are those of CID 4014."""

    CC = "CC"
    """cranio-caudal"""
    MLO = "MLO"
    """medio-lateral oblique"""
    ML = "ML"
    """medio-lateral"""
    LM = "LM"
    """latero-medial"""
    LMO = "LMO"
    """latero-medial oblique"""
    XCCL = "XCCL"
    """cranio-caudal exaggerated laterally"""
    XCCM = "XCCM"
    """cranio-caudal exaggerated medially"""
    FB = "FB"
    """caudo-cranial (from below)"""
    SIO = "SIO"
    """superolateral to inferomedial oblique"""
    ISO = "ISO"
    """inferomedial to superolateral oblique"""

    @property
    def shows_pectoral(self) -> bool:
        """Whether the pectoral muscle is expected in this view."""
        return self in (View.MLO, View.ML, View.LM, View.LMO, View.SIO, View.ISO)


class FindingKind(StrEnum):
    """What a detector looks for."""

    MASS = "mass"
    CALCIFICATION = "calcification"
    """a cluster; its single calcifications are in `Finding.members`"""


@dataclass(frozen=True, slots=True)
class Size:
    """Millimetres per pixel, and how sure we are."""

    row_spacing_mm: float
    """distance between the centres of neighbouring rows (vertical)"""
    column_spacing_mm: float
    """distance between the centres of neighbouring columns (horizontal)"""

    @property
    def mean_mm(self) -> float:
        return (self.row_spacing_mm + self.column_spacing_mm) / 2


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the image was taken, as far as the header says; None and "" where it does not."""

    kvp: float | None = None
    """KVP (0018,0060)"""
    anode: str = ""
    """element symbol of Anode Target Material (0018,1191)"""
    filter_material: str = ""
    """element symbol of Filter Material (0018,7050)"""
    thickness_mm: float | None = None
    """Body Part Thickness (0018,11A0) of the compressed breast"""
    force_n: float | None = None
    """Compression Force (0018,11A2)"""
    exposure_mas: float | None = None
    """tube current times time"""
    organ_dose_mgy: float | None = None
    """Organ Dose (0040,0316), which is in dGy there"""
    has_grid: bool | None = None
    """whether a grid took scatter away: Grid (0018,1166)"""
    magnification: float | None = None
    """Estimated Radiographic Magnification Factor (0018,1114)"""
    source_to_detector_mm: float | None = None
    """Distance Source to Detector (0018,1110)"""
    log_range: float | None = None
    """natural logarithms of exposure from 0 to 1 of `Mammogram.pixels`; None: not raw, or the scale is not known"""
    detector_type: str = ""
    """Detector Type (0018,7004): DIRECT, SCINTILLATOR, STORAGE or FILM (PS3.3 C.8.11.4)"""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What is known about one image without its pixels."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    rows: int
    columns: int
    laterality: Laterality
    view: View
    spacing: Size
    for_processing: bool
    """raw detector values (Presentation Intent Type FOR PROCESSING), not for display"""
    manufacturer: str
    model: str
    device_serial: str
    study_date: str
    """DICOM DA, may be empty"""
    study_time: str
    """DICOM TM, may be empty"""
    content_date: str
    content_time: str
    patient_orientation: tuple[str, str]
    """(row, column) direction letters in the standard's sense; inferred where the header had none"""
    inferred: tuple[str, ...]
    """what the header did not state, and how it was inferred: ("view: PatientOrientation holds a view name",)"""
    input_digest: str
    """SHA-256 of the file as received, lower-case hex"""
    acquisition: Acquisition = Acquisition()
    spacing_known: bool = True
    """False: no attribute gives millimetres, all lengths rest on an assumption"""
    view_modifiers: tuple[str, ...] = ()
    """modifiers of the view in words (CID 4015), for example ("implant displaced",)"""

    @property
    def shows_whole_breast(self) -> bool:
        """Whether the view stands for the breast; a part of it says nothing about the density of the whole."""
        return not _PARTIAL & set(self.view_modifiers)


_PARTIAL = {"axillary tail", "axillary tissue", "tangential", "anterior compression", "infra-mammary fold"}


@dataclass(frozen=True, slots=True, eq=False)
class Mammogram:
    """One image ready to be measured.

    `pixels` has shape (rows, columns), dtype float32, brighter means denser (MONOCHROME1 and negative
    LUTs are already inverted), modality LUT applied, scaled to 0…1 over the stored range of values.
    """

    header: ImageHeader
    pixels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BreastRegion:
    """Where the breast is, muscle included."""

    outline: Contour
    area_mm2: float
    chest_wall_on_left: bool
    """the breast touches the left edge of the stored image"""


@dataclass(frozen=True, slots=True)
class PectoralMuscle:
    """The pectoral muscle of an oblique or lateral view."""

    outline: Contour
    area_mm2: float
    edge_angle_deg: float
    """angle of the muscle's edge against the vertical, 0 = vertical"""
    edge: Contour = ()
    """the edge alone, from the upper border to the chest wall; an open line"""


@dataclass(frozen=True, slots=True)
class Nipple:
    """The nipple, on the skin line."""

    x_px: float
    y_px: float
    confidence: float
    """0…1; below 0.5 it is the skin-line extremum alone, without evidence in the pixels"""
    in_profile: bool = False
    """it stands before the skin line"""


@dataclass(frozen=True, slots=True)
class DensityScore:
    """Area density of one image or one breast."""

    percent_density: float
    """dense area / breast area without the pectoral muscle, 0…100"""
    category: str
    """a, b, c or d: a rough proxy of the BI-RADS letter; thresholds are parameters with a source"""
    dense_area_mm2: float
    breast_area_mm2: float
    dense_threshold: float
    """pixel value (0…1) above which as much of the breast lies as is dense"""


class Nature(StrEnum):
    """What a finding of kind MASS looks like; a cluster of calcifications has its own kind."""

    MASS = "mass"
    ASYMMETRY = "asymmetry"
    """denser than the same place of the other breast, without the convergence of a mass"""
    DISTORTION = "distortion"
    """lines run towards a place that is not denser than its surroundings"""
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a finding measures (R0.255-R0.260, R0.275-R0.278, R1.210-R1.215); None: does not apply or is not known."""

    long_axis: Contour
    """the two ends of the long axis (x_px, y_px)"""
    area_mm2: float
    contrast_percent: float
    """brightness above its surroundings, of the range from fat to the brightest tissue of this breast"""
    margin_mm: float | None
    """distance over which the brightness falls from 75 to 25 % of the contrast; None for a cluster"""
    spiculation_percent: float | None
    """share of the line-like structure around it that runs towards it beyond chance; None for a cluster"""
    nipple_distance_mm: float | None
    chest_wall_distance_mm: float
    """to the muscle's edge where one was found, else to the chest wall's edge of the image; 0 inside the muscle"""
    short_axis: Contour = ()
    """the two ends of the widest extent square to the long axis (x_px, y_px); empty: not measured"""
    short_axis_mm: float | None = None
    """its length; that of the long axis is `Finding.size_mm`"""


@dataclass(frozen=True, slots=True)
class VolumetricDensity:
    """Volumetric density of one raw image or one breast."""

    volumetric_percent: float
    """gland volume / breast volume, 0…100"""
    category: str
    """a, b, c or d; thresholds are parameters with a source"""
    breast_volume_cm3: float
    """skin included, muscle not"""
    gland_volume_cm3: float
    thickness_mm: float
    """of the compressed breast, as the header gives it"""
    fat_attenuation: float
    """-ln(signal) of the pixel that was taken for pure fat, against the median of the breast"""


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """How good one image is; lengths are None where the size of a pixel is not known."""

    mean_level: float
    """mean pixel value of the breast without muscle, 0…1"""
    clipped_dark: float
    """share of the breast that has its lowest value"""
    clipped_bright: float
    """share of the breast that has its highest value"""
    sharpness: float
    """spread of detail of 0.2 to 0.4 mm over that of 0.8 to 1.6 mm; falls with blur, grows with noise"""
    noise: float
    """robust standard deviation of the finest detail in fat, in units of the spread of the breast"""
    motion: float
    """0…1: how much detail the blurred direction lacks against the sharp one; 0 alike in all directions"""
    cut_front_mm: float | None
    """length of breast at the border opposite the chest wall"""
    cut_above_mm: float | None
    """length of breast at the upper border"""
    cut_below_mm: float | None
    """length of breast at the lower border"""


@dataclass(frozen=True, slots=True)
class Positioning:
    """How the breast was positioned; None where it does not apply or lengths are not known."""

    posterior_nipple_line_mm: float | None
    """from the nipple square to the muscle's edge, or (CC) to the chest wall border, to the muscle or the border"""
    muscle_width_mm: float | None
    """at the upper border"""
    muscle_length_mm: float | None
    """along the chest wall border"""
    muscle_angle_deg: float | None
    muscle_reaches_nipple_level: bool | None
    """the posterior nipple line meets the muscle before the border"""
    muscle_below_nipple_level_mm: float | None
    """how far the muscle goes on below where that line meets the border; negative: it ends above"""
    nipple_in_profile: bool | None
    """None: the nipple was not seen"""
    fold_on_image: bool | None
    """the skin comes back to the chest wall before the lower border (oblique and lateral views)"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One candidate, above or below the operating points."""

    kind: FindingKind
    x_px: float
    y_px: float
    score: float
    """0…1, higher is more suspicious; comparable within one kind and algorithm version"""
    operating_point: int | None
    """the most specific CAD operating point that marks it (0 fewest marks … 2 most); None below all (R0.315)"""
    outline: Contour
    size_mm: float
    """largest extent"""
    members: tuple[tuple[float, float], ...] = ()
    """centres (x_px, y_px) of the single calcifications of a cluster"""
    member_sizes_mm: tuple[float, ...] = ()
    """largest extent of each of `members`"""
    nature: Nature = Nature.MASS
    evidence: float | None = None
    """what `score` is calibrated from, in standard deviations of the breast's own tissue; None: score given as such"""
    shape: Shape | None = None
    match: int | None = None
    """findings of one study that show the same place in two views of a breast share a number from 1"""
    composite: int | None = None
    """a mass and the clusters that lie in it share a number from 1 within the study (R0.218)"""


@dataclass(frozen=True, slots=True)
class Signature:
    """A small picture of one breast without its muscle, chest wall on the left, to compare when the pixels are gone."""

    spacing_mm: float
    rows: int
    columns: int
    levels: bytes
    """rows x columns, row by row: 0 outside, 1…255 the smoothed brightness in steps of 1/32 of its own standard
    deviation, 128 the median"""
    nipple: tuple[float, float] | None
    """(x, y) in cells of this grid"""
    to_stored: tuple[float, float, float, float]
    """x_px = a·x + b, y_px = c·y + d: centre of a cell in pixels of the stored image"""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage of one image took."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ImageResult:
    """Everything measured on one image; a failure is a result too."""

    header: ImageHeader
    breast: BreastRegion | None
    pectoral: PectoralMuscle | None
    nipple: Nipple | None
    density: DensityScore | None
    findings: tuple[Finding, ...]
    failure: Reason | None
    failure_detail: str
    times: tuple[StageTime, ...]
    signature: Signature | None = None
    """for the comparison of left and right"""
    volumetric: VolumetricDensity | None = None
    volumetric_refusal: Refusal | None = None
    """why there is no volumetric density; None when there is one, or the breast was not found"""
    muscle_outcome: MuscleOutcome = MuscleOutcome.NOT_SEARCHED
    quality: ImageQuality | None = None
    positioning: Positioning | None = None

    @property
    def succeeded(self) -> bool:
        return self.failure is None

    @property
    def seconds(self) -> float:
        return sum(time.seconds for time in self.times)


@dataclass(frozen=True, slots=True)
class RejectedImage:
    """An object that arrived and cannot be measured; its bytes are kept."""

    path: str
    """where the bytes lie, relative to the spool or as given by the person"""
    reason: Reason
    detail: str
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    input_digest: str = ""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """One study revision, combined from its images."""

    study_instance_uid: str
    revision: int
    woman: str
    """keyed pseudonym of the patient; never the Patient ID"""
    study_date: str
    images: tuple[ImageResult, ...]
    rejected: tuple[RejectedImage, ...]
    density: DensityScore | None
    """both breasts; None when no image could be measured"""
    left: DensityScore | None
    right: DensityScore | None
    volumetric: VolumetricDensity | None = None
    """both breasts; None when no raw image could be measured"""
    volumetric_left: VolumetricDensity | None = None
    volumetric_right: VolumetricDensity | None = None

    @property
    def marks(self) -> tuple[tuple[ImageResult, Finding], ...]:
        """Findings that reach an operating point, with their image."""
        return tuple(
            (image, finding)
            for image in self.images
            for finding in image.findings
            if finding.operating_point is not None
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which algorithm, parameters and run gave a number; stands in every row of every table."""

    algorithm: str
    version: str
    parameters_digest: str
    """first 16 hex digits of the SHA-256 of the canonical JSON of the parameters"""
    run_id: str
    recorded_at: str
    """UTC, ISO 8601 with Z"""
