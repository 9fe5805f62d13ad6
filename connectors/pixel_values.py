"""From stored words to 0…1 with brighter = denser.

All steps (bit masking, sign, modality LUT, logarithm, inversion, padding) act on one pixel value alone, so they
are folded into one table of 65,536 entries; an image is one table look-up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.connectors.pixel_decoding import Words

_MASKED_SHARE = 0.005
"""least share of the image that flat, denser-than-everything film masks cover"""


def scale(
    words: Words, dataset: Dataset, *, for_processing: bool
) -> tuple[NDArray[np.float32], tuple[str, ...], float | None]:
    """Scale stored words to 0…1, float32, shape (rows, columns), brighter = denser.

    0…1 spans the stored range 0…2^Bits Stored - 1 (signed: its whole range), so that values of one device compare
    between images; where every value fits into fewer bits, those bits. The modality LUT is applied (PS3.3
    C.11.1), the VOI LUT is not. Presentation values are inverted under MONOCHROME1 or Presentation LUT Shape
    INVERSE (the two say the same). Raw values are inverted by Pixel Intensity Relationship Sign (PS3.3
    C.8.11.3.1.2), and detector counts (LIN) go through a logarithm before. Padding becomes 0.

    Returns
    -------
    pixels, inferred, log_range
        The second names what had to be assumed; the third is how many natural logarithms of exposure 0…1 spans,
        None where that is not known.
    """
    inferred: list[str] = []
    bits, high_bit = _bits(dataset, words.dtype.itemsize * 8, inferred)
    signed = _number(dataset, "PixelRepresentation") == 1
    stored = _stored_values(words.dtype.itemsize * 8, bits, high_bit, signed)
    # three times as fast as an index of numpy
    present = np.asarray(cv2.calcHist([words], [0], None, [stored.size], [0, stored.size]).ravel() > 0, np.bool_)
    used = stored[present]
    low, high, assumed = _range(used, bits, signed)
    if assumed:
        inferred.append(assumed)

    values = stored.astype(np.float64)
    edges = np.array([low, high], dtype=np.float64)
    table = _modality_table(dataset)
    if table is not None:
        first, entries = table
        values = entries[np.clip(stored - first, 0, entries.size - 1)]
        edges = np.array([entries.min(), entries.max()])
    elif (slope := _number(dataset, "RescaleSlope")) is not None and slope < 0:
        # an intercept and a positive slope drop out of a scaling to 0…1
        values, edges = -values, -edges
    bottom, top = float(edges.min()), float(edges.max())
    unit = np.clip((values - bottom) / max(top - bottom, 1e-12), 0.0, 1.0)

    invert = _inverted(dataset, for_processing, inferred)
    relation = str(dataset.get("PixelIntensityRelationship") or "").upper()
    log_range: float | None = None
    if for_processing and relation != "LOG":
        if relation != "LIN":
            inferred.append("raw values: linear in exposure, as no Pixel Intensity Relationship says otherwise")
        if top - bottom > 64 or relation == "LIN":
            span = max(top - bottom, 1.0)
            unit = np.log1p(unit * span) / np.log1p(span)
            log_range = float(np.log1p(span))
    if invert:
        unit = 1.0 - unit

    padding = _padding(dataset, stored)
    unit[padding] = 0.0
    lookup: NDArray[np.float32] = unit.astype(np.float32)
    # three times as fast as an index of numpy, which turns every value into a 64-bit number first
    pixels = np.asarray(cv2.LUT(words, lookup.reshape(1, -1)), np.float32).reshape(words.shape)
    if invert and for_processing and (masked := _flat_mask(words, stored, unit, present)) is not None:
        pixels[masked] = 0.0
        inferred.append("background: a flat area at the dense end of the range that touches the border")
    return pixels, tuple(inferred), log_range


def _number(dataset: Dataset, keyword: str) -> float | None:
    try:
        value = dataset.get(keyword)
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None


def _bits(dataset: Dataset, allocated: int, inferred: list[str]) -> tuple[int, int]:
    bits = _number(dataset, "BitsStored")
    if bits is None or not 1 <= bits <= allocated or bits != int(bits):
        inferred.append(f"bits stored: {allocated}, as allocated")
        return allocated, allocated - 1
    high = _number(dataset, "HighBit")
    if high is None or high != int(high) or not bits - 1 <= high < allocated:
        inferred.append("high bit: one less than bits stored")
        high = bits - 1
    return int(bits), int(high)


def _stored_values(allocated: int, bits: int, high_bit: int, signed: bool) -> NDArray[np.int32]:
    """Stored value of every word; bits outside Bits Stored (old overlays) are masked."""
    words = np.arange(1 << allocated, dtype=np.int32)
    stored: NDArray[np.int32] = (words >> (high_bit + 1 - bits)) & ((1 << bits) - 1)
    if signed:
        stored = np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored).astype(np.int32)
    return stored


def _range(used: NDArray[np.int32], bits: int, signed: bool) -> tuple[int, int, str]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    smallest, largest = int(used.min()), int(used.max())
    if signed and smallest >= 0:
        low, high = 0, (1 << (bits - 1)) - 1
    needed = max(largest, 1).bit_length()
    if smallest >= 0 and high >= 1 << (needed + 1):
        return 0, (1 << needed) - 1, f"bits stored: {bits} given, {needed} used"
    return low, high, ""


def _modality_table(dataset: Dataset) -> tuple[int, NDArray[np.float64]] | None:
    """First mapped value and entries of the Modality LUT Sequence, or None."""
    try:
        item = dataset.ModalityLUTSequence[0]
        count, first, depth = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
        entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
        entries = entries.astype(np.float64)[: count or 65536]
    except (AttributeError, IndexError, TypeError, ValueError):
        return None
    return (first, entries) if entries.size >= 2 and depth >= 1 and entries.max() > entries.min() else None


def _inverted(dataset: Dataset, for_processing: bool, inferred: list[str]) -> bool:
    monochrome1 = str(dataset.get("PhotometricInterpretation") or "").upper() == "MONOCHROME1"
    sign = _number(dataset, "PixelIntensityRelationshipSign")
    if for_processing:
        if sign in (1, -1):
            return sign == 1
        inferred.append("raw values: photometric interpretation alone tells which end is dense")
        return monochrome1
    return monochrome1 or str(dataset.get("PresentationLUTShape") or "").upper() == "INVERSE"


def _padding(dataset: Dataset, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
    value = _number(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.size, dtype=bool)
    limit = _number(dataset, "PixelPaddingRangeLimit")
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def _flat_mask(
    words: Words, stored: NDArray[np.int32], unit: NDArray[np.float64], present: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Collimated parts of raw images: no exposure, so the densest value, flat up to the border."""
    densest = stored == stored[present][np.argmax(unit[present])]
    area = densest[words]
    if float(area.mean()) < _MASKED_SHARE:
        return None
    _, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=4)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    keep: NDArray[np.bool_] = np.isin(labels, edge[edge > 0])
    return keep if float(keep.mean()) >= _MASKED_SHARE else None
