"""From encoded pixel data to stored words: one frame, one sample per pixel.

Every size is checked against the bytes before anything of that size is allocated. The decoder of each transfer
syntax is the fastest one that is bit-exact here; a second library stands behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from reread.analytics.errors import PixelsUnreadable
from reread.analytics.reasons import Reason

Words = NDArray[np.uint8] | NDArray[np.uint16]
"""Stored pixel cells, shape (rows, columns), unsigned; bits above Bits Stored may hold anything."""

_NATIVE = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
_RLE = "1.2.840.10008.1.2.5"
_JPEG = {f"1.2.840.10008.1.2.4.{last}" for last in ("50", "51", "57", "70")}
_JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_HTJ2K = {f"1.2.840.10008.1.2.4.{last}" for last in ("201", "202", "203")}
COMPRESSED = frozenset({_RLE} | _JPEG | _JPEG_LS | _JPEG_2000 | _HTJ2K)
DECODABLE = frozenset(_NATIVE) | COMPRESSED
"""Transfer syntaxes that are read."""

_RLE_BEST_RATIO = 64
"""PackBits turns 2 bytes into at most 128."""


@dataclass(frozen=True, slots=True)
class EncodedPixels:
    """One frame as it lies in the file."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    bits_allocated: int
    value: bytes
    """value of Pixel Data (7FE0,0010)"""
    declared_length: int
    """length in its header; 0xFFFFFFFF: encapsulated"""
    words_are_ob: bool = False
    """VR OB, which big endian does not swap"""


def decode(encoded: EncodedPixels) -> Words:
    """Decode one frame, shape (rows, columns).

    Raises
    ------
    PixelsUnreadable
        TRUNCATED, IMPOSSIBLE_SIZE, UNKNOWN_TRANSFER_SYNTAX or UNDECODABLE.
    """
    syntax = encoded.transfer_syntax_uid
    if syntax not in DECODABLE:
        raise PixelsUnreadable(Reason.UNKNOWN_TRANSFER_SYNTAX, syntax[:64] or "none given")
    if syntax in _NATIVE:
        return _native(encoded, _NATIVE[syntax])
    frame = _only_frame(encoded.value)
    _check_codestream(encoded, frame)
    failures: list[str] = []
    for decoder in _decoders(syntax):
        try:
            words = decoder(encoded, frame)
        except Exception as error:  # a codec may raise anything on broken bytes
            failures.append(type(error).__name__)
            continue
        if words.shape != (encoded.rows, encoded.columns):
            raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, f"the frame decodes to {words.shape}")
        return words
    raise PixelsUnreadable(Reason.UNDECODABLE, f"{UID(syntax).name}: {', '.join(failures)}")


def decode_with(plugin: str, encoded: EncodedPixels) -> Words:
    """Decode with one named pydicom plugin; the second opinion of the tests and the fallback of `decode`."""
    return _pydicom(plugin)(encoded, _only_frame(encoded.value))


