"""Objects that were made to hurt: each a Part 10 file whose data set is sent and imported byte for byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
from made_dicom import MAMMOGRAM
from made_studies import mammogram_dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

_UNDEFINED = 0xFFFFFFFF
_OPEN_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, _UNDEFINED)
_CLOSE_ITEM = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_CLOSE_SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def long_element(tag: int, vr: bytes, value: bytes, stated: int | None = None) -> bytes:
    """An element with a length of 32 bits; `stated` is what it says, if that is to be a lie."""
    length = len(value) if stated is None else stated
    return struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, vr, length) + value


def short_element(tag: int, vr: bytes, value: bytes, stated: int | None = None) -> bytes:
    """An element with a length of 16 bits."""
    length = len(value) if stated is None else stated
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length) + value


def plain(number: int = 1, syntax: str = ExplicitVRLittleEndian, **changes: object) -> bytes:
    """A sane mammogram as a file; without changes it is measured."""
    rows = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    dataset = mammogram_dataset(pixels=rows)
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = f"2.25.77.{number}", "2.25.77"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def without_pixels(content: bytes) -> bytes:
    """The same, ended before its pixel data."""
    return content[: content.rindex(b"\xe0\x7f\x10\x00")]


def before(tag: int, inserted: bytes, content: bytes | None = None) -> bytes:
    """A sane file with these bytes before an element."""
    content = plain() if content is None else content
    at = content.rindex(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    return content[:at] + inserted + content[at:]


def instead_of(tag: int, vr: bytes, value: bytes) -> bytes:
    """A sane file with another element in place of one of short length."""
    content = plain()
    at = content.rindex(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    length = struct.unpack_from("<H", content, at + 6)[0]
    return content[:at] + short_element(tag, vr, value) + content[at + 8 + length :]


def nested(depth: int, *, closed: bool) -> bytes:
    """Request Attributes Sequence within itself."""
    opening = struct.pack("<HH2s2xI", 0x0040, 0x0275, b"SQ", _UNDEFINED) + _OPEN_ITEM
    closing = (_CLOSE_ITEM + _CLOSE_SEQUENCE) * depth if closed else b""
    return before(0x7FE00010, opening * depth + closing)


def nested_with_lengths(depth: int) -> bytes:
    """The same with stated lengths, from the inside outwards."""
    content = b""
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
        content = long_element(0x00400275, b"SQ", item)
    return before(0x7FE00010, content)


def many_items(count: int) -> bytes:
    """One sequence with this many empty items: 8 bytes each in the file, far more as objects."""
    return before(0x7FE00010, long_element(0x00400275, b"SQ", _EMPTY_ITEM * count + _CLOSE_SEQUENCE, _UNDEFINED))


def deflated(dataset: bytes) -> bytes:
    """A file with this data set under Deflated Explicit VR Little Endian."""
    content = plain(syntax=DeflatedExplicitVRLittleEndian)
    end = 144 + struct.unpack_from("<I", content, 140)[0]
    return content[:end] + _packed(dataset, last=True)


def _packed(content: bytes, *, last: bool = False) -> bytes:
    """Deflated on its own, so that repetitions are deflated data too."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


def bomb_of_pixels(mebibytes: int) -> bytes:
    """Pixel data of zeros, a thousandth of it in the file; Rows x Columns say the same."""
    content = plain(Rows=32768, Columns=mebibytes * 32)
    start = 144 + struct.unpack_from("<I", content, 140)[0]
    end = content.rindex(b"\xe0\x7f\x10\x00")
    head = content[start:end] + struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OB", mebibytes << 20)
    packed = _packed(head) + _packed(bytes(1 << 20)) * mebibytes + _packed(b"", last=True)
    meta = plain(syntax=DeflatedExplicitVRLittleEndian)
    return meta[: 144 + struct.unpack_from("<I", meta, 140)[0]] + packed


def bomb_in_the_header(mebibytes: int) -> bytes:
    """A private element of zeros before the pixels."""
    content = plain()
    start = 144 + struct.unpack_from("<I", content, 140)[0]
    end = content.rindex(b"\xe0\x7f\x10\x00")
    head = content[start:end] + short_element(0x70510010, b"LO", b"BOMB")
    head += struct.pack("<HH2s2xI", 0x7051, 0x1000, b"OB", mebibytes << 20)
    packed = _packed(head) + _packed(bytes(1 << 20)) * mebibytes + _packed(content[end:], last=True)
    meta = plain(syntax=DeflatedExplicitVRLittleEndian)
    return meta[: 144 + struct.unpack_from("<I", meta, 140)[0]] + packed


