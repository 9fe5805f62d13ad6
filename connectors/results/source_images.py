"""The source images of a case as files: their attributes, and which of them can show a result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed, InputError
from reread.analytics.records import ImageHeader, ImageResult
from reread.connectors.dicom_parts import parse, quiet_reading, read_bytes
from reread.connectors.mammogram_header import FOR_PRESENTATION, FOR_PROCESSING, text
from reread.connectors.mammograms import read_header
from reread.connectors.results.forms import ResultCase

_LARGEST_SOURCE = 1 << 31


@dataclass(frozen=True, slots=True)
class Carrier:
    """An image file on which the marks of a measured image lie at the same pixels."""

    image: ImageResult
    """whose marks"""
    header: ImageHeader
    """of the carrier: the image itself, or its twin for presentation"""
    path: Path


def read_source(path: Path, *, with_pixels: bool = False) -> Dataset:
    """A source file as a data set; for use within this room only.

    Raises
    ------
    AuthoringFailed
        It cannot be read any more.
    """
    try:
        return parse(read_bytes(path, _LARGEST_SOURCE), stop_before_pixels=not with_pixels)
    except InputError as error:
        raise AuthoringFailed(f"a source image of the result cannot be read: {error}") from None


def carriers(case: ResultCase) -> Iterator[Carrier]:
    """Each measured image, and after a raw one its For Presentation twin unless that was measured too (R1.324)."""
    measured = {item.header.sop_instance_uid for item in case.measured}
    others = _unmeasured_for_presentation(case, measured)
    for image in case.measured:
        yield Carrier(image, image.header, case.sources[image.header.sop_instance_uid])
        if image.header.for_processing:
            twin = _twin(image.header, others, case)
            if twin is not None:
                yield Carrier(image, twin, case.sources[twin.sop_instance_uid])


def _unmeasured_for_presentation(case: ResultCase, measured: set[str]) -> tuple[ImageHeader, ...]:
    if not any(item.header.for_processing for item in case.measured):
        return ()
    found = []
    for uid, path in sorted(case.sources.items()):
        if uid in measured:
            continue
        try:
            header = read_header(path)
        except InputError:
            continue
        if header.sop_class_uid == FOR_PRESENTATION and header.study_instance_uid == case.result.study_instance_uid:
            found.append(header)
    return tuple(found)


def _twin(raw: ImageHeader, others: tuple[ImageHeader, ...], case: ResultCase) -> ImageHeader | None:
    """The image that names the raw one as its source; else the only one of its side, view and size."""
    if raw.sop_class_uid != FOR_PROCESSING:
        return None
    same = [
        item
        for item in others
        if (item.laterality, item.view, item.rows, item.columns) == (raw.laterality, raw.view, raw.rows, raw.columns)
    ]
    for item in same:
        if raw.sop_instance_uid in _sources_of(read_source(case.sources[item.sop_instance_uid])):
            return item
    return same[0] if len(same) == 1 else None


def _sources_of(dataset: Dataset) -> set[str]:
    with quiet_reading():
        try:
            return {text(item, "ReferencedSOPInstanceUID") for item in dataset.get("SourceImageSequence") or ()}
        except Exception:  # a sequence that cannot be parsed names nothing
            return set()
