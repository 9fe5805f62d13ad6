"""Text and graphics of a presentation state (PS3.3 C.10.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.capture_checking import real, whole
from reread.connectors.reports.tree_checking import sequence
from reread.connectors.reports.violations import ImageFacts, Violation

_UNITS = ("PIXEL", "DISPLAY", "MATRIX")
_POINTS = {"POINT": (1, 1), "POLYLINE": (2, None), "INTERPOLATED": (2, None), "CIRCLE": (2, 2), "ELLIPSE": (4, 4)}
_RULE = "PS3.3-C.10.5"

Numbers = list[float]


def check_annotations(
    dataset: Dataset, shown: Mapping[str, str], images: Mapping[str, ImageFacts]
) -> Iterator[Violation]:
    """Every annotation has a layer, something to show, and points within what its units allow.

    Parameters
    ----------
    shown
        SOP Instance UIDs of the images that the state is for.
    """
    for place, item in enumerate(sequence(dataset, "GraphicAnnotationSequence"), start=1):
        where = f"GraphicAnnotationSequence[{place}]."
        named = [text(image, "ReferencedSOPInstanceUID") for image in sequence(item, "ReferencedImageSequence")]
        for uid in named:
            if uid not in shown:
                detail = "an image that the state is not for"
                yield Violation((), _RULE, detail, where + "ReferencedImageSequence")
        facts = [images[uid] for uid in named or shown if uid in images]
        texts, graphics = sequence(item, "TextObjectSequence"), sequence(item, "GraphicObjectSequence")
        compounds = sequence(item, "CompoundGraphicSequence")
        if not texts and not graphics and not compounds:
            yield Violation((), _RULE, "an annotation without text and graphics", where + "GraphicObjectSequence")
        for number, found in enumerate(texts, start=1):
            yield from _text(found, f"{where}TextObjectSequence[{number}].", facts)
        for number, found in enumerate(graphics, start=1):
            yield from _graphic(found, f"{where}GraphicObjectSequence[{number}].", facts)


def _text(item: Dataset, where: str, facts: list[ImageFacts]) -> Iterator[Violation]:
    """A bounding box, an anchor point, or both, each with its units."""
    first = _pair(item, "BoundingBoxTopLeftHandCorner")
    last = _pair(item, "BoundingBoxBottomRightHandCorner")
    anchor = _pair(item, "AnchorPoint")
    if first is None and last is None and anchor is None:
        yield Violation((), _RULE, "text without bounding box and anchor point", where + "AnchorPoint")
    if (first is None) != (last is None):
        yield Violation((), _RULE, "one corner of a bounding box", where + "BoundingBoxBottomRightHandCorner")
    if first is not None or last is not None:
        yield from _units(item, "BoundingBoxAnnotationUnits", where)
        justified = text(item, "BoundingBoxTextHorizontalJustification")
        if justified not in ("LEFT", "RIGHT", "CENTER"):
            detail = "none of LEFT, RIGHT, CENTER, type 1C with a bounding box"
            yield Violation((), _RULE, detail, where + "BoundingBoxTextHorizontalJustification")
    units = text(item, "BoundingBoxAnnotationUnits")
    for keyword, corner in (("BoundingBoxTopLeftHandCorner", first), ("BoundingBoxBottomRightHandCorner", last)):
        if corner is not None:
            yield from _within(corner, units, where + keyword, facts)
    if first and last and len(first) == len(last) == 2 and not (first[0] < last[0] and first[1] < last[1]):
        detail = "the bottom right corner is not right of and below the top left one"
        # in the pixels of an image that is shown turned or flipped the corners change places
        yield Violation((), _RULE, detail, where + "BoundingBoxBottomRightHandCorner", notice=units == "PIXEL")
    if anchor is not None:
        yield from _units(item, "AnchorPointAnnotationUnits", where)
        if text(item, "AnchorPointVisibility") not in ("Y", "N"):
            detail = "neither Y nor N, type 1C with an anchor point"
            yield Violation((), _RULE, detail, where + "AnchorPointVisibility")
        yield from _within(anchor, text(item, "AnchorPointAnnotationUnits"), where + "AnchorPoint", facts)


def _graphic(item: Dataset, where: str, facts: list[ImageFacts]) -> Iterator[Violation]:
    yield from _units(item, "GraphicAnnotationUnits", where)
    kind = text(item, "GraphicType")
    if kind and kind not in _POINTS:
        yield Violation((), _RULE, f"{kind[:16]!r} is no graphic type", where + "GraphicType")
    if text(item, "GraphicDimensions") not in ("", "2"):
        yield Violation((), _RULE, "not 2", where + "GraphicDimensions")
    data = _numbers(item, "GraphicData")
    if data is None:
        return
    count = whole(item, "NumberOfGraphicPoints")
    if count is not None and len(data) != 2 * count:
        detail = f"{len(data)} values for {count} points"
        yield Violation((), _RULE, detail, where + "GraphicData")
    least, most = _POINTS.get(kind, (1, None))
    points = len(data) // 2
    if points < least or (most is not None and points > most):
        yield Violation((), _RULE, f"{kind} of {points} points", where + "GraphicData")
    closed = kind in ("CIRCLE", "ELLIPSE") or (
        kind in ("POLYLINE", "INTERPOLATED") and points > 2 and data[:2] == data[-2:]
    )
    filled = text(item, "GraphicFilled")
    if closed and filled not in ("Y", "N"):
        yield Violation((), _RULE, "neither Y nor N, type 1C for a closed graphic", where + "GraphicFilled")
    yield from _within(data, text(item, "GraphicAnnotationUnits"), where + "GraphicData", facts)


def _units(item: Dataset, keyword: str, where: str) -> Iterator[Violation]:
    units = text(item, keyword)
    if units not in _UNITS:
        said = f"{units[:16]!r}" if units else "missing:"
        yield Violation((), _RULE, f"{said} none of {', '.join(_UNITS)}", where + keyword)


def _within(data: Numbers, units: str, where: str, facts: list[ImageFacts]) -> Iterator[Violation]:
    """DISPLAY is 0 to 1 of the displayed area; PIXEL is 0 to columns and 0 to rows of the image (C.10.5.1.2)."""
    xs, ys = data[::2], data[1::2]
    if units == "DISPLAY" and any(not 0 <= value <= 1 for value in data):
        yield Violation((), "PS3.3-C.10.5.1.2", "outside 0 to 1 of the displayed area", where)
    if units != "PIXEL":
        return
    for image in facts:
        if image.rows and image.columns:
            # a float of 32 bits does not hit the border exactly
            inside = all(-0.01 <= x <= image.columns + 0.01 for x in xs) and all(
                -0.01 <= y <= image.rows + 0.01 for y in ys
            )
            if not inside:
                detail = f"outside the image of {image.columns} columns and {image.rows} rows"
                yield Violation((), "PS3.3-C.10.5.1.2", detail, where)
                return


def _numbers(item: Dataset, keyword: str) -> Numbers | None:
    """None when the attribute is missing or empty; what is no number becomes -1, which lies outside everything."""
    found = values(item, keyword)
    if not found:
        return None
    numbers = [real(part) for part in found]
    return [-1.0 if number is None else number for number in numbers]


def _pair(item: Dataset, keyword: str) -> Numbers | None:
    return _numbers(item, keyword)
