"""Rules of Secondary Capture objects beside their attributes: pixels that agree with their description (PS3.3 A.8)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.violations import Violation

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MULTI_FRAME = {
    SECONDARY_CAPTURE + ".1": (1, 1, {"MONOCHROME2"}),
    SECONDARY_CAPTURE + ".2": (8, 1, {"MONOCHROME2"}),
    SECONDARY_CAPTURE + ".3": (16, 1, {"MONOCHROME2"}),
    SECONDARY_CAPTURE + ".4": (
        8,
        3,
        {"RGB", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT", "YBR_FULL", "XYB"},
    ),
}
"""bits allocated, samples per pixel and photometric interpretations (PS3.3 A.8.2 to A.8.5)"""
CAPTURES = frozenset({SECONDARY_CAPTURE, *_MULTI_FRAME})
_SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1}
_COLOURS = frozenset(
    {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT", "XYB"}
)
_CONVERSIONS = frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"})
_LOSSY = frozenset(
    {
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.112",
        "1.2.840.10008.1.2.4.203",
    }
)
_PIXEL_DATA = Tag(0x7FE0, 0x0010)


def check_capture(dataset: Dataset, transfer_syntax_uid: str, pixel_bytes: int | None) -> Iterator[Violation]:
    """Check a Secondary Capture.

    Parameters
    ----------
    pixel_bytes
        Length of Pixel Data as it lies in the file; None when it is encapsulated or was not read.
    """
    yield from check_pixels(dataset, transfer_syntax_uid, pixel_bytes)
    yield from _said(dataset)
    yield from _frames(dataset)


def check_pixels(dataset: Dataset, transfer_syntax_uid: str, pixel_bytes: int | None) -> Iterator[Violation]:
    """PS3.3 C.7.6.3: samples, bits, colours and length agree."""
    numbers = {
        keyword: whole(dataset, keyword)
        for keyword in (
            "SamplesPerPixel",
            "Rows",
            "Columns",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
        )
    }
    for keyword in ("Rows", "Columns"):
        if numbers[keyword] == 0:
            yield _pixel(f"{keyword} is 0", keyword)
    photometric = text(dataset, "PhotometricInterpretation")
    samples, allocated, stored, high = (
        numbers[name] for name in ("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit")
    )
    expected = _SAMPLES.get(photometric, 3 if photometric in _COLOURS else None)
    if photometric and expected is None:
        yield _pixel(f"no photometric interpretation: {photometric[:16]!r}", "PhotometricInterpretation")
    elif expected is not None and samples is not None and samples != expected:
        yield _pixel(f"{photometric} has {expected} samples per pixel, not {samples}", "SamplesPerPixel")
    if allocated is not None and (allocated not in (1, 8, 16, 32, 64)):
        yield _pixel(f"{allocated} bits allocated", "BitsAllocated")
    if allocated is not None and stored is not None and not 0 < stored <= allocated:
        yield _pixel(f"{stored} bits stored of {allocated} allocated", "BitsStored")
    if stored is not None and high is not None and high != stored - 1:
        yield _pixel(f"high bit {high} for {stored} bits stored", "HighBit")
    if numbers["PixelRepresentation"] not in (None, 0, 1):
        yield _pixel("neither 0 nor 1", "PixelRepresentation")
    if (samples or 1) > 1 and "PlanarConfiguration" not in dataset:
        yield _pixel("needed for several samples per pixel", "PlanarConfiguration")
    if samples == 1 and "PlanarConfiguration" in dataset:
        yield _pixel("not for one sample per pixel", "PlanarConfiguration")
    if photometric == "PALETTE COLOR" and "RedPaletteColorLookupTableDescriptor" not in dataset:
        yield _pixel("PALETTE COLOR without its tables", "RedPaletteColorLookupTableDescriptor")
    if _PIXEL_DATA not in dataset:
        yield _pixel("no pixel data", "PixelData")
    elif pixel_bytes is not None and not _compressed(transfer_syntax_uid):
        yield from _length(dataset, photometric, numbers, pixel_bytes)


def _length(
    dataset: Dataset, photometric: str, numbers: dict[str, int | None], pixel_bytes: int
) -> Iterator[Violation]:
    rows, columns, samples, allocated = (
        numbers[name] for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    )
    if rows is None or columns is None or samples is None or allocated is None:
        return
    per_pixel = 2 if photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") else samples
    frames = whole(dataset, "NumberOfFrames") or 1
    length = math.ceil(rows * columns * per_pixel * frames * allocated / 8)
    if pixel_bytes != length + length % 2:
        detail = f"{pixel_bytes} bytes in place of {length + length % 2} for {frames} x {rows} x {columns} pixels"
        yield _pixel(detail, "PixelData")


def _said(dataset: Dataset) -> Iterator[Violation]:
    """Image Type, conversion, burned-in annotation, compression and window."""
    conversion = text(dataset, "ConversionType")
    if conversion and conversion not in _CONVERSIONS:
        yield Violation((), "PS3.3-C.8.6.1", f"{conversion[:16]!r} is no conversion type", "ConversionType")
    kinds = values(dataset, "ImageType")
    if kinds and (
        len(kinds) < 2 or kinds[0] not in ("ORIGINAL", "DERIVED") or kinds[1] not in ("PRIMARY", "SECONDARY")
    ):
        detail = "begins neither with ORIGINAL or DERIVED nor goes on with PRIMARY or SECONDARY"
        yield Violation((), "PS3.3-C.7.6.1.1.2", detail, "ImageType")
    burned = text(dataset, "BurnedInAnnotation")
    if burned and burned not in ("YES", "NO"):
        yield Violation((), "PS3.3-C.7.6.1", f"{burned[:16]!r} is neither YES nor NO", "BurnedInAnnotation")
    elif not burned:
        # type 3 in the single-frame IOD, but a receiver that hides names must know it (R0.379)
        required = text(dataset, "SOPClassUID") != SECONDARY_CAPTURE
        detail = "does not say whether text is burned into the pixels"
        yield Violation((), "PS3.3-C.7.6.1", detail, "BurnedInAnnotation", notice=not required)
    lossy = text(dataset, "LossyImageCompression")
    if lossy and lossy not in ("00", "01"):
        yield Violation((), "PS3.3-C.7.6.1", f"{lossy[:4]!r} is neither 00 nor 01", "LossyImageCompression")
    if lossy == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if not values(dataset, keyword):
                detail = f"{keyword} would say how lossy the pixels are"
                yield Violation((), "PS3.3-C.7.6.1.1.5", detail, keyword, notice=True)
    yield from check_window(dataset, "")
    shape = text(dataset, "PresentationLUTShape")
    if shape and shape not in ("IDENTITY", "INVERSE"):
        yield Violation((), "PS3.3-C.7.6.1", f"{shape[:16]!r} is neither IDENTITY nor INVERSE", "PresentationLUTShape")


def check_window(item: Dataset, where: str) -> Iterator[Violation]:
    """PS3.3 C.11.2: as many widths as centers, none below 1 for linear windows."""
    centers, widths = values(item, "WindowCenter"), values(item, "WindowWidth")
    if len(centers) != len(widths):
        detail = f"{len(centers)} centers and {len(widths)} widths"
        yield Violation((), "PS3.3-C.11.2", detail, where + "WindowWidth")
    lowest = 1.0 if text(item, "VOILUTFunction") in ("", "LINEAR") else 1e-30
    for width in widths:
        number = real(width)
        if number is None or not number >= lowest:
            yield Violation((), "PS3.3-C.11.2.1.2", "a window without width", where + "WindowWidth")


def _frames(dataset: Dataset) -> Iterator[Violation]:
    """PS3.3 C.8.6.3 and A.8.2 to A.8.5"""
    uid, frames = text(dataset, "SOPClassUID"), whole(dataset, "NumberOfFrames")
    if uid not in _MULTI_FRAME:
        if frames is not None and frames > 1:
            yield Violation((), "PS3.3-A.8.1", "several frames in a single-frame capture", "NumberOfFrames")
        return
    allocated, samples, photometrics = _MULTI_FRAME[uid]
    for keyword, wanted in (("BitsAllocated", allocated), ("SamplesPerPixel", samples)):
        found = whole(dataset, keyword)
        if found is not None and found != wanted:
            yield Violation((), "PS3.3-A.8", f"{keyword} is {found}, not {wanted}", keyword)
    if text(dataset, "PhotometricInterpretation") not in photometrics:
        detail = f"none of {', '.join(sorted(photometrics))}"
        yield Violation((), "PS3.3-A.8", detail, "PhotometricInterpretation")
    if frames is not None and frames < 1:
        yield Violation((), "PS3.3-C.7.6.6", "no frame", "NumberOfFrames")
    if frames is None or frames < 2:
        return
    pointers = values(dataset, "FrameIncrementPointer")
    if not pointers:
        detail = "several frames and nothing that tells them apart"
        yield Violation((), "PS3.3-C.8.6.3", detail, "FrameIncrementPointer")
    try:
        pointed = [Tag(part) for part in _tags(dataset)]
    except (ValueError, TypeError, OverflowError):
        pointed = []
    for tag in pointed:
        if tag not in dataset:
            yield Violation((), "PS3.3-C.7.6.6", "points at an attribute that is not there", "FrameIncrementPointer")


def _tags(dataset: Dataset) -> list[int]:
    value = dataset.get("FrameIncrementPointer")
    return [int(part) for part in (value if isinstance(value, list | tuple) or hasattr(value, "append") else [value])]


def whole(item: Dataset, keyword: str) -> int | None:
    """An attribute as a whole number, None when it is missing or none."""
    number = real(text(item, keyword))
    return int(number) if number is not None and number == int(number) and number >= 0 else None


def real(value: str) -> float | None:
    """A text as a finite number."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _compressed(transfer_syntax_uid: str) -> bool:
    try:
        return UID(transfer_syntax_uid).is_compressed
    except ValueError:
        return False


def _pixel(detail: str, keyword: str) -> Violation:
    return Violation((), "PS3.3-C.7.6.3", detail, keyword)


def check_compression(dataset: Dataset, transfer_syntax_uid: str) -> Iterator[Violation]:
    """Lossy pixels say so."""
    if transfer_syntax_uid in _LOSSY and text(dataset, "LossyImageCompression") != "01":
        detail = "the transfer syntax is lossy, Lossy Image Compression is not 01"
        yield Violation((), "PS3.3-C.7.6.1.1.5", detail, "LossyImageCompression")
