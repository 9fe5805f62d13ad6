"""Marks burned into a picture: they differ by shape and line, not by colour alone.

An ellipse is a mass, dashed for an asymmetry, with rays for an architectural distortion; a rectangle is a cluster of
calcifications (R1.288). The more specific the operating point, the heavier the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_overlay import Mark, Overlay
from reread.analytics.pictures_text import Canvas, Colour
from reread.analytics.records import FindingKind, Nature

_SHIFT = 4  # fractional bits of the coordinates that cv2 gets
_LINE = {0: 3.0, 1: 2.0, 2: 1.0}


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of what is drawn; on a grey canvas the first number of each counts."""

    seam: Colour = (10, 12, 16)
    skin: Colour = (92, 178, 190)
    muscle: Colour = (222, 158, 84)
    nipple: Colour = (236, 238, 240)
    mass: Colour = (255, 214, 64)
    calcification: Colour = (255, 110, 180)

    def mark(self, kind: FindingKind) -> Colour:
        """Of a kind of finding."""
        return self.mass if kind is FindingKind.MASS else self.calcification


GREYS = Palette((0,) * 3, (120,) * 3, (120,) * 3, (235,) * 3, (255,) * 3, (255,) * 3)
"""for a grey picture: the shapes alone tell the kinds"""


def draw_outlines(canvas: Canvas, overlay: Overlay, palette: Palette, *, scale: float = 1.0) -> None:
    """Skin line, edge of the muscle (dashed) and nipple, in place.

    Parameters
    ----------
    scale
        Width of the lines; 1 suits a picture of about 1000 pixels.
    """
    lines = canvas.copy()
    thick = max(1, round(1.2 * scale))
    _open_line(lines, np.array(overlay.skin), palette.skin, thick)
    _open_line(lines, np.array(overlay.muscle), palette.muscle, thick, dash=9.0 * scale)
    cv2.addWeighted(lines, 0.7, canvas, 0.3, 0, dst=canvas)
    if overlay.nipple is not None:
        _cross(canvas, *overlay.nipple, palette, scale, seen=overlay.nipple_seen)


def draw_finding(canvas: Canvas, mark: Mark, palette: Palette, *, scale: float = 1.0) -> None:
    """One mark, on a dark seam so that it stands out on dense tissue, in place."""
    line = max(1, round(_LINE.get(mark.operating_point, 1.0) * scale))
    seam = 2 * max(1, round(scale))
    strokes = mark_strokes(mark, scale)
    for colour, thick in ((palette.seam, line + seam), (palette.mark(mark.kind), line)):
        for stroke in strokes:
            cv2.polylines(canvas, [_fixed(stroke)], False, colour, thick, cv2.LINE_AA, _SHIFT)


def mark_strokes(mark: Mark, scale: float = 1.0) -> tuple[NDArray[np.float64], ...]:
    """The lines of a mark, each of shape (points, 2) in pixels of the picture."""
    centre = np.array([mark.x, mark.y])
    if mark.kind is FindingKind.CALCIFICATION:
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        box = np.array(corners, dtype=np.float64) * (mark.half_width, mark.half_height)
        return (box + centre,)
    turn = np.linspace(0, 2 * np.pi, 73)
    unit = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    ellipse = unit * (mark.half_width, mark.half_height) + centre
    if mark.nature is Nature.ASYMMETRY:
        return tuple(ellipse[start : start + 9] for start in range(0, 72, 12))
    if mark.nature is Nature.DISTORTION:
        ray = 1.0 + 6.0 * scale / max(mark.half_width, mark.half_height)
        ends = unit[:72:9] * (mark.half_width, mark.half_height)
        return (ellipse, *(np.stack([end, end * ray]) + centre for end in ends))
    return (ellipse,)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Corner-based coordinates as cv2 wants them: centres of pixels, fixed point."""
    return np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _open_line(canvas: Canvas, points: NDArray[np.float64], colour: Colour, thick: int, *, dash: float = 0.0) -> None:
    if len(points) < 2:
        return
    if not dash:
        cv2.polylines(canvas, [_fixed(points)], False, colour, thick, cv2.LINE_AA, _SHIFT)
        return
    for part in _dashes(points, dash):
        cv2.polylines(canvas, [_fixed(part)], False, colour, thick, cv2.LINE_AA, _SHIFT)


def _dashes(points: NDArray[np.float64], dash: float) -> Sequence[NDArray[np.float64]]:
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    marks = np.arange(0.0, along[-1], dash)
    ends = np.stack([np.interp(marks, along, points[:, axis]) for axis in (0, 1)], axis=1)
    return [np.stack(pair) for pair in list(pairwise(ends))[::2]]


def _cross(canvas: Canvas, x: float, y: float, palette: Palette, scale: float, *, seen: bool) -> None:
    arm, gap = 9.0 * scale, (3.0 if seen else 6.0) * scale
    line = max(1, round(1.4 * scale))
    for colour, thick in ((palette.seam, line + 2 * max(1, round(scale))), (palette.nipple, line)):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            ends = np.array([[x + dx * gap, y + dy * gap], [x + dx * arm, y + dy * arm]])
            cv2.polylines(canvas, [_fixed(ends)], False, colour, thick, cv2.LINE_AA, _SHIFT)
