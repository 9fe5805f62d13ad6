"""The keys that we answer queries by: one table to index, to match, to answer and to print from.

Rows R3.128 to R3.153 and R4.160 to R4.203, and what mammography workstations ask for besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052), from above to below."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


LEVELS = tuple(Level)


class Root(StrEnum):
    """The information model (PS3.4 C.6)."""

    PATIENT = "patient"
    STUDY = "study"

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that it has; Study Root has none for patients, whose keys belong to STUDY there."""
        return LEVELS if self is Root.PATIENT else LEVELS[1:]


@unique
class Matching(StrEnum):
    """How a key is compared (PS3.4 C.2.2.2)."""

    UID = "single value, list of UIDs, universal"
    TEXT = "single value, wildcard, universal; case does not matter"
    NAME = "single value, wildcard, universal; case, accents and component delimiters do not matter"
    NUMBER = "single value (as a number), wildcard, universal"
    DATE = "single date, range, universal"
    TIME = "single time, range, universal"
    SEQUENCE = "sequence, by Code Value and Coding Scheme Designator"


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute."""

    keyword: str
    tag: int
    vr: str
    level: Level
    matching: Matching
    computed: bool = False
    """counted or collected over the objects below, not read from a header"""


_MATCHING = {
    "UI": Matching.UID,
    "PN": Matching.NAME,
    "DA": Matching.DATE,
    "TM": Matching.TIME,
    "IS": Matching.NUMBER,
    "US": Matching.NUMBER,
    "SQ": Matching.SEQUENCE,
}

_TABLE: Mapping[Level, tuple[tuple[str, int, str], ...]] = {
    Level.PATIENT: (
        ("PatientName", 0x00100010, "PN"),
        ("PatientID", 0x00100020, "LO"),
        ("IssuerOfPatientID", 0x00100021, "LO"),
        ("PatientBirthDate", 0x00100030, "DA"),
        ("PatientBirthTime", 0x00100032, "TM"),
        ("PatientSex", 0x00100040, "CS"),
        ("EthnicGroup", 0x00102160, "SH"),
        ("PatientComments", 0x00104000, "LT"),
        ("NumberOfPatientRelatedStudies", 0x00201200, "IS"),
        ("NumberOfPatientRelatedSeries", 0x00201202, "IS"),
        ("NumberOfPatientRelatedInstances", 0x00201204, "IS"),
    ),
    Level.STUDY: (
        ("StudyDate", 0x00080020, "DA"),
        ("StudyTime", 0x00080030, "TM"),
        ("AccessionNumber", 0x00080050, "SH"),
        ("ModalitiesInStudy", 0x00080061, "CS"),
        ("SOPClassesInStudy", 0x00080062, "UI"),
        ("ReferringPhysicianName", 0x00080090, "PN"),
        ("StudyDescription", 0x00081030, "LO"),
        ("ProcedureCodeSequence", 0x00081032, "SQ"),
        ("NameOfPhysiciansReadingStudy", 0x00081060, "PN"),
        ("PatientAge", 0x00101010, "AS"),
        ("StudyInstanceUID", 0x0020000D, "UI"),
        ("StudyID", 0x00200010, "SH"),
        ("NumberOfStudyRelatedSeries", 0x00201206, "IS"),
        ("NumberOfStudyRelatedInstances", 0x00201208, "IS"),
    ),
    Level.SERIES: (
        ("SeriesDate", 0x00080021, "DA"),
        ("SeriesTime", 0x00080031, "TM"),
        ("Modality", 0x00080060, "CS"),
        ("Manufacturer", 0x00080070, "LO"),
        ("InstitutionName", 0x00080080, "LO"),
        ("StationName", 0x00081010, "SH"),
        ("SeriesDescription", 0x0008103E, "LO"),
        ("ManufacturerModelName", 0x00081090, "LO"),
        ("BodyPartExamined", 0x00180015, "CS"),
        ("ProtocolName", 0x00181030, "LO"),
        ("SeriesInstanceUID", 0x0020000E, "UI"),
        ("SeriesNumber", 0x00200011, "IS"),
        ("Laterality", 0x00200060, "CS"),
        ("NumberOfSeriesRelatedInstances", 0x00201209, "IS"),
    ),
    Level.IMAGE: (
        ("ImageType", 0x00080008, "CS"),
        ("SOPClassUID", 0x00080016, "UI"),
        ("SOPInstanceUID", 0x00080018, "UI"),
        ("AcquisitionDate", 0x00080022, "DA"),
        ("ContentDate", 0x00080023, "DA"),
        ("AcquisitionTime", 0x00080032, "TM"),
        ("ContentTime", 0x00080033, "TM"),
        ("ViewPosition", 0x00185101, "CS"),
        ("InstanceNumber", 0x00200013, "IS"),
        ("ImageLaterality", 0x00200062, "CS"),
        ("NumberOfFrames", 0x00280008, "IS"),
        ("Rows", 0x00280010, "US"),
        ("Columns", 0x00280011, "US"),
        ("ImageID", 0x00540400, "SH"),
    ),
}

_COLLECTED = ("ModalitiesInStudy", "SOPClassesInStudy")

KEYS: Mapping[str, Key] = {
    keyword: Key(
        keyword,
        tag,
        vr,
        level,
        _MATCHING.get(vr, Matching.TEXT),
        keyword in _COLLECTED or (keyword.startswith("NumberOf") and keyword != "NumberOfFrames"),
    )
    for level, rows in _TABLE.items()
    for keyword, tag, vr in rows
}
"""By keyword."""

KEYS_BY_TAG: Mapping[int, Key] = {key.tag: key for key in KEYS.values()}

UNIQUE: Mapping[Level, str] = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
"""The unique key of each level (PS3.4 C.3)."""

CODE_KEYS: Mapping[str, tuple[int, str]] = {
    "CodeValue": (0x00080100, "SH"),
    "CodingSchemeDesignator": (0x00080102, "SH"),
    "CodingSchemeVersion": (0x00080103, "SH"),
    "CodeMeaning": (0x00080104, "LO"),
}
"""Keys inside Procedure Code Sequence, with tag and VR; the first two are matched (R3.141, R3.142)."""


def is_answered(key: Key, level: Level) -> bool:
    """Whether a key can be matched and answered at a level: those of the level and of all above it."""
    return LEVELS.index(key.level) <= LEVELS.index(level)
