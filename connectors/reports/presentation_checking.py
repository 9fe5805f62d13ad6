"""Rules of a Grayscale Softcopy Presentation State beside its attributes (PS3.3 A.33.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.capture_checking import check_window, real
from reread.connectors.reports.presentation_graphics import check_annotations
from reread.connectors.reports.tree_checking import sequence
from reread.connectors.reports.violations import ImageFacts, Violation

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
_SIZE_MODES = ("SCALE TO FIT", "TRUE SIZE", "MAGNIFY")
_CORNERS = ("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner")


def check_presentation(dataset: Dataset, images: Mapping[str, ImageFacts]) -> Iterator[Violation]:
    """Check a GSPS.

    Parameters
    ----------
    images
        By SOP Instance UID; areas and graphics are held against their size.
    """
    if text(dataset, "Modality") != "PR":
        yield Violation((), "PS3.3-C.11.9", "Modality is not PR", "Modality")
    shown = _referenced(dataset)
    if not shown:
        yield Violation((), "PS3.3-C.11.11", "refers to no image", "ReferencedSeriesSequence")
    for uid, sop_class_uid in shown.items():
        facts = images.get(uid)
        if facts is not None and facts.sop_class_uid != sop_class_uid:
            yield Violation((), "PS3.3-C.11.11", "another SOP class than the image has", "ReferencedSeriesSequence")
    yield from _areas(dataset, shown, images)
    yield from check_annotations(dataset, shown, images)
    yield from _layers(dataset)
    yield from _transformation(dataset)
    yield from _grey(dataset, shown)


def _referenced(dataset: Dataset) -> dict[str, str]:
    """SOP Instance UID → SOP Class UID of the images that the state is for."""
    return {
        text(image, "ReferencedSOPInstanceUID"): text(image, "ReferencedSOPClassUID")
        for series in sequence(dataset, "ReferencedSeriesSequence")
        for image in sequence(series, "ReferencedImageSequence")
    }


def named_images(item: Dataset) -> list[str]:
    """SOP Instance UIDs of the Referenced Image Sequence of an item; () means all images of the state."""
    return [text(image, "ReferencedSOPInstanceUID") for image in sequence(item, "ReferencedImageSequence")]


def _areas(dataset: Dataset, shown: Mapping[str, str], images: Mapping[str, ImageFacts]) -> Iterator[Violation]:
    """PS3.3 C.10.4, Displayed Area Module."""
    rule, covered = "PS3.3-C.10.4", set()
    for place, item in enumerate(sequence(dataset, "DisplayedAreaSelectionSequence"), start=1):
        where = f"DisplayedAreaSelectionSequence[{place}]."
        named = named_images(item)
        covered |= set(named or shown)
        for uid in named:
            if uid not in shown:
                yield Violation((), rule, "an image that the state is not for", where + "ReferencedImageSequence")
        mode = text(item, "PresentationSizeMode")
        if mode and mode not in _SIZE_MODES:
            yield Violation((), rule, f"{mode[:16]!r} is no size mode", where + "PresentationSizeMode")
        spacing, ratio = values(item, "PresentationPixelSpacing"), values(item, "PresentationPixelAspectRatio")
        if not spacing and not ratio:
            detail = "neither spacing nor aspect ratio of the pixels"
            yield Violation((), rule, detail, where + "PresentationPixelAspectRatio")
        if mode == "TRUE SIZE" and not spacing:
            yield Violation((), rule, "true size needs the spacing", where + "PresentationPixelSpacing")
        if mode == "MAGNIFY" and not text(item, "PresentationPixelMagnificationRatio"):
            yield Violation((), rule, "missing for MAGNIFY", where + "PresentationPixelMagnificationRatio")
        if any((real(part) or 0) <= 0 for part in spacing):
            yield Violation((), rule, "a spacing that is not above 0", where + "PresentationPixelSpacing")
        yield from _corners(item, where, [images[uid] for uid in named or shown if uid in images])
    for _ in set(shown) - covered:
        yield Violation((), rule, "an image without displayed area", "DisplayedAreaSelectionSequence")


def _corners(item: Dataset, where: str, facts: list[ImageFacts]) -> Iterator[Violation]:
    """The area has a size and, in SCALE TO FIT, shows something of the image; the top left pixel is 1\\1."""
    first, last = ([real(part) for part in values(item, keyword)] for keyword in _CORNERS)
    for keyword, corner in zip(_CORNERS, (first, last), strict=True):
        if corner and (len(corner) != 2 or None in corner):
            yield Violation((), "PS3.3-C.10.4", "not two whole numbers", where + keyword)
            return
    if len(first) != 2 or len(last) != 2:
        return
    (left, top), (right, bottom) = first, last
    if left is None or top is None or right is None or bottom is None:
        return
    for image in facts:
        if image.rows and (left > image.columns or top > image.rows or right < 1 or bottom < 1):
            yield Violation((), "PS3.3-C.10.4", "the area lies beside the image", where + _CORNERS[0])
    if not facts and right < left and bottom < top and not text(item, "ImageRotation"):
        yield Violation((), "PS3.3-C.10.4", "the corners are exchanged", where + _CORNERS[1], notice=True)


def _layers(dataset: Dataset) -> Iterator[Violation]:
    """PS3.3 C.10.7, Graphic Layer Module: every layer that is used is there, once."""
    layers = sequence(dataset, "GraphicLayerSequence")
    names = [text(layer, "GraphicLayer") for layer in layers]
    orders = [text(layer, "GraphicLayerOrder") for layer in layers]
    if len(set(names)) < len(names):
        yield Violation((), "PS3.3-C.10.7", "two layers of one name", "GraphicLayerSequence")
    if len(set(orders)) < len(orders):
        yield Violation((), "PS3.3-C.10.7", "two layers of one order", "GraphicLayerSequence", notice=True)
    for place, layer in enumerate(layers, start=1):
        for keyword, count in (
            ("GraphicLayerRecommendedDisplayGrayscaleValue", 1),
            ("GraphicLayerRecommendedDisplayCIELabValue", 3),
        ):
            found = values(layer, keyword)
            if found and (len(found) != count or any(not 0 <= (real(part) or 0) <= 65535 for part in found)):
                where = f"GraphicLayerSequence[{place}].{keyword}"
                yield Violation((), "PS3.3-C.10.7", f"not {count} values from 0 to 65535", where)
    for place, item in enumerate(sequence(dataset, "GraphicAnnotationSequence"), start=1):
        name = text(item, "GraphicLayer")
        if name and name not in names:
            where = f"GraphicAnnotationSequence[{place}].GraphicLayer"
            yield Violation((), "PS3.3-C.10.7", "a layer that the state does not define", where)


def _transformation(dataset: Dataset) -> Iterator[Violation]:
    """PS3.3 C.10.6, Spatial Transformation Module."""
    rotation, flip = text(dataset, "ImageRotation"), text(dataset, "ImageHorizontalFlip")
    if rotation and rotation not in ("0", "90", "180", "270"):
        yield Violation((), "PS3.3-C.10.6", "none of 0, 90, 180, 270", "ImageRotation")
    if flip and flip not in ("Y", "N"):
        yield Violation((), "PS3.3-C.10.6", "neither Y nor N", "ImageHorizontalFlip")
    if bool(rotation) != bool(flip):
        yield Violation((), "PS3.3-C.10.6", "rotation and flip go together", "ImageRotation")


def _grey(dataset: Dataset, shown: Mapping[str, str]) -> Iterator[Violation]:
    """Modality LUT (C.11.1), Softcopy VOI LUT (C.11.8) and Softcopy Presentation LUT (C.11.6)."""
    slope, intercept = text(dataset, "RescaleSlope"), text(dataset, "RescaleIntercept")
    if bool(slope) != bool(intercept):
        yield Violation((), "PS3.3-C.11.1", "slope and intercept go together", "RescaleIntercept")
    if slope and not text(dataset, "RescaleType"):
        yield Violation((), "PS3.3-C.11.1", "RescaleType is missing, type 1C with an intercept", "RescaleType")
    if slope and (real(slope) or 0) == 0:
        yield Violation((), "PS3.3-C.11.1", "a slope of 0", "RescaleSlope")
    if slope and sequence(dataset, "ModalityLUTSequence"):
        yield Violation((), "PS3.3-C.11.1", "both a table and slope and intercept", "ModalityLUTSequence")
    for place, item in enumerate(sequence(dataset, "SoftcopyVOILUTSequence"), start=1):
        where = f"SoftcopyVOILUTSequence[{place}]."
        tables = sequence(item, "VOILUTSequence")
        if not tables and not values(item, "WindowCenter"):
            yield Violation((), "PS3.3-C.11.8", "neither a window nor a table", where + "WindowCenter")
        yield from check_window(item, where)
        for uid in named_images(item):
            if uid not in shown:
                detail = "an image that the state is not for"
                yield Violation((), "PS3.3-C.11.8", detail, where + "ReferencedImageSequence")
        for table in tables:
            yield from _table(table, where)
    shape, tables = text(dataset, "PresentationLUTShape"), sequence(dataset, "PresentationLUTSequence")
    if shape and shape not in ("IDENTITY", "INVERSE"):
        yield Violation((), "PS3.3-C.11.6", "neither IDENTITY nor INVERSE", "PresentationLUTShape")
    if bool(shape) == bool(tables):
        detail = "one of shape and table is needed" if not shape else "both shape and table"
        yield Violation((), "PS3.3-C.11.6", detail, "PresentationLUTShape")


def _table(table: Dataset, where: str) -> Iterator[Violation]:
    """A LUT has as many entries as its descriptor says (PS3.3 C.11.2.1.1)."""
    descriptor = [real(part) for part in values(table, "LUTDescriptor")]
    if len(descriptor) != 3 or None in descriptor:
        yield Violation((), "PS3.3-C.11.2.1.1", "not three values", where + "VOILUTSequence.LUTDescriptor")
        return
    entries = int(descriptor[0] or 65536)
    data = table.get("LUTData")
    found = len(data) // 2 if isinstance(data, bytes) else len(values(table, "LUTData"))
    if found and found != entries:
        detail = f"{found} entries, the descriptor says {entries}"
        yield Violation((), "PS3.3-C.11.2.1.1", detail, where + "VOILUTSequence.LUTData")
