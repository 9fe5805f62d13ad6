"""A walk over the top level of a data set: wanted values, and whether everything is there to its end.

pydicom builds an object for each of a few hundred elements to give the nine that the door asks for. This
walk reads lengths and jumps. It knows only flawless data sets; about every other it says nothing, and pydicom
decides (`part10.py`).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.careful_reading import MAX_ITEMS

_IMPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS"}
    | {b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_MAX_DEPTH = 50
_MAX_VALUE_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Scan:
    """A data set that is whole."""

    values: dict[int, bytes]
    """raw values of the wanted tags that it has"""
    has_pixels: bool


class _Odd(Exception):
    """Something that this walk does not know."""


def scan_data_set(path: Path, offset: int, transfer_syntax_uid: str, wanted: Collection[int]) -> Scan | None:
    """Walk over the data set that begins at `offset`.

    Returns
    -------
    Scan or None
        None if anything is unusual, broken or cut off.

    Raises
    ------
    NotDicom
        IMPOSSIBLE_SIZE: more than `MAX_ITEMS` items, which whoever reads the object would turn into gigabytes.
    """
    if transfer_syntax_uid == _DEFLATED:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        walk = _Walk(data, explicit=transfer_syntax_uid != _IMPLICIT, order=">" if transfer_syntax_uid == _BIG else "<")
        try:
            return walk.top(offset, wanted)
        except (_Odd, struct.error):
            return None


class _Walk:
    def __init__(self, data: mmap.mmap, *, explicit: bool, order: str) -> None:
        self._data = data
        self._size = len(data)
        self._items = 0
        self._explicit = explicit
        self._tag = struct.Struct(order + "HH")
        self._u16 = struct.Struct(order + "H")
        self._u32 = struct.Struct(order + "I")

    def top(self, at: int, wanted: Collection[int]) -> Scan:
        values: dict[int, bytes] = {}
        has_pixels, last = False, -1
        while at < self._size:
            tag, length, value, is_sequence = self._element(at)
            if tag <= last:
                raise _Odd
            last = tag
            has_pixels = has_pixels or tag in _PIXELS
            if length == _UNDEFINED:
                if tag not in _PIXELS and not is_sequence:
                    raise _Odd
                at = self._sequence(value, fragments=tag in _PIXELS, depth=0)
                continue
            at = value + length
            if at > self._size:
                raise _Odd
            if tag in wanted:
                if length > _MAX_VALUE_BYTES:
                    raise _Odd
                values[tag] = self._data[value:at]
        return Scan(values, has_pixels)

    def _element(self, at: int) -> tuple[int, int, int, bool]:
        """Tag, length, where the value begins, and whether it may be a sequence."""
        group, number = self._tag.unpack_from(self._data, at)
        tag = group << 16 | number
        if not self._explicit or group == 0xFFFE:
            return tag, self._u32.unpack_from(self._data, at + 4)[0], at + 8, True
        representation = self._data[at + 4 : at + 6]
        if representation in _LONG:
            return tag, self._u32.unpack_from(self._data, at + 8)[0], at + 12, representation == b"SQ"
        if representation not in _SHORT:
            raise _Odd
        return tag, self._u16.unpack_from(self._data, at + 6)[0], at + 8, False

    def _sequence(self, at: int, *, fragments: bool, depth: int) -> int:
        """The end of a sequence of undefined length (PS3.5 7.5), or of encapsulated pixels (A.4)."""
        if depth > _MAX_DEPTH:
            raise _Odd
        while True:
            tag, length, value, _ = self._element(at)
            if tag == _SEQUENCE_END:
                return value
            self._items += not fragments
            if self._items > MAX_ITEMS:
                raise NotDicom(Reason.IMPOSSIBLE_SIZE, f"more than {MAX_ITEMS} items of sequences")
            if tag != _ITEM or (fragments and length == _UNDEFINED):
                raise _Odd
            at = self._item(value, depth) if length == _UNDEFINED else value + length
            if at > self._size:
                raise _Odd

    def _item(self, at: int, depth: int) -> int:
        while True:
            tag, length, value, is_sequence = self._element(at)
            if tag == _ITEM_END:
                return value
            if length == _UNDEFINED:
                if not is_sequence:
                    raise _Odd
                at = self._sequence(value, fragments=False, depth=depth + 1)
            else:
                at = value + length
            if at > self._size:
                raise _Odd
