"""Reading one mammogram from a file: a header record, or header and pixels ready to be measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from reread.analytics.errors import InputError, NotAMammogram, PixelsUnreadable
from reread.analytics.reasons import Reason
from reread.analytics.records import ImageHeader, Mammogram
from reread.connectors.acquisition import acquisition
from reread.connectors.dicom_parts import Identity, identify, parse, patient_identity, quiet_reading, read_bytes
from reread.connectors.input_kinds import input_kind
from reread.connectors.mammogram_header import (
    FOR_PROCESSING,
    Geometry,
    check_kind,
    chest_wall_on_left,
    geometry,
    standard_orientation,
    text,
    view_modifiers,
)
from reread.connectors.pixel_decoding import DECODABLE, EncodedPixels, decode, encoded_pixels
from reread.connectors.pixel_values import scale

__all__ = ["Identity", "ReadLimits", "identify", "patient_identity", "read_header", "read_mammogram"]


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What is refused before memory is taken for it."""

    max_pixels: int = 120_000_000
    """largest Rows x Columns; a 24 x 30 cm film at 50 um has 29 million"""
    max_file_bytes: int = 1 << 30
    """largest file"""


def read_header(path: Path, *, limits: ReadLimits | None = None) -> ImageHeader:
    """Read and check everything but the decoding.

    Patient orientation, where the header has none, follows the usual hanging; `read_mammogram` looks at the pixels.

    Raises
    ------
    InputError
        With the reason; `identify` names the object all the same.
    """
    header, _, _, _ = _open(path, limits or ReadLimits())
    return header


def read_mammogram(path: Path, *, limits: ReadLimits | None = None) -> Mammogram:
    """Read one mammogram, pixels as `Mammogram` demands them (see `pixel_values.scale`).

    Raises
    ------
    InputError
        With the reason; `identify` names the object all the same.
    """
    header, found, encoded, dataset = _open(path, limits or ReadLimits())
    words = decode(encoded)
    try:
        with quiet_reading():
            pixels, assumed, log_range = scale(words, dataset, for_processing=header.for_processing)
    except Exception as error:  # attributes that describe the pixels are beyond reading
        raise PixelsUnreadable(
            Reason.UNDECODABLE, f"the pixel values cannot be interpreted ({type(error).__name__})"
        ) from None
    inferred = header.inferred + assumed
    orientation = header.patient_orientation
    if not found.orientation_given:
        orientation = standard_orientation(header.laterality, header.view, chest_wall_on_left(pixels))
        inferred = (
            *inferred[: len(header.inferred) - 1],
            "patient orientation: chest wall seen in the pixels",
            *assumed,
        )
    taken = replace(header.acquisition, log_range=log_range)
    return Mammogram(replace(header, patient_orientation=orientation, inferred=inferred, acquisition=taken), pixels)


def _open(path: Path, limits: ReadLimits) -> tuple[ImageHeader, Geometry, EncodedPixels, Dataset]:
    content = read_bytes(path, limits.max_file_bytes)
    dataset = parse(content)
    with quiet_reading():
        try:
            return _header(dataset, hashlib.sha256(content).hexdigest(), limits)
        except InputError:
            raise
        except RecursionError:
            raise NotAMammogram(Reason.UNDECODABLE, "sequences nested too deeply to be read") from None
        except Exception as error:  # an element whose bytes contradict its VR
            raise NotAMammogram(Reason.UNDECODABLE, f"the header cannot be read ({type(error).__name__})") from None


def _header(dataset: Dataset, digest: str, limits: ReadLimits) -> tuple[ImageHeader, Geometry, EncodedPixels, Dataset]:
    kind = check_kind(dataset)
    syntax, assumed_syntax = _transfer_syntax(dataset)
    rows, columns = _size(dataset, limits)
    if "PixelData" not in dataset or not dataset.get_item("PixelData").value:
        raise NotAMammogram(Reason.NO_PIXEL_DATA, "none in the object; perhaps cut off before it")
    if text(dataset, "BitsAllocated") not in ("8", "16"):
        raise NotAMammogram(Reason.NOT_MEASURABLE, f"{text(dataset, 'BitsAllocated')[:8] or 'no'} bits allocated")
    encoded = encoded_pixels(dataset, syntax)
    found = geometry(dataset, rows)
    inferred = (*kind, *assumed_syntax, *found.inferred)
    if not found.orientation_given:
        inferred = (*inferred, "patient orientation: the usual hanging assumed")
    sop_class = text(dataset, "SOPClassUID")
    intent = text(dataset, "PresentationIntentType").upper()
    header = ImageHeader(
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        sop_class_uid=sop_class,
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        study_instance_uid=text(dataset, "StudyInstanceUID"),
        rows=rows,
        columns=columns,
        laterality=found.laterality,
        view=found.view,
        spacing=found.spacing,
        for_processing=intent == "FOR PROCESSING" or (not intent and sop_class == FOR_PROCESSING),
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        device_serial=text(dataset, "DeviceSerialNumber"),
        study_date=text(dataset, "StudyDate"),
        study_time=text(dataset, "StudyTime"),
        content_date=text(dataset, "ContentDate"),
        content_time=text(dataset, "ContentTime"),
        patient_orientation=found.patient_orientation,
        inferred=inferred,
        input_digest=digest,
        acquisition=acquisition(dataset),
        spacing_known=found.spacing_known,
        view_modifiers=view_modifiers(dataset),
        input_kind=input_kind(dataset),
    )
    for name, uid in (("SOP Instance UID", header.sop_instance_uid), ("Study Instance UID", header.study_instance_uid)):
        if not uid:
            raise NotAMammogram(Reason.NOT_DICOM, f"no {name}")
    return header, found, encoded, dataset


def _transfer_syntax(dataset: Dataset) -> tuple[str, tuple[str, ...]]:
    stated = text(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID")
    if stated:
        if stated not in DECODABLE:
            raise PixelsUnreadable(Reason.UNKNOWN_TRANSFER_SYNTAX, stated[:64])
        return stated, ()
    implicit, little = dataset.original_encoding
    syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
    return syntax, ("transfer syntax: guessed from the encoding, the file names none",)


def _size(dataset: Dataset, limits: ReadLimits) -> tuple[int, int]:
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
    except (AttributeError, TypeError, ValueError):
        raise NotAMammogram(Reason.IMPOSSIBLE_SIZE, "no single value of Rows and Columns") from None
    if rows < 1 or columns < 1 or rows * columns > limits.max_pixels:
        raise NotAMammogram(
            Reason.IMPOSSIBLE_SIZE, f"{rows} x {columns}, the limit is {limits.max_pixels} pixels in one image"
        )
    return rows, columns
