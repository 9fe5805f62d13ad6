"""Pixels of any object as they are stored, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import PixelsUnreadable
from reread.analytics.reasons import Reason
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text, values
from reread.connectors.pixel_decoding import DECODABLE, decode, encoded_pixels

_LARGEST_BYTES = 1 << 31
_GREY = ("MONOCHROME1", "MONOCHROME2")


def whole_number(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """An attribute that is a whole number; the default when it is missing or none."""
    found = values(dataset, keyword)
    try:
        return int(float(found[0])) if found else default
    except ValueError:
        return default


def is_grey(dataset: Dataset) -> bool:
    """Whether it has one sample per pixel, to be shown through look-up tables."""
    return text(dataset, "PhotometricInterpretation").upper() in _GREY


def frames(dataset: Dataset) -> Iterator[NDArray[np.generic]]:
    """Each frame: grey (rows, columns), stored values; or colour (rows, columns, 3), uint8 RGB.

    Raises
    ------
    PixelsUnreadable
        No pixel data, too large, or not to be decoded.
    """
    with quiet_reading():
        rows, columns = whole_number(dataset, "Rows"), whole_number(dataset, "Columns")
        count = max(1, whole_number(dataset, "NumberOfFrames", 1))
        samples = max(1, whole_number(dataset, "SamplesPerPixel", 1))
        allocated = whole_number(dataset, "BitsAllocated")
        if "PixelData" not in dataset or rows <= 0 or columns <= 0:
            raise PixelsUnreadable(Reason.UNDECODABLE, "no pixel data")
        if rows * columns * count * samples * max(allocated, 8) // 8 > _LARGEST_BYTES:
            raise PixelsUnreadable(Reason.IMPOSSIBLE_SIZE, f"{count} frames of {rows} x {columns}")
        if (count, samples) == (1, 1) and is_grey(dataset) and allocated in (8, 16):
            yield _single(dataset)
            return
        try:
            pixels = dataset.pixel_array
        except Exception as error:  # a codec may raise anything on broken bytes
            raise PixelsUnreadable(Reason.UNDECODABLE, f"frames cannot be decoded ({type(error).__name__})") from None
    yield from pixels if count > 1 else (pixels.reshape((rows, columns, 3) if samples == 3 else (rows, columns)),)


def _single(dataset: Dataset) -> NDArray[np.generic]:
    """One grey frame, by the decoder that mammograms go through; bits beyond Bits Stored are not values."""
    syntax = text(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID")
    if syntax not in DECODABLE:
        raise PixelsUnreadable(Reason.UNKNOWN_TRANSFER_SYNTAX, syntax or "none given")
    words = decode(encoded_pixels(dataset, syntax)).astype(np.int32)
    bits = whole_number(dataset, "BitsStored") or whole_number(dataset, "BitsAllocated")
    first = whole_number(dataset, "HighBit", bits - 1) + 1 - bits
    stored = (words >> max(first, 0)) & ((1 << bits) - 1)
    if whole_number(dataset, "PixelRepresentation") == 1:
        stored = np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored)
    return stored
