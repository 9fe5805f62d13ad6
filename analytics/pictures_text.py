"""Text on pictures, with the type that OpenCV 5 carries: Latin, Greek, Cyrillic, Chinese, Japanese, Korean.

What the type has no glyph for is drawn as a question mark, and scripts that are written from right to left or with
joined letters (Arabic, Hebrew, Indic) are drawn letter by letter in the order of the text: `unwritable` tells them
beforehand.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
"""shape (rows, columns, 3), RGB, or (rows, columns), grey"""
Colour = tuple[int, int, int]

REGULAR, MEDIUM, BOLD = 400, 500, 650


@cache
def _face() -> Any:
    return cv2.FontFace("sans")


@cache
def text_width(text: str, size_px: int, weight: int = REGULAR) -> int:
    """Width in pixels."""
    return _end(text, size_px, weight)


def _end(text: str, size_px: int, weight: int) -> int:
    # the pen's way, blanks at the end included: getTextSize measures the ink alone
    (x, _), _ = cv2.putText(np.zeros((1, 1), np.uint8), text, (0, -2 * size_px), (0, 0, 0), _face(), size_px, weight)
    return int(x)


def write(
    canvas: Canvas,
    text: str,
    x: float,
    y: float,
    *,
    size_px: int,
    colour: Colour,
    weight: int = REGULAR,
    align: str = "left",
    seam: Colour | None = None,
) -> int:
    """Write one line with its base line at y, in place; return the width in pixels.

    Parameters
    ----------
    size_px
        Height of a capital letter with its accent, about 1.4 times that of the capital alone.
    align
        "left", "right" or "centre": what of the text stands at x.
    seam
        Colour of a seam that sets the text off from a picture.
    """
    width = text_width(text, size_px, weight)
    left = round(x - {"left": 0.0, "centre": width / 2, "right": float(width)}[align])
    base = round(y)
    if seam is not None:
        wide = max(1, round(size_px / 12))
        for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, 0), (1, 0), (0, -1), (0, 1)):
            _put(canvas, text, left + dx * wide, base + dy * wide, size_px, seam, weight)
    _put(canvas, text, left, base, size_px, colour, weight)
    return width


def _put(canvas: Canvas, text: str, x: int, y: int, size_px: int, colour: Colour, weight: int) -> None:
    # the text would go on in the next line at the right border unless the range is as wide as it likes
    cv2.putText(canvas, text, (x, y), colour, _face(), size_px, weight, cv2.PUT_TEXT_ALIGN_LEFT, (-100000, 100000))


def wrapped(text: str, width_px: int, size_px: int, weight: int = REGULAR) -> tuple[str, ...]:
    """The text in lines that are no wider than `width_px`; a longer word is broken."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and text_width((line + piece).rstrip(), size_px, weight) > width_px:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
        while text_width(line.rstrip(), size_px, weight) > width_px and len(line) > 1:
            fits = next(
                (n for n in range(len(line) - 1, 0, -1) if text_width(line[:n], size_px, weight) <= width_px), 1
            )
            lines.append(line[:fits])
            line = line[fits:]
    return (*lines, line.rstrip()) if line.strip() or not lines else tuple(lines)


def _pieces(text: str) -> list[str]:
    """Where a line may end: after a blank, and around every East Asian letter."""
    pieces = [""]
    for letter in text:
        wide = unicodedata.east_asian_width(letter) in ("W", "F")
        pieces[-1] += letter
        if letter == " " or wide:
            pieces.append("")
    return [piece for piece in pieces if piece]


_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_JOINED = ("DEVANAGARI", "BENGALI", "TAMIL", "TELUGU", "THAI", "KHMER", "SINHALA", "GUJARATI", "MYANMAR", "TIBETAN")


def unwritable(text: str) -> str:
    """The letters of a text that cannot be drawn as they should be; "" when all can."""
    return "".join(dict.fromkeys(letter for letter in text if not _writable(letter)))


@cache
def _writable(letter: str) -> bool:
    if letter == " ":
        return True
    if unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT or unicodedata.name(letter, "").startswith(_JOINED):
        return False
    return letter == "?" or not np.array_equal(_drawn(letter), _drawn("?"))


def _drawn(letter: str) -> Canvas:
    canvas = np.zeros((40, 60), np.uint8)
    _put(canvas, letter, 4, 30, 24, (255, 255, 255), REGULAR)
    return canvas
