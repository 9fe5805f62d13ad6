"""Frames of a cine: each view without and with its marks, then what is known of the woman's density over the years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures import marked
from reread.analytics.pictures_grey import render_grey
from reread.analytics.pictures_overlay import hung, overlay_of
from reread.analytics.pictures_text import BOLD, write
from reread.analytics.records import ImageResult, Mammogram, StudyResult, View
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.results.page_language import Words

Frame = NDArray[np.uint8]
"""shape (rows, columns, 3), RGB"""
HEIGHT_PX = 720
"""a preview: eight frames of four views stay below 10 MB"""
_AIR, _PAPER, _QUIET, _LINE = (10, 12, 16), (236, 238, 240), (150, 158, 168), (92, 178, 190)
_ORDER = {View.CC: 0, View.MLO: 1}


def in_hanging_order(images: Sequence[ImageResult]) -> list[ImageResult]:
    """CC before MLO before the others, right before left."""
    return sorted(
        images,
        key=lambda item: (
            _ORDER.get(item.header.view, 2),
            item.header.view.value,
            item.header.laterality.value != "R",
        ),
    )


def view_frames(mammogram: Mammogram, image: ImageResult, height_px: int = HEIGHT_PX) -> tuple[Frame, Frame]:
    """The view as it is, and the same picture with its marks: nothing else moves from one to the other."""
    grey = render_grey(mammogram, image, height_px=height_px)
    plain: Frame = np.repeat(grey[:, :, None], 3, axis=2)
    return plain, marked(grey, overlay_of(image, hung(image, height_px)), image)


def history_frame(
    result: StudyResult, earlier: Sequence[EarlierDensity], height_px: int, width_px: int, said: Words
) -> Frame | None:
    """Percent density by date, the examination at hand last; None when there is no earlier one or no density now.

    Every examination has a bar of its own length and its number, so that the frame reads without colour.
    """
    if not earlier or result.density is None:
        return None
    rows = [(item.study_date, item.percent_density, item.category) for item in earlier]
    rows.append((result.study_date, result.density.percent_density, result.density.category))
    frame = np.full((height_px, width_px, 3), _AIR, dtype=np.uint8)
    size = max(10, width_px // 28)
    rows = rows[-_most(height_px, size) :]
    step = min(4 * size, (height_px - 4 * size) // len(rows))
    write(frame, said.density, size, 2 * size, size_px=size + 4, colour=_PAPER, weight=BOLD)
    for place, (day, percent, category) in enumerate(rows):
        foot = 4 * size + place * step
        colour = _PAPER if place == len(rows) - 1 else _QUIET
        words = f"{said.number(percent)} % ({category})"
        write(frame, _date(day, said), size, foot, size_px=size, colour=colour)
        write(frame, words, width_px - size, foot, size_px=size, colour=colour, align="right")
        length = round((width_px - 2 * size) * min(max(percent, 0.0), 100.0) / 100)
        bar = foot + size // 2
        frame[bar : bar + max(2, size // 4), size : size + max(1, length)] = _LINE
    return frame


def _most(height_px: int, size: int) -> int:
    """How many examinations fit; the latest ones are shown."""
    return max(1, (height_px - 4 * size) // (2 * size))


def _date(day: str, said: Words) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 and day.isdigit() else said.no_date


def stacked(frames: Iterator[Frame] | Sequence[Frame]) -> NDArray[np.uint8]:
    """All frames in the middle of one canvas, shape (frames, rows, columns, 3), with an even number of columns.

    Raises
    ------
    ValueError
        There is no frame.
    """
    pictures = list(frames)
    if not pictures:
        raise ValueError("a cine needs at least one frame")
    rows = max(item.shape[0] for item in pictures)
    columns = max(item.shape[1] for item in pictures)
    columns += columns % 2
    cine = np.empty((len(pictures), rows, columns, 3), dtype=np.uint8)
    cine[:] = _AIR
    for place, picture in enumerate(pictures):
        top, left = (rows - picture.shape[0]) // 2, (columns - picture.shape[1]) // 2
        cine[place, top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return cine
