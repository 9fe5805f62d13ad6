"""Pictures of results: the windowed mammogram with what was found on it, hung as radiologists hang it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_grey import Grey, render_grey
from reread.analytics.pictures_marks import Palette, draw_finding, draw_outlines
from reread.analytics.pictures_overlay import Overlay, hung, overlay_of
from reread.analytics.pictures_text import BOLD, write
from reread.analytics.records import ImageHeader, ImageResult, Laterality, Mammogram, View

Picture = NDArray[np.uint8]
"""shape (rows, columns, 3), RGB"""

_AIR = (10, 12, 16)
_PAPER = (236, 238, 240)
_QUIET = (150, 158, 168)


def draw_marks(mammogram: Mammogram, result: ImageResult, *, height_px: int = 900) -> Picture:
    """Draw one image with outline, muscle edge, nipple and the marks of all operating points.

    A right breast is shown with its chest wall on the right, a left one with its chest wall on the left.

    Returns
    -------
    RGB, shape (`height_px`, width, 3), pixels square in millimetres.
    """
    grey = render_grey(mammogram, result, height_px=height_px)
    return marked(grey, overlay_of(result, hung(result, height_px)), result)


def marked(grey: Grey, overlay: Overlay, result: ImageResult) -> Picture:
    """A picture of `render_grey` with its marks and captions burned in.

    Returns
    -------
    RGB, shape (rows, columns, 3).
    """
    picture = burned_in(grey, overlay)
    _captions(picture, result)
    return picture


def burned_in(grey: Grey, overlay: Overlay) -> Picture:
    """A picture of `render_grey` with its marks, without captions: RGB, shape (rows, columns, 3)."""
    picture: Picture = np.repeat(grey[:, :, None], 3, axis=2)
    scale, palette = grey.shape[0] / 900, Palette()
    draw_outlines(picture, overlay, palette, scale=scale)
    for mark in reversed(overlay.marks):
        draw_finding(picture, mark, palette, scale=scale)
    return picture


def montage(pictures: Sequence[tuple[ImageHeader, Picture]], *, gap_px: int = 6) -> Picture:
    """Hang pictures of one study: R CC | L CC above R MLO | L MLO, further views below; chest walls meet.

    Raises
    ------
    ValueError
        There is no picture.
    """
    if not pictures:
        raise ValueError("no picture to hang")
    order = {View.CC: 0, View.MLO: 1}
    rows: dict[tuple[int, str, int], dict[Laterality, Picture]] = {}
    for header, picture in pictures:
        repeat = 0
        while header.laterality in rows.setdefault((order.get(header.view, 2), header.view.value, repeat), {}):
            repeat += 1
        rows[order.get(header.view, 2), header.view.value, repeat][header.laterality] = picture
    sides = (Laterality.RIGHT, Laterality.LEFT)
    widths = [max((row[side].shape[1] for row in rows.values() if side in row), default=0) for side in sides]
    widths = [width or max(widths) for width in widths]
    strips = []
    for key in sorted(rows):
        height = max(picture.shape[0] for picture in rows[key].values())
        strip = np.full((height, sum(widths) + gap_px, 3), _AIR, dtype=np.uint8)
        for side, width in zip(sides, widths, strict=True):
            if side not in rows[key]:
                continue
            picture = rows[key][side]
            # both chest walls at the middle
            left = width - picture.shape[1] if side is Laterality.RIGHT else widths[0] + gap_px
            strip[: picture.shape[0], left : left + picture.shape[1]] = picture
        strips += [strip, np.full((gap_px, strip.shape[1], 3), _AIR, dtype=np.uint8)]
    return np.concatenate(strips[:-1])


def _captions(picture: Picture, result: ImageResult) -> None:
    """View and density in the lower outer corner: the film's own letters stand in the upper one."""
    right = result.header.laterality is Laterality.LEFT
    x = picture.shape[1] - 14 if right else 14
    align = "right" if right else "left"
    size = max(12, picture.shape[0] // 46)
    foot = picture.shape[0] - 14
    words = ""
    if result.density is not None:
        words = f"density {result.density.percent_density:.0f} %  ({result.density.category})"
    if result.failure is not None:
        words = f"not measured: {result.failure.value}"
    if words:
        write(picture, words, x, foot, size_px=size, colour=_QUIET, align=align, seam=_AIR)
    view = f"{result.header.laterality} {result.header.view}"
    write(picture, view, x, foot - size - 10, size_px=size + 10, colour=_PAPER, weight=BOLD, align=align, seam=_AIR)
