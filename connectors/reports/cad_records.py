"""What a CAD report says, as plain records: everything that is written, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field

from reread.analytics.records import Contour, Laterality, View
from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.finding_records import CadAlgorithm, CadComposite, CadFinding, CadQuantity, Path

_LEAST_OUTLINE = 3


@dataclass(frozen=True, slots=True)
class CadProblem:
    """Something in the report that could not be taken as it stands."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class CadProducer:
    """Who made the report; "" where it does not say."""

    manufacturer: str = ""
    model: str = ""
    software_versions: tuple[str, ...] = ()
    device_serial: str = ""
    station: str = ""


@dataclass(frozen=True, slots=True)
class CadDocument:
    """The report as an object."""

    sop_instance_uid: str = ""
    sop_class_uid: str = ""
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    study_date: str = ""
    content_date: str = ""
    content_time: str = ""
    completion: str = ""
    verification: str = ""
    template: str = ""
    language: str = ""
    evidence: tuple[str, ...] = ()
    """SOP Instance UIDs"""
    predecessors: tuple[str, ...] = ()
    """SOP Instance UIDs of the reports that it replaces"""


@dataclass(frozen=True, slots=True)
class CadItem:
    """A content item whose meaning or place is not known; kept as it is."""

    path: Path
    relationship: str
    value_type: str
    concept: Code | None
    code: Code | None
    """value of a CODE, unit of a NUM"""
    text: str
    number: float | None


@dataclass(frozen=True, slots=True)
class CadDensity:
    """A density of one image or of one or both breasts."""

    percent: float | None
    laterality: Laterality | None
    """None: both breasts, or not said"""
    category: str
    """a, b, c, d, or "" when not given"""
    per_image: bool
    method: str = ""
    """2d, 3d, or "" when not said"""
    sop_instance_uid: str = ""
    """"" when of a breast, or when the report does not say"""
    gland_volume_cm3: float | None = None
    breast_volume_cm3: float | None = None
    dense_area_mm2: float | None = None
    breast_area_mm2: float | None = None
    dense_threshold: float | None = None
    thickness_mm: float | None = None
    fat_attenuation: float | None = None
    algorithm: CadAlgorithm = field(default_factory=CadAlgorithm)


@dataclass(frozen=True, slots=True)
class CadOutline:
    """Breast or pectoral muscle of one image."""

    part: str
    """breast or pectoral"""
    outline: Contour
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CadImage:
    """One entry of the Image Library."""

    sop_instance_uid: str
    sop_class_uid: str
    laterality: Laterality | None
    view: View | None
    view_code: Code | None = None
    view_modifiers: tuple[Code, ...] = ()
    patient_orientation: tuple[str, str] = ("", "")
    study_date: str = ""
    study_time: str = ""
    content_date: str = ""
    content_time: str = ""
    spacing_mm: tuple[float, float] | None = None
    """distance of rows, distance of columns"""


@dataclass(frozen=True, slots=True)
class CadImpression:
    """An individual impression."""

    path: Path
    description: str
    intent: str
    algorithm: CadAlgorithm


@dataclass(frozen=True, slots=True)
class CadOperatingPoint:
    """One line of a table of operating points."""

    number: int
    description: str
    values: tuple[CadQuantity, ...]


@dataclass(frozen=True, slots=True)
class CadRun:
    """A detection or analysis that was performed."""

    kind: Code
    detection: bool
    """False: an analysis"""
    succeeded: bool
    algorithm: CadAlgorithm
    sop_instance_uids: tuple[str, ...]
    maximum_point: int | None = None
    recommended_point: int | None = None
    points: tuple[CadOperatingPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class CadReport:
    """What a report says, in document order."""

    document: CadDocument
    producer: CadProducer
    images: tuple[CadImage, ...]
    findings: tuple[CadFinding, ...]
    composites: tuple[CadComposite, ...]
    impressions: tuple[CadImpression, ...]
    densities: tuple[CadDensity, ...]
    quantities: tuple[CadQuantity, ...]
    """numbers of the summary and of impressions, those of `densities` among them"""
    runs: tuple[CadRun, ...]
    summary: str
    """code value of the findings summary, 111241 … 111245; empty when missing"""
    detections: str
    """code value of the status (111222 … 111225); empty when missing"""
    analyses: str
    others: tuple[CadItem, ...]
    """all that is in none of the above"""
    problems: tuple[CadProblem, ...]

    @property
    def marks(self) -> tuple[CadFinding, ...]:
        """Findings that lie somewhere, but for the selected regions."""
        return tuple(item for item in self.findings if item.center is not None and item.kind != "selected region")

    @property
    def outlines(self) -> tuple[CadOutline, ...]:
        """Breasts and pectoral muscles."""
        return tuple(
            CadOutline(part, graphic.points, graphic.sop_instance_uid)
            for finding in self.findings
            for graphic in finding.graphics
            for part, concept in (("breast", c.BREAST_OUTLINE), ("pectoral", c.PECTORAL_OUTLINE))
            if graphic.concept.value == concept.value and len(graphic.points) >= _LEAST_OUTLINE
        )

    @property
    def algorithms(self) -> tuple[CadAlgorithm, ...]:
        """All that are named, each once."""
        named = [item.algorithm for item in self.runs]
        named += [item.algorithm for item in self.impressions]
        named += [item.algorithm for item in self.findings]
        named += [item.algorithm for item in self.composites]
        return tuple(dict.fromkeys(item for item in named if item.name))
