"""Flat shapes on a page: smooth at their borders, in place."""

from __future__ import annotations

import cv2
import numpy as np

from reread.analytics.pictures_text import Canvas, Colour

_SHIFT = 4


def panel(
    canvas: Canvas, left: float, top: float, width: float, height: float, colour: Colour, *, radius: float = 14.0
) -> None:
    """A filled rectangle with round corners."""
    radius = min(radius, width / 2, height / 2)
    turn = np.linspace(0, np.pi / 2, 13)
    arc = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    right, bottom = left + width, top + height
    corners = [
        np.array([right - radius, bottom - radius]) + arc,
        arc[::-1] * (-1, 1) + (left + radius, bottom - radius),
        -arc + np.array([left + radius, top + radius]),
        arc[::-1] * (1, -1) + (right - radius, top + radius),
    ]
    filled(canvas, np.concatenate(corners), colour)


def filled(canvas: Canvas, points: np.ndarray[tuple[int, int], np.dtype[np.float64]], colour: Colour) -> None:
    """A filled polygon; `points` of shape (count, 2) from the upper left corner of the page."""
    fixed = np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, _SHIFT)


def disc(canvas: Canvas, x: float, y: float, radius: float, colour: Colour, *, line: int = -1) -> None:
    """A disc, or a ring of the given line width."""
    centre = (round((x - 0.5) * (1 << _SHIFT)), round((y - 0.5) * (1 << _SHIFT)))
    cv2.circle(canvas, centre, round(radius * (1 << _SHIFT)), colour, line, cv2.LINE_AA, _SHIFT)


def diamond(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """A square on its corner."""
    filled(canvas, np.array([[x, y - radius], [x + radius, y], [x, y + radius], [x - radius, y]], float), colour)


def stroke(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, colour: Colour, *, line: int = 1) -> None:
    """A straight line."""
    ends = np.round((np.array([[x0, y0], [x1, y1]], float) - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [ends], False, colour, line, cv2.LINE_AA, _SHIFT)
