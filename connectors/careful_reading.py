"""Handing a file that nobody vouches for to pydicom, with bounds that it does not have.

pydicom 3.0 inflates a deflated data set as a whole before it reads its first element, keeps values of any
size, and makes an object of about 700 bytes of each item of 8 bytes. Here a deflated data set is inflated as
far as it is read, large values of a header stay in the file, and too many items are refused.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Sequence
from io import UnsupportedOperation
from typing import Any, BinaryIO, cast

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason

MAX_HEADER_BYTES = 1 << 26
"""of a deflated data set until its pixels"""
MAX_ITEMS = 200_000
"""of sequences; a tomosynthesis object of 1,000 frames with all functional groups has a tenth"""
_LARGE_VALUE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 16
_SCAN_BYTES = 1 << 20
_MARKS = ((0xFFFE, 0xE000), (0xFEFF, 0x00E0))
"""of an item, as two little-endian words: in little and in big endian"""


def read_careful_header(
    file: BinaryIO, *, tags: Sequence[int | str] | None = None, force: bool = False, count_items: bool = True
) -> FileDataset:
    """Read a file until its pixel data, from the file's beginning.

    Values above 1 MiB are left out (None). A deflated data set is named as such in the file meta information,
    whatever the toolkit was told. `count_items` may be False for what came through the door: that counted.

    Raises
    ------
    NotDicom
        IMPOSSIBLE_SIZE: more than `MAX_ITEMS` items, or a deflated header above `MAX_HEADER_BYTES`.
    Exception
        Whatever pydicom raises on broken files.
    """
    if count_items:
        check_items(file)
    view = plain_view(file, MAX_HEADER_BYTES, force=force)
    options: Any = {"specific_tags": list(tags)} if tags is not None else {}
    dataset = pydicom.dcmread(view, stop_before_pixels=True, force=force, defer_size=_LARGE_VALUE_BYTES, **options)
    return name_syntax(dataset, view)


def name_syntax(dataset: FileDataset, view: BinaryIO) -> FileDataset:
    """Give a data set that was read through a `plain_view` the transfer syntax of its file."""
    if isinstance(view, PlainView):
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return dataset


def check_items(file: BinaryIO, most: int = MAX_ITEMS) -> None:
    """Count what could be items of sequences in a file on the disk, without reading it into memory.

    Fragments of encapsulated pixel data count too: they are as expensive.

    Raises
    ------
    NotDicom
        IMPOSSIBLE_SIZE, if there are more.
    """
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            check_items_of(content, most)
    except (UnsupportedOperation, ValueError, OSError):  # no file of the disk, or an empty one
        return


def check_items_of(content: bytes | bytearray | mmap.mmap, most: int = MAX_ITEMS) -> None:
    """The same for what is in memory."""
    count = 0
    # four times as fast as looking for the four bytes: nearly no word of an image is the first of a mark
    for start in range(0, len(content), _SCAN_BYTES):
        block = content[start : start + _SCAN_BYTES + 3]
        for odd in (0, 1):
            words = np.frombuffer(block, "<u2", offset=odd, count=(len(block) - odd) // 2)
            for first, second in _MARKS:
                found = np.flatnonzero(words[:-1] == first)
                count += int(np.count_nonzero(words[found + 1] == second))
        if count > most:
            raise NotDicom(Reason.IMPOSSIBLE_SIZE, f"more than {most} items of sequences")


def plain_view(file: BinaryIO, most_bytes: int, *, force: bool = False) -> BinaryIO:
    """The file from its beginning; a deflated one as if it were not, inflated as far as it is read.

    Parameters
    ----------
    file
        A Part 10 file.
    most_bytes
        Of the inflated data set.
    force
        Whether a file without preamble is taken.
    """
    bounded = cast(BinaryIO, _Bounded(file))
    meta, end = _meta(bounded, force)
    file.seek(0)
    if not _says_deflated(meta):
        return bounded
    return cast(BinaryIO, PlainView(file.read(end), file, most_bytes))


def inflates_to_its_end(file: BinaryIO, offset: int) -> bool:
    """Whether the deflated data that begin here end where they say; beyond `MAX_HEADER_BYTES` nobody looks."""
    file.seek(offset)
    engine, left = zlib.decompressobj(-zlib.MAX_WBITS), MAX_HEADER_BYTES
    while not engine.eof and left > 0:
        packed = engine.unconsumed_tail or file.read(_BLOCK_BYTES)
        if not packed:
            return False
        try:
            left -= len(engine.decompress(packed, 1 << 20))
        except zlib.error:
            return False
    return True


def dataset_offset(file: BinaryIO) -> int:
    """Where the data set of a Part 10 file begins: after the last element of group 2, whatever its length says."""
    return _meta(cast(BinaryIO, _Bounded(file)), force=False)[1]


def _meta(file: BinaryIO, force: bool) -> tuple[Dataset, int]:
    """File meta information as pydicom reads it, so that both see the same transfer syntax; and its end."""
    file.seek(0)
    read_preamble(file, force)
    start = file.tell()
    meta = read_dataset(file, False, True, stop_when=_not_meta)
    try:
        for element in meta.elements():
            _ = meta[element.tag]
            break
    except NotImplementedError:  # written in Implicit VR by mistake
        file.seek(start)
        meta = read_dataset(file, True, True, stop_when=_not_meta)
    return meta, file.tell()


def _not_meta(tag: int, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


class _Bounded:
    """The file, read no further than it goes: Python takes memory for what a lying length asks for."""

    name = "a data set"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int | None = -1) -> bytes:
        """At most so many bytes from here."""
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count is None or count < 0 else min(count, left))

    def close(self) -> None:
        """Nothing: the file belongs to the caller."""


class PlainView:
    """A deflated file as pydicom would see it had it been written in Explicit VR Little Endian (PS3.5 A.5).

    Reading raises `zlib.error` where the deflated data are broken or end early, and `NotDicom`
    (IMPOSSIBLE_SIZE) beyond `most_bytes`.
    """

    name = "a deflated data set"

    def __init__(self, head: bytes, file: BinaryIO, most_bytes: int) -> None:
        plain = str(ExplicitVRLittleEndian).encode()
        deflated = str(DeflatedExplicitVRLittleEndian).encode()
        self._content = bytearray(head.replace(deflated, plain + bytes(len(deflated) - len(plain))))
        self._most = len(head) + most_bytes
        self._file = file
        self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
        self._at = 0

    def read(self, count: int | None = -1) -> bytes:
        """At most so many bytes from here."""
        end = None if count is None or count < 0 else self._at + count
        while (end is None or len(self._content) < end) and not self._engine.eof:
            self._inflate_some()
        block = bytes(self._content[self._at : end])
        self._at += len(block)
        return block

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, counted from the beginning (0) or from here (1)."""
        if whence not in (0, 1):
            raise UnsupportedOperation("the end of a deflated data set is not known")
        self._at = max(0, offset + (self._at if whence else 0))
        return self._at

    def tell(self) -> int:
        """Where we are."""
        return self._at

    def close(self) -> None:
        """Nothing: the file belongs to the caller."""

    def _inflate_some(self) -> None:
        room = self._most - len(self._content)
        if room <= 0:
            raise NotDicom(Reason.IMPOSSIBLE_SIZE, "a deflated data set that is far too large")
        packed = self._engine.unconsumed_tail or self._file.read(_BLOCK_BYTES)
        if not packed:
            raise zlib.error("incomplete or truncated stream")
        self._content += self._engine.decompress(packed, min(room, 1 << 20))


def _says_deflated(meta: Any) -> bool:
    try:
        return bool(meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)
    except Exception:  # a value that cannot be read is not this one
        return False