def _native(encoded: EncodedPixels, byte_order: str) -> Words:
    expected = encoded.rows * encoded.columns * (encoded.bits_allocated // 8)
    if encoded.declared_length == 0xFFFFFFFF:
        raise PixelsUnreadable(Reason.UNDECODABLE, "encapsulated pixel data under a native transfer syntax")
    if encoded.declared_length < expected:
        raise PixelsUnreadable(
            Reason.IMPOSSIBLE_SIZE,
            f"{encoded.rows} x {encoded.columns} needs {expected} bytes, pixel data has {encoded.declared_length}",
        )
    if len(encoded.value) < expected:
        raise PixelsUnreadable(Reason.TRUNCATED, f"{len(encoded.value)} of {expected} bytes of pixel data are there")
    if encoded.bits_allocated == 8 and byte_order == ">" and not encoded.words_are_ob:
        # 8-bit cells packed into big-endian words (PS3.5 annex A.3)
        swapped = np.frombuffer(encoded.value[: expected + expected % 2], "<u2").byteswap().view(np.uint8)
        return swapped[:expected].reshape(encoded.rows, encoded.columns)
    kind = np.dtype(np.uint8) if encoded.bits_allocated == 8 else np.dtype(f"{byte_order}u2")
    words = np.frombuffer(encoded.value, kind, count=expected // kind.itemsize)
    return words.reshape(encoded.rows, encoded.columns).astype(kind.newbyteorder("="), copy=False)


def _only_frame(value: bytes) -> bytes:
    try:
        return get_frame(value, 0, number_of_frames=1)
    except (ValueError, struct.error, EOFError, IndexError) as error:
        raise PixelsUnreadable(Reason.UNDECODABLE, f"fragments cannot be joined ({type(error).__name__})") from None


def _decoders(syntax: str) -> tuple[Callable[[EncodedPixels, bytes], Words], ...]:
    if syntax == _RLE:
        return _rle, _pydicom("pylibjpeg")
    if syntax in _JPEG:
        return _imagecodecs(imagecodecs.jpeg_decode), _imagecodecs(imagecodecs.ljpeg_decode), _pydicom("gdcm")
    if syntax in _JPEG_LS:
        return _imagecodecs(imagecodecs.jpegls_decode), _pydicom("gdcm")
    if syntax in _JPEG_2000:
        return _pydicom("gdcm"), _pydicom("pylibjpeg")
    return _imagecodecs(imagecodecs.htj2k_decode), _pydicom("pylibjpeg")


def _rle(encoded: EncodedPixels, frame: bytes) -> Words:
    kind = np.dtype(np.uint8 if encoded.bits_allocated == 8 else "<u2")
    decoded = imagecodecs.dicomrle_decode(frame, kind)
    count = encoded.rows * encoded.columns
    if len(decoded) < count * kind.itemsize:
        raise ValueError("RLE segments end early")
    cells = np.frombuffer(decoded, kind, count=count).reshape(encoded.rows, encoded.columns)
    return _as_words(cells, encoded)


def _imagecodecs(codec: Callable[[bytes], NDArray[np.generic]]) -> Callable[[EncodedPixels, bytes], Words]:
    def run(encoded: EncodedPixels, frame: bytes) -> Words:
        return _as_words(codec(frame), encoded)

    return run


def _pydicom(plugin: str) -> Callable[[EncodedPixels, bytes], Words]:
    def run(encoded: EncodedPixels, frame: bytes) -> Words:
        decoder = get_decoder(UID(encoded.transfer_syntax_uid))
        options: Any = {
            "rows": encoded.rows,
            "columns": encoded.columns,
            "bits_allocated": encoded.bits_allocated,
            "bits_stored": encoded.bits_allocated,
            "samples_per_pixel": 1,
            "photometric_interpretation": "MONOCHROME2",
            "pixel_representation": 0,
            "number_of_frames": 1,
            "pixel_keyword": "PixelData",
        }
        array, _ = decoder.as_array(encoded.value, index=0, raw=True, decoding_plugin=plugin, **options)
        return _as_words(array, encoded)

    return run


def _as_words(array: NDArray[np.generic], encoded: EncodedPixels) -> Words:
    """Reinterpret signed cells as unsigned words: two's complement keeps every bit."""
    if array.dtype.itemsize > 2 or array.dtype.kind not in "ui":
        raise ValueError("more than 16 bits per pixel")
    if array.dtype.itemsize == 1:
        if encoded.bits_allocated == 16 and array.dtype.kind == "i":
            return array.astype(np.int16).view(np.uint16)
        return array.view(np.uint8)
    return array.view(np.uint16)


def _check_codestream(encoded: EncodedPixels, frame: bytes) -> None:
    """Refuse a codestream of another size than the header's before a decoder allocates it."""
    if encoded.transfer_syntax_uid == _RLE:
        if encoded.rows * encoded.columns * (encoded.bits_allocated // 8) > _RLE_BEST_RATIO * len(frame):
            raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, "more pixels than the RLE segments can hold")
        return
    found = _frame_header(frame)
    if found is None:
        raise PixelsUnreadable(Reason.UNDECODABLE, "the codestream has no frame header")
    if found[:2] != (encoded.rows, encoded.columns):
        raise PixelsUnreadable(
            Reason.IMPOSSIBLE_SIZE,
            f"header says {encoded.rows} x {encoded.columns}, codestream {found[0]} x {found[1]}",
        )
    if found[2] != 1:
        raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, f"a codestream of {found[2]} components, not one")
    if not 1 <= found[3] <= 16:  # gdcm ends the process over such a one
        raise PixelsUnreadable(Reason.UNDECODABLE, f"a codestream of {found[3]} bits")


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) from the SOF of a JPEG or JPEG-LS stream or the SIZ of a JPEG 2000 one; None: neither."""
    found = _frame_header(frame)
    return None if found is None else found[:2]


def _frame_header(frame: bytes) -> tuple[int, int, int, int] | None:
    """(rows, columns, components, bits of the first one)."""
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(frame) >= start + 43:
        right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
        components, depth = struct.unpack_from(">HB", frame, start + 40)
        return bottom - top, right - left, components, (depth & 0x7F) + 1
    position = 2
    if frame[:2] != b"\xff\xd8":
        return None
    while position + 10 <= len(frame):
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        # SOF0…SOF15 without DHT, JPG and DAC; SOF55 is JPEG-LS
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            bits, rows, columns, components = struct.unpack_from(">B2HB", frame, position + 4)
            return rows, columns, components, bits
        position += 2 + int(struct.unpack_from(">H", frame, position + 2)[0])
    return None


def inflate_failed(error: BaseException) -> bool:
    """Whether a deflated dataset ended early."""
    return isinstance(error, zlib.error) and "incomplete" in str(error)


def encoded_pixels(dataset: Dataset, transfer_syntax_uid: str) -> EncodedPixels:
    """Take the pixel data out of a dataset whose Rows, Columns and Bits Allocated were checked before."""
    raw = dataset.get_item("PixelData")
    value = bytes(raw.value or b"")
    length = getattr(raw, "length", None)
    if length is None:
        length = 0xFFFFFFFF if raw.is_undefined_length else len(value)
    return EncodedPixels(
        transfer_syntax_uid,
        int(dataset.Rows),
        int(dataset.Columns),
        int(dataset.BitsAllocated),
        value,
        int(length),
        raw.VR == "OB",
    )
