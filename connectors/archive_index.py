"""The index of a folder of DICOM objects, and the matching of C-FIND keys against it (PS3.4 C.2.2.2)."""

from __future__ import annotations

import fnmatch
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

STUDY_KEYS = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDescription",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "SpecificCharacterSet",
)
SERIES_KEYS = ("SeriesInstanceUID", "Modality", "SeriesDescription", "SeriesNumber")
IMAGE_KEYS = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")
_LEVELS = {"STUDY": STUDY_KEYS, "SERIES": STUDY_KEYS + SERIES_KEYS, "IMAGE": STUDY_KEYS + SERIES_KEYS + IMAGE_KEYS}
_UNIQUE = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
_RANGES = ("StudyDate", "StudyTime")


@dataclass(frozen=True, slots=True)
class Stored:
    """One object of the archive."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


class IdentifierInvalid(ValueError):
    """The identifier has no usable Query/Retrieve Level (R3.160)."""


class ArchiveIndex:
    """Headers of the objects, by SOP Instance UID; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._headers: dict[str, Dataset] = {}
        self._stored: dict[str, Stored] = {}

    def add(self, path: Path) -> Stored | None:
        """Index one file; None if it is no DICOM object. The first object of a UID stays."""
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_LEVELS["IMAGE"]))
            stored = Stored(
                path, str(header.SOPClassUID), str(header.SOPInstanceUID), str(header.file_meta.TransferSyntaxUID)
            )
        except (InvalidDicomError, AttributeError, EOFError):
            return None
        with self._lock:
            if stored.sop_instance_uid in self._stored:
                return self._stored[stored.sop_instance_uid]
            self._headers[stored.sop_instance_uid] = header
            self._stored[stored.sop_instance_uid] = stored
        return stored

    def get(self, sop_instance_uid: str) -> Stored | None:
        """The object of that UID."""
        with self._lock:
            return self._stored.get(sop_instance_uid)

    def all(self) -> tuple[Stored, ...]:
        """Everything, in order of arrival."""
        with self._lock:
            return tuple(self._stored.values())

    def matches(self, identifier: Dataset) -> tuple[Stored, ...]:
        """Objects that a C-MOVE or C-GET identifier names: by its UIDs alone (R3.218 to R3.220)."""
        level = _level(identifier)
        keys = [_UNIQUE[name] for name in _UNIQUE if name in list(_UNIQUE)[: list(_UNIQUE).index(level) + 1]]
        keys = [key for key in keys if identifier.get(key)]
        if _UNIQUE[level] not in keys:
            raise IdentifierInvalid("the unique key of the level is missing")
        with self._lock:
            return tuple(
                self._stored[uid]
                for uid, header in self._headers.items()
                if all(_match(key, identifier.get(key), header.get(key)) for key in keys)
            )

    def find(self, identifier: Dataset) -> list[Dataset]:
        """Answers to a C-FIND identifier; only requested keys are returned (R3.156)."""
        level = _level(identifier)
        with self._lock:
            headers = list(self._headers.values())
        groups: dict[str, list[Dataset]] = {}
        for header in headers:
            groups.setdefault(str(header.get(_UNIQUE[level], "")), []).append(header)
        answers = []
        for group in groups.values():
            first = group[0]
            study = [one for one in headers if one.get("StudyInstanceUID") == first.get("StudyInstanceUID")]
            values = {key: first.get(key) for key in _LEVELS[level]}
            values |= _computed(study, first)
            if all(_match(item.keyword, item.value, values.get(item.keyword)) for item in identifier if item.keyword):
                answers.append(_answer(identifier, values, level))
        return answers


def _computed(study: list[Dataset], first: Dataset) -> dict[str, object]:
    series = [one for one in study if one.get("SeriesInstanceUID") == first.get("SeriesInstanceUID")]
    return {
        "ModalitiesInStudy": sorted({str(one.get("Modality", "")) for one in study} - {""}),
        "NumberOfStudyRelatedSeries": str(len({str(one.get("SeriesInstanceUID", "")) for one in study})),
        "NumberOfStudyRelatedInstances": str(len(study)),
        "NumberOfSeriesRelatedInstances": str(len(series)),
    }


def _answer(identifier: Dataset, values: dict[str, object], level: str) -> Dataset:
    answer = Dataset()
    if values.get("SpecificCharacterSet"):
        answer.SpecificCharacterSet = values["SpecificCharacterSet"]
    for item in identifier:
        if item.keyword == "QueryRetrieveLevel":
            answer.QueryRetrieveLevel = level
        elif item.keyword and item.keyword in values:
            value = values[item.keyword]
            setattr(answer, item.keyword, "" if value is None else value)
        elif item.VR != "SQ" and item.keyword:
            setattr(answer, item.keyword, None)
    return answer


def _level(identifier: Dataset) -> str:
    level = str(identifier.get("QueryRetrieveLevel", "")).strip().upper()
    if level not in _LEVELS:
        raise IdentifierInvalid("Query/Retrieve Level is missing or unknown")
    return level


def _match(keyword: str, wanted: object, value: object) -> bool:
    if keyword in ("QueryRetrieveLevel", "SpecificCharacterSet") or wanted is None or wanted == "" or wanted == []:
        return True
    if keyword.startswith("NumberOf"):
        return True
    choices, values = _texts(wanted), _texts(value)
    if keyword in _RANGES and "-" in choices[0]:
        return _in_range(choices[0], values[0])
    if keyword.endswith("UID"):
        return any(choice == one for choice in choices for one in values)
    # case-insensitive as R3.154, with both wildcards
    return any(
        fnmatch.fnmatchcase(one.lower(), re.sub(r"\[", "[[]", choice.lower())) for choice in choices for one in values
    )


def _in_range(wanted: str, value: str) -> bool:
    first, _, last = wanted.partition("-")
    if not value:
        return False
    # 08 as an upper bound includes 085959
    return (not first or value >= first) and (not last or value[: len(last)] <= last)


def _texts(value: object) -> list[str]:
    if isinstance(value, (MultiValue, list, tuple)):
        return [str(one) for one in value]
    return ["" if value is None else str(value)]
