"""A Grayscale Softcopy Presentation State over its image: shown area, turn, graphics and text (PS3.3 A.33.1).

Shutters, compound graphics and masks are left out, and `left_out` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from scipy.interpolate import PchipInterpolator

from reread.connectors.mammogram_header import text, values
from reread.connectors.renderings.canvas import Canvas, Colour, Hanging, Points, round_shape

_LINES = 1.3
"""from line to line, in heights of a letter"""
_PLAIN: Colour = (255, 255, 255)


def images_of(state: Dataset) -> tuple[str, ...]:
    """SOP Instance UIDs of the images that a state is for (PS3.3 C.11.11)."""
    return tuple(
        text(image, "ReferencedSOPInstanceUID")
        for series in state.get("ReferencedSeriesSequence") or []
        for image in series.get("ReferencedImageSequence") or []
    )


def hanging(state: Dataset, image: Dataset, rows: int, columns: int) -> Hanging:
    """Shown part and turn of one image; the whole image upright where a state does not say."""
    area = _for_image(state.get("DisplayedAreaSelectionSequence") or [], image)
    first, last = (1.0, 1.0), (float(columns), float(rows))
    if area is not None:
        first = _pair(area, "DisplayedAreaTopLeftHandCorner") or first
        last = _pair(area, "DisplayedAreaBottomRightHandCorner") or last
    # the corners are those of the turned image: in the pixels of the image they may stand the other way round
    (left, right), (top, bottom) = (sorted((int(a), int(b))) for a, b in zip(first, last, strict=True))
    reach = 4 * max(rows, columns)
    turn = (values(state, "ImageRotation") or ("0",))[0]
    return Hanging(
        max(left - 1, -reach),
        max(top - 1, -reach),
        min(right, columns + reach),
        min(bottom, rows + reach),
        quarter_turns=round(float(turn) / 90) % 4,
        mirrored=text(state, "ImageHorizontalFlip").upper() == "Y",
        aspect=pixel_aspect(area if area is not None else image),
    )


def pixel_aspect(item: Dataset) -> float:
    """Width of a pixel as a part of its height; 1 where nothing is said."""
    for keyword in (
        "PresentationPixelSpacing",
        "PresentationPixelAspectRatio",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "PixelAspectRatio",
    ):
        pair = _pair(item, keyword)
        if pair is not None and min(pair) > 0:
            return float(np.clip(pair[1] / pair[0], 0.1, 10.0))
    return 1.0


def draw(canvas: Canvas, state: Dataset, image: Dataset, where: Hanging) -> None:
    """Draw graphics and texts of all layers for one image, the lowest layer first."""
    layers = {
        text(item, "GraphicLayer"): (_number(item, "GraphicLayerOrder", 0.0), _shade(item))
        for item in state.get("GraphicLayerSequence") or []
    }
    annotations = [item for item in state.get("GraphicAnnotationSequence") or [] if _names(item, image)]
    for item in sorted(annotations, key=lambda found: layers.get(text(found, "GraphicLayer"), (0.0, _PLAIN))[0]):
        colour = layers.get(text(item, "GraphicLayer"), (0.0, _PLAIN))[1]
        for graphic in item.get("GraphicObjectSequence") or []:
            _graphic(canvas, graphic, where, colour)
        for words in item.get("TextObjectSequence") or []:
            _text(canvas, words, where, colour)


def left_out(state: Dataset) -> tuple[str, ...]:
    """What a state asks for that is not drawn."""
    asked = {
        "ShutterShape": "shutter",
        "MaskSubtractionSequence": "mask",
        "OverlayActivationLayer": "overlay layers",
    }
    found = [name for keyword, name in asked.items() if keyword in state]
    annotations = state.get("GraphicAnnotationSequence") or []
    if any(item.get("CompoundGraphicSequence") for item in annotations):
        found.append("compound graphics")
    return tuple(found)


def _graphic(canvas: Canvas, item: Dataset, where: Hanging, colour: Colour) -> None:
    flat = [float(value) for value in values(item, "GraphicData")]
    points = np.array(flat[: len(flat) // 2 * 2]).reshape(-1, 2)
    if not len(points):
        return
    placed = _placed(points, text(item, "GraphicAnnotationUnits"), where, canvas)
    kind, filled = text(item, "GraphicType").upper(), text(item, "GraphicFilled").upper() == "Y"
    if kind == "POINT":
        canvas.cross(placed[0, 0], placed[0, 1], colour)
    elif (outline := round_shape(kind, placed)) is not None:
        canvas.line(outline, colour, closed=True, filled=filled)
    elif kind == "INTERPOLATED" and len(placed) > 2:
        way = np.arange(len(placed))
        fine = np.linspace(0, len(placed) - 1, 16 * len(placed))
        canvas.line(np.asarray(PchipInterpolator(way, placed)(fine)), colour, filled=filled)
    else:
        canvas.line(placed, colour, filled=filled)


def _text(canvas: Canvas, item: Dataset, where: Hanging, colour: Colour) -> None:
    lines = [line for line in text(item, "UnformattedTextValue").replace("\r\n", "\n").split("\n") if line.strip()]
    size = canvas.letter_px
    anchor = _pair(item, "AnchorPoint")
    spot = None
    if anchor is not None:
        spot = _placed(np.array([anchor]), text(item, "AnchorPointAnnotationUnits"), where, canvas)[0]
    first, last = _pair(item, "BoundingBoxTopLeftHandCorner"), _pair(item, "BoundingBoxBottomRightHandCorner")
    if first is not None and last is not None:
        corners = _placed(np.array([first, last]), text(item, "BoundingBoxAnnotationUnits"), where, canvas)
        left, top = corners.min(axis=0)
        size = int(np.clip(abs(corners[1, 1] - corners[0, 1]) / max(len(lines), 1) / _LINES, 8, 3 * size))
        if spot is not None and text(item, "AnchorPointVisibility").upper() == "Y":
            canvas.line(np.array([spot, corners.mean(axis=0)]), colour)
    elif spot is not None:
        left, top = spot
    else:
        return
    for place, line in enumerate(lines):
        canvas.words(line, left, top + (place + 1) * size * _LINES, colour, size_px=size)


def _placed(points: Points, units: str, where: Hanging, canvas: Canvas) -> Points:
    """PIXEL counts from the corner of the first pixel, DISPLAY is a part of what is shown (PS3.3 C.10.5.1.1)."""
    if units.upper() == "DISPLAY":
        return points * (canvas.width_px, canvas.height_px)
    return where.place(points, canvas.height_px)


def _names(annotation: Dataset, image: Dataset) -> bool:
    """Whether an annotation is for this image; without references it is for all of the state."""
    return _for_image([annotation], image) is not None


def _for_image(items: Sequence[Dataset], image: Dataset) -> Dataset | None:
    uid = text(image, "SOPInstanceUID")
    for item in items:
        named = [text(found, "ReferencedSOPInstanceUID") for found in item.get("ReferencedImageSequence") or []]
        if not named or uid in named:
            return item
    return None


def _shade(layer: Dataset) -> Colour:
    """The recommended P-value as a grey; white where none is given, and never darker than tissue."""
    grey = round(_number(layer, "GraphicLayerRecommendedDisplayGrayscaleValue", 65535.0) / 257)
    return (grey, grey, grey)


def _number(item: Dataset, keyword: str, default: float) -> float:
    found = values(item, keyword)
    return float(found[0]) if found else default


def _pair(item: Dataset, keyword: str) -> tuple[float, float] | None:
    found = values(item, keyword)
    return (float(found[0]), float(found[1])) if len(found) == 2 else None
