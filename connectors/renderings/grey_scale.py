"""From stored values to grey, by the look-up tables of a presentation state (PS3.4 N.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import PixelsUnreadable
from reread.analytics.reasons import Reason
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text, values
from reread.connectors.renderings.stored_pixels import whole_number

Values = NDArray[np.float64]


def greys(stored: NDArray[np.generic], image: Dataset, state: Dataset) -> NDArray[np.uint8]:
    """Shown greys 0…255 of one frame, shape (rows, columns).

    Modality LUT, softcopy VOI LUT and Presentation LUT of the state in turn (PS3.4 N.2.1); what the image itself says
    of them does not count beside a state. Without a VOI the whole range of what comes out of the step before is shown.

    Parameters
    ----------
    image
        For Bits Stored and Pixel Representation.
    state
        A presentation state, or the same modules made from an image (`grey_attributes`).

    Raises
    ------
    PixelsUnreadable
        A table without entries.
    """
    with quiet_reading():
        low, high = int(np.min(stored)), int(np.max(stored))
        # a look-up over the values that occur costs less than arithmetic on every pixel
        every = np.arange(low, high + 1, dtype=np.float64)
        meant, bottom, top = _modality(every, image, state)
        shown = _presentation(_voi(meant, bottom, top, _applied(state, image)), state)
    table = np.clip(np.rint(shown * 255), 0, 255).astype(np.uint8)
    return table[np.asarray(stored, np.int64) - low]


def _modality(stored: Values, image: Dataset, state: Dataset) -> tuple[Values, float, float]:
    """Values behind the modality LUT, and the least and greatest that can come out."""
    bits = whole_number(image, "BitsStored") or 16
    signed = whole_number(image, "PixelRepresentation") == 1
    edges = np.array([-(1 << bits - 1), (1 << bits - 1) - 1] if signed else [0, (1 << bits) - 1], np.float64)
    table = _first(state, "ModalityLUTSequence")
    if table is not None:
        start, entries = _entries(table, signed)
        return _looked_up(stored, start, entries), float(entries.min()), float(entries.max())
    slope, intercept = _number(state, "RescaleSlope", 1.0), _number(state, "RescaleIntercept", 0.0)
    edges = edges * slope + intercept
    return stored * slope + intercept, float(edges.min()), float(edges.max())


def _applied(state: Dataset, image: Dataset) -> Dataset | None:
    """The VOI item for this image: the one that names it, else one for all."""
    items: list[Dataset] = list(state.get("SoftcopyVOILUTSequence") or [])
    uid = text(image, "SOPInstanceUID")
    for item in items:
        named = [text(found, "ReferencedSOPInstanceUID") for found in item.get("ReferencedImageSequence") or []]
        if uid in named or not named:
            return item
    return None


def _voi(meant: Values, bottom: float, top: float, item: Dataset | None) -> Values:
    """To 0…1 (PS3.3 C.11.2.1)."""
    if item is None:
        return np.clip((meant - bottom) / max(top - bottom, 1e-12), 0.0, 1.0)
    table = _first(item, "VOILUTSequence")
    if table is not None:
        start, entries = _entries(table, bottom < 0)
        largest = float((1 << (whole_number_at(table, "LUTDescriptor", 2) or 16)) - 1)
        return _looked_up(meant, start, entries) / largest
    center, width = _number(item, "WindowCenter", 0.5), _number(item, "WindowWidth", 1.0)
    function = text(item, "VOILUTFunction").upper()
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (meant - center) / (width or 1e-12), -700, 700))))
    if function == "LINEAR_EXACT":
        return np.clip((meant - center) / (width or 1e-12) + 0.5, 0.0, 1.0)
    return np.clip((meant - (center - 0.5)) / max(width - 1, 1e-12) + 0.5, 0.0, 1.0)


def _presentation(unit: Values, state: Dataset) -> Values:
    table = _first(state, "PresentationLUTSequence")
    if table is not None:
        start, entries = _entries(table, signed=False)
        # the first entry is for the least P-value, the last for the greatest (PS3.3 C.11.6)
        largest = float((1 << (whole_number_at(table, "LUTDescriptor", 2) or 16)) - 1)
        return _looked_up(np.rint(unit * (entries.size - 1)) + start, start, entries) / largest
    return 1 - unit if text(state, "PresentationLUTShape").upper() == "INVERSE" else unit


def _looked_up(found: Values, start: int, entries: Values) -> Values:
    return np.asarray(entries[np.clip(np.rint(found) - start, 0, entries.size - 1).astype(np.int64)])


def _entries(table: Dataset, signed: bool) -> tuple[int, Values]:
    """First value mapped, and the entries (PS3.3 C.11.1.1)."""
    count = whole_number_at(table, "LUTDescriptor", 0) or 1 << 16
    start = whole_number_at(table, "LUTDescriptor", 1)
    data = table.get("LUTData")
    raw = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data if data is not None else [])
    if raw.size == 0:
        raise PixelsUnreadable(Reason.UNDECODABLE, "a look-up table without entries")
    whole = raw.astype(np.int64)
    entries = np.where(whole < 0, whole + (1 << 16), whole).astype(np.float64)[:count]
    return (start - (1 << 16) if signed and start >= 1 << 15 else start), entries


def whole_number_at(dataset: Dataset, keyword: str, place: int) -> int:
    """A value of an attribute with several; 0 when it is missing."""
    found = values(dataset, keyword)
    try:
        return int(float(found[place])) if len(found) > place else 0
    except ValueError:
        return 0


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    found = values(dataset, keyword)
    try:
        return float(found[0]) if found else default
    except ValueError:
        return default


def _first(dataset: Dataset, keyword: str) -> Dataset | None:
    items = dataset.get(keyword) or []
    return items[0] if len(items) else None
