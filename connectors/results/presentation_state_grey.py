"""Grey-scale attributes of a presentation state: those that the source itself would be shown with (R3.433-R3.441)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text, values

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def grey_attributes(source: Dataset, referenced: Dataset) -> Dataset:
    """Modality LUT, VOI LUT and Presentation LUT modules for one image.

    A VOI LUT of the source stands before a window, as its maker tuned it; the first of several is the default one
    (PS3.3 C.11.2.1). Without either, no VOI is applied. MONOCHROME1 asks for shape INVERSE, since a presentation
    state overrides what the photometric interpretation says (PS3.3 C.11.6.1.2).

    Parameters
    ----------
    referenced
        Item of Referenced Image Sequence, put into the item of the VOI LUT sequence (R3.434).
    """
    target = Dataset()
    with quiet_reading():
        _modality(source, target)
        voi = _voi(source)
        if voi is not None:
            voi.ReferencedImageSequence = [referenced]
            target.SoftcopyVOILUTSequence = [voi]
        inverse = text(source, "PhotometricInterpretation").upper() == "MONOCHROME1"
        inverse = inverse or text(source, "PresentationLUTShape").upper() == "INVERSE"
    target.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    return target


def _modality(source: Dataset, target: Dataset) -> None:
    """Only where it changes a value."""
    table = _table(source, "ModalityLUTSequence", stretch=False)
    if table is not None:
        table.ModalityLUTType = "US"
        target.ModalityLUTSequence = [table]
        return
    slope, intercept = _number(source, "RescaleSlope"), _number(source, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0 or (slope, intercept) == (1.0, 0.0):
        return
    target.RescaleIntercept, target.RescaleSlope = f"{intercept:.10g}", f"{slope:.10g}"
    target.RescaleType = "US"


def _voi(source: Dataset) -> Dataset | None:
    item = Dataset()
    table = _table(source, "VOILUTSequence", stretch=True)
    if table is not None:
        item.VOILUTSequence = [table]
        return item
    centers, widths = values(source, "WindowCenter"), values(source, "WindowWidth")
    if not centers or not widths:
        return None
    center, width = _decimal(centers[0]), _decimal(widths[0])
    function = text(source, "VOILUTFunction").upper()
    smallest = 1.0 if function in ("", "LINEAR") else 0.0
    if center is None or width is None or width < smallest or (smallest == 0 and width == 0):
        return None
    item.WindowCenter, item.WindowWidth = f"{center:.10g}", f"{width:.10g}"
    if function in _FUNCTIONS[1:]:
        item.VOILUTFunction = function
    return item


def _table(source: Dataset, keyword: str, *, stretch: bool) -> Dataset | None:
    """The first item of a LUT sequence with entries of 16 bits; None when there is none or it is broken.

    The entries of a presentation state have 8 or 16 bits (PS3.3 C.11.8), those of an image 8 to 16: `stretch` brings
    the whole range of fewer bits to that of 16.
    """
    try:
        item = (source.get(keyword) or [None])[0]
        if item is None:
            return None
        count, first, bits = (int(part) for part in item.LUTDescriptor)
        count = count & 0xFFFF or 65536
        entries = _entries(item.LUTData, count)
    except Exception:  # a table that cannot be read is no table
        return None
    if entries is None or not 8 <= bits <= 16:
        return None
    # read as US what is SS: only the second value may be negative (PS3.3 C.11.2.1.1)
    first = first - 65536 if first > 32767 and text(source, "PixelRepresentation") == "1" else first
    if stretch:
        entries = np.minimum(np.round(entries * (65535 / ((1 << bits) - 1))), 65535)
    table = Dataset()
    table.add_new(0x00283002, "SS" if first < 0 else "US", _descriptor(count, first))
    table.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    return table


def _descriptor(count: int, first: int) -> list[int]:
    unsigned = count & 0xFFFF
    if first >= 0:
        return [unsigned, first, 16]
    return [unsigned - 65536 if unsigned > 32767 else unsigned, first, 16]


def _entries(data: bytes | Sequence[int], count: int) -> NDArray[np.int64] | None:
    if isinstance(data, bytes):
        # entries of 8 bits may be packed into words
        words = np.frombuffer(data, "<u2") if len(data) >= 2 * count else np.frombuffer(data, np.uint8)
    else:
        words = np.asarray(data, dtype=np.int64) & 0xFFFF
    return words[:count].astype(np.int64) if words.size >= count else None


def _number(source: Dataset, keyword: str) -> float | None:
    return _decimal(text(source, keyword))


def _decimal(words: str) -> float | None:
    try:
        value = float(words)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
