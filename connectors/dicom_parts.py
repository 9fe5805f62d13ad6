"""Opening what claims to be DICOM: whatever a parser does on bad bytes comes out as a named reason."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import config
from pydicom.dataset import Dataset

from reread.analytics.errors import NotAMammogram, NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.careful_reading import check_items_of, name_syntax, plain_view, read_careful_header
from reread.connectors.mammogram_header import text
from reread.connectors.pixel_decoding import inflate_failed

_lock = threading.RLock()
_MAX_INFLATED_BYTES = 1 << 29
"""of a deflated data set: the largest image that is measured has half of it"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs that could be read; "" where unknown."""

    sop_instance_uid: str = ""
    sop_class_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""


@contextmanager
def quiet_reading() -> Iterator[list[warnings.WarningMessage]]:
    """Collect pydicom's complaints about dirty values instead of showing them: they quote patient data.

    The lock is there because the warning filters and pydicom's settings belong to the process.
    """
    with _lock, warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        before, logged = config.settings.reading_validation_mode, config.logger.disabled
        config.settings.reading_validation_mode = config.IGNORE
        config.logger.disabled = True
        try:
            yield complaints
        finally:
            config.settings.reading_validation_mode = before
            config.logger.disabled = logged


def read_bytes(path: Path, max_file_bytes: int) -> bytes:
    """The bytes of a file.

    Raises
    ------
    NotDicom
        EMPTY, IMPOSSIBLE_SIZE (larger than the limit) or NOT_DICOM (cannot be opened).
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise NotDicom(Reason.EMPTY)
        if size > max_file_bytes:
            raise NotDicom(Reason.IMPOSSIBLE_SIZE, f"a file of {size} bytes, the limit is {max_file_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise NotDicom(Reason.NOT_DICOM, f"cannot be opened: {error.strerror}") from None


def parse(content: bytes, *, stop_before_pixels: bool = False) -> Dataset:
    """Parse bytes; without the preamble too, if a SOP Class UID is found (PS3.10 7.1).

    Raises
    ------
    NotDicom
        NOT_DICOM, TRUNCATED, or IMPOSSIBLE_SIZE (inflated above 512 MiB, too many items of sequences).
    """
    marked = content[128:132] == b"DICM"
    with quiet_reading() as complaints:
        try:
            check_items_of(content)
            view = plain_view(BytesIO(content), _MAX_INFLATED_BYTES, force=not marked)
            dataset = pydicom.dcmread(view, stop_before_pixels=stop_before_pixels, force=not marked)
            name_syntax(dataset, view)
            known = bool(text(dataset, "SOPClassUID"))
            ended = any("nd of file" in str(complaint.message) for complaint in complaints)
            cut = not stop_before_pixels and (ended or _cut_off(dataset))
        except NotDicom:
            raise
        except RecursionError:
            raise NotDicom(Reason.NOT_DICOM, "sequences nested too deeply to be read") from None
        except EOFError:
            raise NotDicom(Reason.TRUNCATED, "ends inside a data element") from None
        except Exception as error:  # the parser meets bytes that nobody wrote as DICOM
            if inflate_failed(error):
                raise NotDicom(Reason.TRUNCATED, "ends inside the deflated dataset") from None
            raise NotDicom(Reason.NOT_DICOM, f"the header cannot be parsed ({type(error).__name__})") from None
    if cut and (known or marked):
        raise NotDicom(Reason.TRUNCATED, "ends inside a data element")
    if not known:
        if "MediaStorageSOPClassUID" in getattr(dataset, "file_meta", ()):
            raise NotAMammogram(Reason.WRONG_MODALITY, "no SOP Class UID; a media directory or not an instance")
        raise NotDicom(Reason.NOT_DICOM, "no SOP Class UID")
    return dataset


def _cut_off(dataset: Dataset) -> bool:
    """Whether the last element is shorter than its header says; pydicom keeps it without a word.

    Pixel data may lack its padding byte: `pixel_decoding.decode` compares them with Rows x Columns.
    """
    if not len(dataset) or max(dataset.keys()) == 0x7FE00010:
        return False
    last = dataset.get_item(max(dataset.keys()))
    length = getattr(last, "length", None)
    value = getattr(last, "value", None)
    return length not in (None, 0xFFFFFFFF) and isinstance(value, bytes) and len(value) < length


def identify(path: Path) -> Identity:
    """The UIDs of a file, as far as they can be read; never raises."""
    tags = ["SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"]
    try:
        with path.open("rb") as file, quiet_reading():
            dataset = read_careful_header(file, tags=tags, force=True)
            return Identity(*(_uid(text(dataset, tag)) for tag in tags[:4]))
    except Exception:  # by contract: whatever it is, it has no name
        return Identity()


def _uid(value: str) -> str:
    """Only what looks like a UID: a broken header must not carry text into tables and logs."""
    return value if 0 < len(value) <= 64 and set(value) <= set("0123456789.") else ""


def patient_identity(path: Path) -> str:
    """Issuer and Patient ID in one text, for a keyed pseudonym only: patient data, not for logs or tables.

    Returns
    -------
    ``issuer + "\\x1f" + patient id``; without a Patient ID the Study Instance UID stands in for it, so that two
    unnamed people never become one.

    Raises
    ------
    NotDicom
        The file cannot be read.
    """
    try:
        with path.open("rb") as file, quiet_reading():
            tags = ["PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SOPInstanceUID", "SpecificCharacterSet"]
            dataset = read_careful_header(file, tags=tags, force=True)
            issuer, patient = text(dataset, "IssuerOfPatientID"), text(dataset, "PatientID")
            stand_in = text(dataset, "StudyInstanceUID") or text(dataset, "SOPInstanceUID")
    except Exception as error:  # as in `parse`
        raise NotDicom(Reason.NOT_DICOM, f"the header cannot be parsed ({type(error).__name__})") from None
    return f"{issuer}\x1f{patient or 'study ' + stand_in}"
