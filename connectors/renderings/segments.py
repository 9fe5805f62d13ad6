"""A segmentation over its image: a transparent colour and an outline for each segment (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text
from reread.connectors.renderings.canvas import Canvas, Colour, Hanging
from reread.connectors.renderings.stored_pixels import frames, whole_number

_COLOURS: tuple[Colour, ...] = ((90, 180, 255), (255, 150, 90), (140, 230, 120), (240, 120, 220), (255, 220, 90))
_STRENGTH = 0.28


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment on one image."""

    sop_instance_uid: str
    """of the image; "" where the object does not tell"""
    number: int
    label: str
    mask: NDArray[np.uint8]
    """shape (rows, columns), 255 within"""


def segments(segmentation: Dataset) -> Iterator[Segment]:
    """Every frame, with the image that it says it was derived from.

    Raises
    ------
    PixelsUnreadable
        The frames cannot be decoded.
    """
    labels = {
        whole_number(item, "SegmentNumber"): text(item, "SegmentLabel")
        for item in segmentation.get("SegmentSequence") or []
    }
    shared = _first(segmentation, "SharedFunctionalGroupsSequence") or Dataset()
    each = list(segmentation.get("PerFrameFunctionalGroupsSequence") or [])
    only = _only_image(segmentation)
    half = (whole_number(segmentation, "MaximumFractionalValue", 1) + 1) // 2
    for place, pixels in enumerate(frames(segmentation)):
        own = each[place] if place < len(each) else Dataset()
        named = _first(own, "SegmentIdentificationSequence") or _first(shared, "SegmentIdentificationSequence")
        number = whole_number(named, "ReferencedSegmentNumber", 1) if named is not None else 1
        uid = _source(own) or _source(shared) or only
        mask = np.where(np.asarray(pixels, np.int64) >= half, 255, 0).astype(np.uint8)
        yield Segment(uid, number, labels.get(number, str(number)), mask)


def draw_segments(canvas: Canvas, found: tuple[Segment, ...], where: Hanging) -> None:
    """Draw the segments of one image, the greatest below, and their names in their colours."""
    ordered = sorted(found, key=lambda item: -int(np.count_nonzero(item.mask)))
    for place, item in enumerate(ordered, start=1):
        colour = _COLOURS[(item.number - 1) % len(_COLOURS)]
        mask = np.where(where.picture(item.mask, canvas.height_px) >= 128, 255, 0).astype(np.uint8)
        canvas.tinted(mask, colour, _STRENGTH)
        canvas.words(item.label, canvas.letter_px, place * 1.5 * canvas.letter_px, colour)


def _source(groups: Dataset) -> str:
    derived = _first(groups, "DerivationImageSequence")
    image = _first(derived, "SourceImageSequence") if derived is not None else None
    return text(image, "ReferencedSOPInstanceUID") if image is not None else ""


def _only_image(segmentation: Dataset) -> str:
    """The image of an object that refers to a single one."""
    uids = {
        text(item, "ReferencedSOPInstanceUID")
        for series in segmentation.get("ReferencedSeriesSequence") or []
        for item in series.get("ReferencedInstanceSequence") or []
    }
    return next(iter(uids)) if len(uids) == 1 else ""


def _first(dataset: Dataset, keyword: str) -> Dataset | None:
    items = dataset.get(keyword) or []
    return items[0] if len(items) else None