def private_rle() -> bytes:
    """RLE with a private decoder's name for it, and segments that promise more than they hold."""
    fragment = struct.pack("<16I", 2, 64, 0x7FFFFFFF, *[0] * 13) + b"\x81\x00" * 20
    content = without_pixels(plain(Rows=4096, Columns=4096))
    content = content.replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x14\x001.2.840.10008.1.2.5\0")
    items = _EMPTY_ITEM + struct.pack("<HHI", 0xFFFE, 0xE000, len(fragment)) + fragment + _CLOSE_SEQUENCE
    return content + long_element(0x7FE00010, b"OB", items, _UNDEFINED)


def compressed(syntax: bytes, frame: bytes) -> bytes:
    """A sane object with this as its only fragment; `syntax` is the last part of 1.2.840.10008.1.2.4.xx."""
    content = without_pixels(plain())
    stated = b"1.2.840.10008.1.2.4." + syntax
    content = content.replace(b"\x14\x001.2.840.10008.1.2.1\0", struct.pack("<H", len(stated)) + stated)
    length = struct.unpack_from("<I", content, 140)[0] + len(stated) - 20
    content = content[:140] + struct.pack("<I", length) + content[144:]
    items = _EMPTY_ITEM + struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)) + frame + _CLOSE_SEQUENCE
    return content + long_element(0x7FE00010, b"OB", items, _UNDEFINED)


def jpeg_2000(components: int, bits: int = 12) -> bytes:
    """A codestream of the object's size that promises this many components of so many bits, and holds nothing."""
    size = struct.pack(">HHH8IH", 0xFF51, 38 + 3 * components, 0, 32, 32, 0, 0, 32, 32, 0, 0, components)
    return b"\xff\x4f" + size + bytes([bits - 1, 1, 1]) * components + b"\xff\xd9"


def jpeg(components: int) -> bytes:
    """A lossless JPEG frame header with this many components, and nothing after it."""
    body = struct.pack(">BHHB", 16, 32, 32, components) + b"\x01\x44\x00" * components
    return b"\xff\xd8\xff\xc3" + struct.pack(">H", 2 + len(body)) + body + b"\xff\xd9"


def of_private_syntax() -> bytes:
    """A sane object under GE's private RLE-like transfer syntax UID."""
    return plain().replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x14\x001.2.840.113619.5.222")


