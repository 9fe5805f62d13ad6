"""The picture of one image: the shown part of it, turned and scaled, and where its pixels lie there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_text import Canvas as Pixels
from reread.analytics.pictures_text import write

Points = NDArray[np.float64]
"""shape (n, 2), x and y"""
Colour = tuple[int, int, int]

SEAM: Colour = (0, 0, 0)
_FINE = 4
"""fractional bits of coordinates that OpenCV draws at"""


@dataclass(frozen=True, slots=True)
class Hanging:
    """How an image is shown: which part, how turned (PS3.3 C.10.4, C.10.6).

    Parameters
    ----------
    left, top, right, bottom
        Borders of the shown part in pixels from the corner of the first pixel; beyond the image is black.
    quarter_turns
        Clockwise, before the mirror.
    aspect
        Width of a pixel as a part of its height.
    """

    left: int
    top: int
    right: int
    bottom: int
    quarter_turns: int = 0
    mirrored: bool = False
    aspect: float = 1.0

    def size(self, height_px: int) -> tuple[int, int]:
        """Width and height of the picture; the height is the one asked for."""
        wide, high = (self.right - self.left) * self.aspect, float(self.bottom - self.top)
        if self.quarter_turns % 2:
            wide, high = high, wide
        return max(1, round(wide / high * height_px)), height_px

    def place(self, points: Points, height_px: int) -> Points:
        """Points of the image, from the corner of its first pixel, in the picture."""
        x = (points[:, 0] - self.left) / (self.right - self.left)
        y = (points[:, 1] - self.top) / (self.bottom - self.top)
        for _ in range(self.quarter_turns % 4):
            x, y = 1 - y, x
        if self.mirrored:
            x = 1 - x
        width, height = self.size(height_px)
        return np.stack([x * width, y * height], axis=1)

    def picture(self, greys: NDArray[np.uint8], height_px: int) -> NDArray[np.uint8]:
        """The shown part, shape (height_px, width) or with a third axis for colour."""
        rows, columns = greys.shape[:2]
        shown = np.zeros((self.bottom - self.top, self.right - self.left, *greys.shape[2:]), np.uint8)
        top, left = max(self.top, 0), max(self.left, 0)
        part = greys[top : min(self.bottom, rows), left : min(self.right, columns)]
        shown[top - self.top :, left - self.left :][: part.shape[0], : part.shape[1]] = part
        turned = np.rot90(shown, -self.quarter_turns % 4)
        if self.mirrored:
            turned = turned[:, ::-1]
        size = self.size(height_px)
        how = cv2.INTER_AREA if size[1] < turned.shape[0] else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(np.ascontiguousarray(turned), size, interpolation=how), np.uint8)


def ellipse(middle: Points, major: Sequence[float] | Points, minor: Sequence[float] | Points) -> Points:
    """Outline of an ellipse by its middle and its two half axes."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)[:, None]
    return np.asarray(middle + np.cos(angle) * np.asarray(major) + np.sin(angle) * np.asarray(minor))


def round_shape(graphic_type: str, points: Points) -> Points | None:
    """Outline of a CIRCLE or ELLIPSE by its points (PS3.3 C.10.5.1.2, C.18.6.1.2); None for any other graphic."""
    if graphic_type == "CIRCLE" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        return ellipse(points[0], (radius, 0.0), (0.0, radius))
    if graphic_type == "ELLIPSE" and len(points) == 4:
        # the ends of the major axis, then those of the minor one
        return ellipse(points.mean(axis=0), (points[1] - points[0]) / 2, (points[3] - points[2]) / 2)
    return None


class Canvas:
    """A picture to draw on; coordinates are those of the picture."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels: Pixels = np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels.copy()
        self.height_px, self.width_px = pixels.shape[:2]
        self.stroke_px = max(1, round(self.height_px / 600))
        self.letter_px = max(11, round(self.height_px / 60))

    def line(self, points: Points, colour: Colour, *, closed: bool = False, filled: bool = False) -> None:
        """A line with a dark seam, so that it is seen on bright and dark tissue."""
        fixed = np.rint((points - 0.5) * (1 << _FINE)).astype(np.int32).reshape(-1, 1, 2)
        if filled and len(points) > 2:
            cv2.fillPoly(self.pixels, [fixed], colour, cv2.LINE_AA, _FINE)
        for shade, wide in ((SEAM, self.stroke_px + 2), (colour, self.stroke_px)):
            cv2.polylines(self.pixels, [fixed], closed, shade, wide, cv2.LINE_AA, _FINE)

    def cross(self, x: float, y: float, colour: Colour) -> None:
        """A small upright cross."""
        arm = 3.0 * self.stroke_px
        self.line(np.array([(x - arm, y), (x + arm, y)]), colour)
        self.line(np.array([(x, y - arm), (x, y + arm)]), colour)

    def words(self, text: str, x: float, y: float, colour: Colour, *, size_px: int | None = None) -> None:
        """One line of text, its base line at y; moved in from the right border."""
        size = size_px or self.letter_px
        near_right = x > 0.75 * self.width_px
        write(self.pixels, text, x, y, size_px=size, colour=colour, align="right" if near_right else "left", seam=SEAM)

    def tinted(self, mask: NDArray[np.uint8], colour: Colour, strength: float) -> None:
        """Colour where the mask, of the size of the picture, is above 0."""
        inside = mask > 0
        mixed = self.pixels[inside] * (1 - strength) + np.array(colour) * strength
        self.pixels[inside] = np.rint(mixed).astype(np.uint8)
        edges, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.pixels, edges, -1, colour, self.stroke_px, cv2.LINE_AA)
