"""Text out of raw data elements, and back: without pydicom's conversion, whose warnings quote what they convert.

Texts are decoded by the data set's own Specific Character Set (0008,0005) with code extensions (PS3.5 6.1.2).
Without one, bytes that are valid UTF-8 are taken for UTF-8, else for ISO 8859-1: what senders mean who
forget to say it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.multival import MultiValue

from reread.connectors.dicom_parts import quiet_reading

UTF_8 = "ISO_IR 192"
_CHARACTER_SET = 0x00080005
_LONGEST = 1 << 16
"""bytes of a value that are looked at; no text key may have as many (PS3.5 6.2)"""
TEXT_VRS = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
"""those that Specific Character Set is for"""
_NAME_DELIMITERS = {0x0A, 0x0C, 0x0D, 0x5C, 0x5E, 0x3D}
_TEXT_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
_SINGLE_SETS = frozenset(python_encoding) - {"", "ISO_IR 13"}
"""without code extensions; ISO_IR 13 writes a yen sign where others have a backslash"""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """Specific Character Set of a data set: its terms; empty when none is stated."""

    terms: tuple[str, ...] = ()


def character_set(dataset: Any) -> CharacterSet:
    """The one that a data set states."""
    stated = raw_bytes(dataset, _CHARACTER_SET).decode("ascii", "replace")
    terms = tuple(term.strip(" \0") for term in stated.split("\\"))
    return CharacterSet(terms if any(terms) else ())


def raw_bytes(dataset: Any, tag: int) -> bytes:
    """The value as it stands in the data set; empty when absent or of a kind that has no bytes."""
    if tag not in dataset:
        return b""
    value = dataset.get_item(tag).value
    if isinstance(value, MultiValue):  # pydicom reads the character set at once
        value = "\\".join(map(str, value))
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def text_value(dataset: Any, tag: int, vr: str, charset: CharacterSet) -> str:
    """One value as text, outer padding gone, several values with backslashes between; "" when absent."""
    value = raw_bytes(dataset, tag)
    if vr == "US":
        big = getattr(dataset.get_item(tag), "is_little_endian", True) is False if value else False
        count = len(value) // 2
        return "\\".join(map(str, struct.unpack(f"{'>' if big else '<'}{count}H", value[: 2 * count])))
    text = _decoded(value, vr, charset) if vr in TEXT_VRS else _decoded(value, vr, CharacterSet())
    if vr in ("LT", "ST", "UT"):
        return text.rstrip("\0 ")
    return "\\".join(part.strip("\0 \r\n\t") for part in text.split("\\"))


def encoding_for(texts: Sequence[str], asked: CharacterSet) -> tuple[str, str]:
    """How an answer is written: Specific Character Set and Python's codec; ("", "ascii") where ASCII will do.

    The requester's own single character set if it holds every text, else UTF-8 (ISO_IR 192).
    """
    joined = "\n".join(texts)
    if joined.isascii():
        return "", "ascii"
    if len(asked.terms) == 1 and asked.terms[0] in _SINGLE_SETS and not asked.terms[0].startswith("ISO 2022"):
        codec = python_encoding[asked.terms[0]]
        # pydicom takes ISO 8859-1 for the default repertoire, which has ASCII only
        if asked.terms[0] != "ISO_IR 6" and _fits(joined, codec):
            return asked.terms[0], codec
    return UTF_8, "utf-8"


def raw_value(vr: str, text: str, codec: str = "ascii") -> bytes:
    """A value as it is written, little endian, padded to even length; `codec` is for the texts of `TEXT_VRS`."""
    if vr == "US":
        numbers = [int(part) for part in text.split("\\") if part.isdigit() and int(part) < 65536]
        return struct.pack(f"<{len(numbers)}H", *numbers)
    value = text.encode(codec if vr in TEXT_VRS else "ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return value


def _fits(text: str, codec: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _decoded(value: bytes, vr: str, charset: CharacterSet) -> str:
    value = value[:_LONGEST]
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if not charset.terms:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    # pydicom takes the name of any codec of Python for a character set: some are slow without bound
    terms = [term if term in python_encoding or term.startswith("ISO") else "ISO_IR 6" for term in charset.terms]
    # a person name is decoded as a whole: inside a double-byte run, 0x3D is half a character, not a delimiter
    delimiters = _NAME_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
    with quiet_reading():
        text = decode_bytes(value, convert_encodings(terms), delimiters)
    return text.encode("utf-8", "replace").decode("utf-8")
