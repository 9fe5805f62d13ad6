"""Writing an object anew in Explicit or Implicit VR Little Endian, for a receiver that refuses it as it lies.

UIDs stay: it is the same object. Native pixels are copied in blocks and encapsulated ones decoded frame by
frame, so that memory does not grow with what comes out. Only for sending; what we hold is never changed.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from reread.analytics.errors import PixelsUnreadable
from reread.analytics.reasons import Reason
from reread.connectors.careful_reading import dataset_offset
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.part10 import read_part10
from reread.connectors.services import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNCOMPRESSED

_DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_PIXEL_DATA = 0x7FE00010
_BLOCK_BYTES = 1 << 20
_UNDEFINED = 0xFFFFFFFF
_WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def can_write_plain(transfer_syntax_uid: str) -> bool:
    """Whether objects of this transfer syntax can be written uncompressed here."""
    if transfer_syntax_uid in (*UNCOMPRESSED, _DEFLATED, _BIG_ENDIAN):
        return True
    try:
        return bool(get_decoder(UID(transfer_syntax_uid)).is_available)
    except NotImplementedError:
        return False


def lacks_padding(source: Path, transfer_syntax_uid: str) -> bool:
    """Whether a deflated data set ends at an odd byte, which no message may (PS3.5 A.5, PS3.8 9.3.5.1)."""
    if transfer_syntax_uid != _DEFLATED:
        return False
    with source.open("rb") as file:
        return (source.stat().st_size - dataset_offset(file)) % 2 == 1


def write_padded(source: Path, target: Path) -> None:
    """Copy a file with the null byte that it lacks at its end."""
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK_BYTES):
            writer.write(block)
        writer.write(b"\0")


def write_plain(source: Path, target: Path, transfer_syntax_uid: str) -> None:
    """Write the object of a Part 10 file into another one.

    Parameters
    ----------
    source, target
        Part 10 files; the second is made.
    transfer_syntax_uid
        Explicit or Implicit VR Little Endian.

    Raises
    ------
    PixelsUnreadable
        The pixels cannot be decoded; the text quotes nothing of the object.
    """
    facts = read_part10(source)
    try:
        with source.open("rb") as reader, target.open("wb") as writer:
            _write_meta(writer, facts.sop_class_uid, facts.sop_instance_uid, transfer_syntax_uid)
            if facts.transfer_syntax_uid in UNCOMPRESSED:
                _copy_native(reader, writer, facts.transfer_syntax_uid, transfer_syntax_uid)
            elif facts.transfer_syntax_uid == _DEFLATED and transfer_syntax_uid == EXPLICIT_LITTLE:
                _inflate(reader, writer, facts.dataset_offset)
            elif facts.transfer_syntax_uid == _DEFLATED:
                _inflate_aside(source, writer, target.with_name(f"{target.name}.inflated"))
            elif facts.transfer_syntax_uid == _BIG_ENDIAN:
                _swap(reader, writer, transfer_syntax_uid)
            else:
                _decode(reader, writer, facts.transfer_syntax_uid, transfer_syntax_uid)
    except (PixelsUnreadable, OSError):
        raise
    except Exception as error:  # decoders and writers raise anything on broken objects
        raise PixelsUnreadable(Reason.UNDECODABLE, f"cannot be written uncompressed: {type(error).__name__}") from None


def _write_meta(writer: BinaryIO, sop_class: str, sop_instance: str, syntax: str) -> None:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID("2.25.1")
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_file_meta_info(buffer, meta, enforce_standard=False)
    writer.write(bytes(128) + b"DICM" + buffer.getvalue())


def _copy_native(reader: BinaryIO, writer: BinaryIO, source: str, target: str) -> None:
    """Little endian to little endian: the pixels are the same bytes."""
    with quiet_reading():
        dataset = pydicom.dcmread(reader, stop_before_pixels=True, force=True)
    writer.write(_encoded(dataset, target))
    head = reader.read(12)
    if len(head) < 8:
        return
    group, element = struct.unpack("<HH", head[:4])
    if (group << 16 | element) != _PIXEL_DATA:
        # Float Pixel Data and the like: read as any other element
        reader.seek(-len(head), 1)
        writer.write(_rest(reader, source, target))
        return
    if source == IMPLICIT_LITTLE:
        reader.seek(-4, 1)
        vr, length = _native_vr(dataset), struct.unpack("<I", head[4:8])[0]
    elif head[4:6] in (b"OB", b"OW", b"UN"):
        vr, length = head[4:6], struct.unpack("<I", head[8:12])[0]
    else:
        raise PixelsUnreadable(Reason.UNDECODABLE, "pixel data of a strange kind")
    if length == _UNDEFINED:
        raise PixelsUnreadable(Reason.UNDECODABLE, "encapsulated pixel data under a native transfer syntax")
    writer.write(_pixel_head(vr, length, target))
    while length:
        block = reader.read(min(length, _BLOCK_BYTES))
        if not block:
            raise PixelsUnreadable(Reason.TRUNCATED, "ends inside the pixel data")
        writer.write(block)
        length -= len(block)
    writer.write(_rest(reader, source, target))


def _inflate(reader: BinaryIO, writer: BinaryIO, offset: int) -> None:
    """The deflated bytes are Explicit VR Little Endian (PS3.5 A.5)."""
    reader.seek(offset)
    inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), _UNDEFINED
    while block := reader.read(_BLOCK_BYTES):
        while block:
            left -= writer.write(inflater.decompress(block, _BLOCK_BYTES))
            if left < 0:
                raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, "a deflated data set of more than 4 GiB")
            block = inflater.unconsumed_tail
    writer.write(inflater.flush())


def _inflate_aside(source: Path, writer: BinaryIO, aside: Path) -> None:
    try:
        write_plain(source, aside, EXPLICIT_LITTLE)
        with aside.open("rb") as inflated:
            _copy_native(inflated, writer, EXPLICIT_LITTLE, IMPLICIT_LITTLE)
    finally:
        aside.unlink(missing_ok=True)


def _swap(reader: BinaryIO, writer: BinaryIO, syntax: str) -> None:
    """Big endian, retired: numbers are turned by pydicom, words of binary values here."""
    with quiet_reading():
        dataset = pydicom.dcmread(reader)
        _swap_words(dataset)
        writer.write(_encoded(dataset, syntax))


def _swap_words(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _swap_words(item)
        elif (width := _WORD_BYTES.get(element.VR)) and isinstance(element.value, bytes):
            whole = len(element.value) // width * width
            value = element.value[:whole]
            swapped = bytearray(value)
            for at in range(width):
                swapped[at::width] = value[width - 1 - at :: width]
            element.value = bytes(swapped) + element.value[whole:]


def _decode(reader: BinaryIO, writer: BinaryIO, source: str, target: str) -> None:
    with quiet_reading():
        dataset = pydicom.dcmread(reader)
    if "PixelData" not in dataset:
        with quiet_reading():
            writer.write(_encoded(dataset, target))
        return
    frames = int(dataset.get("NumberOfFrames") or 1)
    frame_bytes = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * (dataset.BitsAllocated // 8)
    length = frames * frame_bytes
    if length + 1 >= _UNDEFINED or not length:
        raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, f"{length} bytes of pixels")
    decoded = get_decoder(UID(source)).iter_array(dataset, as_rgb=True)
    done = 0
    for array, description in decoded:
        if array.nbytes != frame_bytes:
            raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, "a frame of another size than its header says")
        if not done:
            _write_decoded_header(writer, dataset, description, target)
            writer.write(_pixel_head(b"OB" if dataset.BitsAllocated <= 8 else b"OW", length + length % 2, target))
        writer.write(array.tobytes())
        done += 1
    if done != frames:
        raise PixelsUnreadable(Reason.TRUNCATED, f"{done} of {frames} frames")
    writer.write(bytes(length % 2))
    with quiet_reading():
        writer.write(_encoded(dataset[_PIXEL_DATA + 1 :], target))


def _write_decoded_header(writer: BinaryIO, dataset: Dataset, description: Any, target: str) -> None:
    header = dataset[:_PIXEL_DATA]
    with quiet_reading():
        header.PhotometricInterpretation = str(description["photometric_interpretation"])
        if int(description["samples_per_pixel"]) > 1:
            header.PlanarConfiguration = int(description["planar_configuration"])
        # offsets into the encapsulated value mean nothing any more
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in header:
                delattr(header, keyword)
        writer.write(_encoded(header, target))


def _rest(reader: BinaryIO, source: str, target: str) -> bytes:
    """What comes after the pixels, trailing padding for example."""
    content = reader.read()
    if not content:
        return b""
    with quiet_reading():
        return _encoded(read_dataset(BytesIO(content), source == IMPLICIT_LITTLE, True), target)


def _encoded(dataset: Dataset, syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT_LITTLE, True
    with quiet_reading():
        write_dataset(buffer, dataset)
    return buffer.getvalue()


def _native_vr(dataset: Dataset) -> bytes:
    return b"OB" if int(dataset.get("BitsAllocated") or 16) <= 8 else b"OW"


def _pixel_head(vr: bytes, length: int, syntax: str) -> bytes:
    head = struct.pack("<HH", _PIXEL_DATA >> 16, _PIXEL_DATA & 0xFFFF)
    if syntax == IMPLICIT_LITTLE:
        return head + struct.pack("<I", length)
    return head + vr + struct.pack("<HI", 0, length)
