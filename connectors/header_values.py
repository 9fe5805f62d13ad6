"""Patient, study and equipment attributes of what we write: copied from a source where a reader would accept them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from pydicom import config
from pydicom.charset import convert_encodings, encode_string, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value

from reread.analytics.errors import AuthoringFailed, InputError
from reread.analytics.records import Provenance
from reread.connectors.dicom_parts import parse, quiet_reading, read_bytes

_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""present even when empty (R0.119 … R0.129)"""
_TYPE_3 = (
    "IssuerOfPatientID",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientComments",
    "StudyDescription",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "Occupation",
    "AdditionalPatientHistory",
    "InstitutionName",
    "InstitutionAddress",
)
"""present when the source has a valid value (R0.130 … R0.141)"""
COPIED = _TYPE_2 + _TYPE_3
"""keywords of all that is copied from a source, besides the UID of its study and its character set"""
_ALLOWED = {"PatientSex": {"M", "F", "O"}}
_LARGEST_SOURCE = 1 << 31


def valid_date(value: str) -> bool:
    """A DA that names a day of the calendar."""
    try:
        datetime.strptime(value, "%Y%m%d")
    except ValueError:
        return False
    return len(value) == 8


def valid_time(value: str) -> bool:
    """A TM of the standard's form."""
    return re.fullmatch(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", value) is not None


def source_values(path: Path) -> Dataset:
    """Patient and study attributes of one source image, verbatim where valid; invalid ones empty or left out.

    Raises
    ------
    AuthoringFailed
        The source cannot be read any more.
    """
    try:
        source = parse(read_bytes(path, _LARGEST_SOURCE), stop_before_pixels=True)
    except InputError as error:
        raise AuthoringFailed(f"a source image of the result cannot be read: {error}") from None
    copied = Dataset()
    with quiet_reading():
        charset = _character_set(source)
        if charset:
            copied.SpecificCharacterSet = charset
        for keyword in COPIED:
            value = _valid(source, keyword)
            if value is not None:
                setattr(copied, keyword, value)
            elif keyword in _TYPE_2:
                setattr(copied, keyword, None)
        copied.StudyInstanceUID = str(source.StudyInstanceUID)
        if charset and not _encodable(copied, charset):
            copied.SpecificCharacterSet = ["ISO_IR 192"]
    return copied


def _encodable(copied: Dataset, charset: list[str]) -> bool:
    """Whether every text fits the character set that the source states; some sources misuse theirs."""
    with quiet_reading() as complaints:
        encodings = convert_encodings(list(charset))
        for element in copied:
            if element.VR in ("PN", "LO", "SH", "ST", "LT") and element.value:
                for part in str(element.value).replace("=", "^").split("^"):
                    encode_string(part, encodings)
        return not complaints


def _character_set(source: Dataset) -> list[str]:
    stated = source.get("SpecificCharacterSet") or []
    terms = [str(stated)] if isinstance(stated, str) else [str(term) for term in stated]
    # a set that nobody can decode: what could be read is written as UTF-8
    return terms if all(term in python_encoding for term in terms) else ["ISO_IR 192"]


def _valid(source: Dataset, keyword: str) -> object | None:
    try:
        value = source.get(keyword)
        if value is None or value == "":
            return None
        vr = dictionary_VR(keyword)
        parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
        for part in parts:
            validate_value(vr, str(part), config.RAISE)
            if "�" in str(part) or any(ord(letter) < 32 and letter not in "\r\n\f\t\x1b" for letter in str(part)):
                return None
        if vr == "DA" and not all(valid_date(str(part)) for part in parts):
            return None
        if vr == "TM" and not all(valid_time(str(part)) for part in parts):
            return None
        if keyword in _ALLOWED and str(value) not in _ALLOWED[keyword]:
            return None
        return str(value) if vr in ("DA", "TM") else value
    except Exception:  # an element that cannot be parsed has no value to copy
        return None


def recorded(provenance: Provenance) -> datetime:
    """When the result was recorded, UTC.

    Raises
    ------
    AuthoringFailed
        `recorded_at` is not ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(provenance.recorded_at)
    except ValueError:
        raise AuthoringFailed("recorded_at of the provenance is not an ISO 8601 time") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def equipment_values(target: Dataset, provenance: Provenance) -> None:
    """Who made it: General Equipment, content date and time (UTC, so that a rerun gives the same bytes)."""
    moment = recorded(provenance)
    target.Manufacturer = "Reread"
    target.ManufacturerModelName = "Reread"
    target.DeviceSerialNumber = "software"
    target.StationName = "REREAD"
    target.SoftwareVersions = f"{provenance.algorithm} {provenance.version}"[:64]
    target.ContentDate = moment.strftime("%Y%m%d")
    target.ContentTime = moment.strftime("%H%M%S")
    target.SeriesDate, target.SeriesTime = target.ContentDate, target.ContentTime
    target.InstanceCreationDate, target.InstanceCreationTime = target.ContentDate, target.ContentTime