def with_uid(uid: bytes) -> bytes:
    """This SOP Instance UID in data set and file meta information."""
    content = instead_of(0x00080018, b"UI", uid + b"\0" * (len(uid) % 2))
    return content.replace(b"2.25.77.1\0", (uid + bytes(10))[:10])


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nested 10,000 deep": lambda: nested(10_000, closed=True),
    "nested 10,000 deep, never closed": lambda: nested(10_000, closed=False),
    "nested 2,000 deep with lengths": lambda: nested_with_lengths(2_000),
    "20,000 empty items": lambda: many_items(20_000),
    "300,000 empty items": lambda: many_items(300_000),
    "Rows x Columns of 65535": lambda: plain(Rows=65535, Columns=65535),
    "Rows x Columns of 65535, no pixels": lambda: without_pixels(plain(Rows=65535, Columns=65535)),
    "2 billion frames": lambda: plain(NumberOfFrames="2147483647"),
    "Rows as SQ": lambda: instead_of(0x00280010, b"SQ", b"\x20\0"),
    "Rows as FD": lambda: instead_of(0x00280010, b"FD", b"\x20\0"),
    "Rows as no VR": lambda: instead_of(0x00280010, b"\0\0", b"\x20\0"),
    "Rows as 300 bytes of text": lambda: instead_of(0x00280010, b"LO", b"x" * 300),
    "Modality as OB": lambda: instead_of(0x00080060, b"OB", b"MG"),
    "Patient ID as UN": lambda: instead_of(0x00100020, b"UN", b"P1"),
    "UID as PN": lambda: instead_of(0x0020000D, b"PN", b"2.25.77\0"),
    "private RLE": private_rle,
    "JPEG 2000 of 16,384 components": lambda: compressed(b"90", jpeg_2000(16_384)),
    "JPEG of 200 components": lambda: compressed(b"70", jpeg(200)),
    "JPEG 2000 of nothing": lambda: compressed(b"90", jpeg_2000(1)),
    "JPEG 2000 of 38 bits": lambda: compressed(b"90", jpeg_2000(1, 38)),
    "private transfer syntax": of_private_syntax,
    "deflate bomb of pixels": lambda: bomb_of_pixels(1024),
    "deflate bomb in the header": lambda: bomb_in_the_header(1024),
    "deflated garbage": lambda: deflated(b"")[:-2] + b"\xff\x00\xaa" * 100,
    "deflated, cut off": lambda: deflated(plain()[400:] + bytes(range(256)) * 300)[:-70],
    "deflated nothing": lambda: deflated(b""),
    "UID that climbs": lambda: with_uid(b"../../../../tmp/x"),
    "UID that climbs as UID": lambda: with_uid(b"..%2f..%2f1.2.3"),
    "UID with a slash": lambda: with_uid(b"1.2/3.4"),
    "UID with NULs": lambda: with_uid(b"1.2\x003.4\0\0"),
    "UID of dots": lambda: with_uid(b".."),
    "UID that is empty": lambda: with_uid(b""),
    "UID of 300 digits": lambda: with_uid(b"1." + b"2" * 298),
    "UID of 60,000 digits": lambda: with_uid(b"1." + b"2" * 59_998),
    "UID of two values": lambda: with_uid(b"1.2.3\\1.2.4"),
    "UID in Latin-1": lambda: with_uid(b"1.2.\xe9\xff.3"),
    "UID with a line end": lambda: with_uid(b"1.2.3\r\n1.2.4"),
    "study UID that climbs": lambda: instead_of(0x0020000D, b"UI", b"../../x/"),
    "patient of 60,000 letters": lambda: instead_of(0x00100020, b"LO", b"P" * 60_000),
    "modality of 60,000 letters": lambda: instead_of(0x00080060, b"CS", b"M" * 60_000),
    "modality with SQL": lambda: instead_of(0x00080060, b"CS", b"MG'; DROP TABLE instances; --"),
    "date that is none": lambda: instead_of(0x00080020, b"DA", b"0000-99-99x "),
    "group length that lies": lambda: before(0x00080016, short_element(0x00080000, b"UL", b"\xff\xff\xff\xff")),
    "meta group length that lies": lambda: plain()[:140] + b"\xff\xff\xff\x7f" + plain()[144:],
    "meta group length of zero": lambda: plain()[:140] + bytes(4) + plain()[144:],
    "element of 4 GB": lambda: before(0x7FE00010, long_element(0x00420011, b"OB", b"", 0xFFFFFFFE)),
    "element of 3 GB in the meta": lambda: plain()[:144] + long_element(0x00020102, b"OB", b"", 0xC0000000),
    "pixels of 4 GB": lambda: without_pixels(plain()) + long_element(0x7FE00010, b"OB", bytes(1024), 0xFFFFFFFE),
    "pixels without end": lambda: without_pixels(plain()) + long_element(0x7FE00010, b"OB", bytes(1024), _UNDEFINED),
    "item without a sequence": lambda: before(0x7FE00010, _OPEN_ITEM),
    "delimiter without a sequence": lambda: before(0x7FE00010, _CLOSE_ITEM),
    "tags backwards": lambda: before(0x7FE00010, short_element(0x00080005, b"CS", b"ISO_IR 6")),
    "command group in the data set": lambda: before(0x00080016, short_element(0x00000002, b"UI", b"1.2\0")),
    "unknown character set": lambda: before(0x00080016, short_element(0x00080005, b"CS", b"KLINGON\\X")),
    "empty": lambda: b"",
    "preamble only": lambda: bytes(128) + b"DICM",
    "no data set": lambda: plain()[: 144 + struct.unpack_from("<I", plain(), 140)[0]],
    "all zeros": lambda: bytes(5000),
    "all ones": lambda: plain()[:400] + b"\xff" * 5000,
}
"""Name to a maker of the file."""

FITS = MAMMOGRAM
"""SOP class of all of them"""
