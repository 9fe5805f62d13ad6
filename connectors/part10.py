"""The few facts that the door needs from a Part 10 file, read without pixels and without pydicom's warnings.

Values are taken as raw bytes: pydicom's own conversion would quote an invalid value, for example a Patient
ID, in a warning.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.careful_reading import dataset_offset, inflates_to_its_end, read_careful_header
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.digests import data_set_digest
from reread.connectors.header_scan import scan_data_set

_BLOCK_BYTES = 1 << 20
_UNDEFINED = 0xFFFFFFFF
_TAGS = {
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_date": 0x00080020,
    "modality": 0x00080060,
    "manufacturer": 0x00080070,
    "patient_id": 0x00100020,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
    "lossy": 0x00282110,
}
_CONTRIBUTORS = 0x0018A001
_WANTED = frozenset(_TAGS.values())
_GROUP_LENGTH = bytes.fromhex("02000000554c0400")
_MAX_META_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Part10:
    """Header facts; `patient_id` must go no further than the pseudonym."""

    transfer_syntax_uid: str
    dataset_offset: int
    """where the data set begins in the file"""
    complete: bool
    """the pixel data reach their stated end"""
    sop_class_uid: str
    sop_instance_uid: str
    study_date: str
    modality: str
    manufacturer: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    lossy: str
    has_pixels: bool = True
    """there is an element of pixel data; taken for granted where the data set is deflated"""


def read_part10(path: Path) -> Part10:
    """Read the facts.

    Raises
    ------
    NotDicom
        With `Reason.EMPTY`, `NOT_DICOM` or `TRUNCATED`; the text quotes nothing of the file.
    """
    size = path.stat().st_size
    if size == 0:
        raise NotDicom(Reason.EMPTY)
    with path.open("rb") as file:
        start = file.read(132)
        if start[128:] != b"DICM":
            raise NotDicom(Reason.NOT_DICOM, "no DICM at byte 128")
        if (facts := _scanned(path, file)) is not None:
            return facts
        try:
            dataset = read_careful_header(file)
            syntax = _text(dataset.file_meta, 0x00020010)
            values = {name: _text(dataset, tag) for name, tag in _TAGS.items()}
            has_pixels = syntax == DeflatedExplicitVRLittleEndian or _at_pixels(file, syntax)
            at = file.tell()
            if syntax != DeflatedExplicitVRLittleEndian:
                complete = at <= size and _header_whole(dataset, at) and _complete(file, size, syntax)
            offset = dataset_offset(file)
            if syntax == DeflatedExplicitVRLittleEndian:
                complete = inflates_to_its_end(file, offset)
        except NotDicom:
            raise
        except (EOFError, struct.error) as error:
            raise NotDicom(Reason.TRUNCATED, "ends inside the header") from error
        except zlib.error as error:
            reason = Reason.TRUNCATED if "incomplete" in str(error) else Reason.NOT_DICOM
            raise NotDicom(reason, "the deflated data set cannot be inflated") from None
        except (InvalidDicomError, AttributeError, KeyError, ValueError, NotImplementedError) as error:
            raise NotDicom(Reason.NOT_DICOM, f"the header cannot be parsed ({type(error).__name__})") from None
        except Exception as error:  # pydicom lets many kinds through on broken files; none may stop the door
            raise NotDicom(Reason.NOT_DICOM, f"the header cannot be parsed ({type(error).__name__})") from None
    if not syntax:
        raise NotDicom(Reason.NOT_DICOM, "no Transfer Syntax UID")
    return Part10(syntax, offset, complete, has_pixels=has_pixels, **values)


def read_values(path: Path, tags: Sequence[int]) -> dict[int, str]:
    """Tag to value of those of these tags that the data set has at its top level; empty where it has no value.

    The values may identify a patient: compare them and forget them.
    """
    with path.open("rb") as file:
        dataset = read_careful_header(file, tags=tags, count_items=False)
        return {tag: _text(dataset, tag) for tag in tags if tag in dataset}


def read_contributors(path: Path) -> tuple[str, ...]:
    """Manufacturers of the Contributing Equipment Sequence (0018,A001); none where it cannot be read."""
    try:
        with path.open("rb") as file, quiet_reading():
            dataset = read_careful_header(file, tags=[_CONTRIBUTORS])
            items = dataset[_CONTRIBUTORS].value if _CONTRIBUTORS in dataset else ()
            return tuple(_text(item, _TAGS["manufacturer"]) for item in items)
    except Exception:  # a sequence of bytes of any kind: it names nobody
        return ()


def dataset_digest_of(path: Path, facts: Part10) -> str:
    """BLAKE3 of transfer syntax and data set, without file meta information; lower-case hex.

    Two receptions of one object differ in file meta information (who wrote it), never in this.
    """
    digest = data_set_digest(facts.transfer_syntax_uid)
    with path.open("rb") as file:
        file.seek(facts.dataset_offset)
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _scanned(path: Path, file: BinaryIO) -> Part10 | None:
    """The same facts without pydicom; None unless file meta information and data set are without flaw."""
    head = file.read(_MAX_META_BYTES)  # follows the DICM
    if len(head) < 12 or head[:8] != _GROUP_LENGTH:
        return None
    offset = 144 + int.from_bytes(head[8:12], "little")
    meta = head[12 : offset - 132]
    if len(meta) < offset - 144:
        return None
    at, syntax = 0, ""
    while at + 8 <= len(meta):
        group, element, representation, length = struct.unpack_from("<HH2sH", meta, at)
        if group != 2:
            return None
        at += 8
        if representation == b"OB":
            length = int.from_bytes(meta[at : at + 4], "little")
            at += 4
        if element == 0x0010:
            syntax = _decoded(meta[at : at + length])
        at += length
    if at != len(meta) or not syntax:
        return None
    scan = scan_data_set(path, offset, syntax, _WANTED)
    if scan is None:
        return None
    values = {name: _decoded(scan.values.get(tag, b"")) for name, tag in _TAGS.items()}
    return Part10(syntax, offset, True, has_pixels=scan.has_pixels, **values)


def _text(dataset: Any, tag: int) -> str:
    return _decoded(dataset.get_item(tag).value) if tag in dataset else ""


def _decoded(value: object) -> str:
    text = value
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    return "" if text is None else unicodedata.normalize("NFC", str(text).strip("\0 \t\r\n"))


def _at_pixels(file: BinaryIO, syntax: str) -> bool:
    """Whether the element at the current position is (Float, Double Float) Pixel Data."""
    at = file.tell()
    head = file.read(4)
    file.seek(at)
    order = ">" if syntax == "1.2.840.10008.1.2.2" else "<"
    return len(head) == 4 and struct.unpack(order + "HH", head) in ((0x7FE0, 0x10), (0x7FE0, 0x08), (0x7FE0, 0x09))


def _header_whole(dataset: Any, at: int) -> bool:
    """Whether the last element before the pixels ends where reading stopped; pydicom minds no missing bytes."""
    # by place, not by tag: some writers put their elements out of order
    last = max(map(dataset.get_item, dataset.keys()), key=_place, default=None)
    if last is None:
        return False
    length = getattr(last, "length", _UNDEFINED)
    return length == _UNDEFINED or bool(last.value_tell + length == at)


def _place(element: Any) -> int:
    return int(getattr(element, "value_tell", None) or getattr(element, "file_tell", None) or 0)


def _complete(file: BinaryIO, size: int, syntax: str) -> bool:
    """Whether the element at the current position (the pixel data, or nothing) reaches its end."""
    at = file.tell()
    order = ">" if syntax == "1.2.840.10008.1.2.2" else "<"
    explicit = syntax != "1.2.840.10008.1.2"
    head = file.read(12)
    if not head:
        return True
    if len(head) < 8:
        return False
    if explicit and head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN"):
        if len(head) < 12:
            return False
        length, data = struct.unpack(order + "I", head[8:12])[0], at + 12
    else:
        length, data = struct.unpack(order + "I", head[4:8])[0], at + 8
    if length != _UNDEFINED:
        return bool(data + length <= size)
    # encapsulated: item after item until the sequence delimiter (PS3.5 A.4)
    file.seek(data)
    while True:
        item = file.read(8)
        if len(item) < 8:
            return False
        group, element, length = struct.unpack("<HHI", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return True
        if (group, element) != (0xFFFE, 0xE000) or length == _UNDEFINED:
            return False
        if file.seek(length, 1) > size:
            return False
