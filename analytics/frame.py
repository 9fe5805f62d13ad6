"""The frame in which everything is measured: known spacing, chest wall on the left, cropped to the breast.

Detectors that work in a frame know nothing of pixel spacing, of the side or of the size of the film.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Contour, Mammogram

Mask = NDArray[np.bool_]
# float32 throughout; OpenCV's stubs promise only "integer or floating", so the type says no more than that
Plane = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A resampled, perhaps mirrored part of one image.

    `pixels` has shape (rows, columns), float32, 0…1. `origin` is the stored position (x_px, y_px, after
    mirroring) of the upper left corner of the frame's first pixel, in units of stored pixels.
    """

    pixels: Plane
    spacing_mm: float
    column_scale: float
    """stored pixels per frame pixel, horizontally"""
    row_scale: float
    """stored pixels per frame pixel, vertically"""
    origin: tuple[float, float]
    mirrored: bool
    stored_columns: int

    def to_stored(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Frame (x, y) → stored (x_px, y_px); shape (n, 2)."""
        x = (points[:, 0] + 0.5) * self.column_scale + self.origin[0] - 0.5
        y = (points[:, 1] + 0.5) * self.row_scale + self.origin[1] - 0.5
        return np.column_stack([self.stored_columns - 1 - x if self.mirrored else x, y])

    def from_stored(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Stored (x_px, y_px) → frame (x, y); shape (n, 2)."""
        x = self.stored_columns - 1 - points[:, 0] if self.mirrored else points[:, 0]
        return np.column_stack(
            [
                (x + 0.5 - self.origin[0]) / self.column_scale - 0.5,
                (points[:, 1] + 0.5 - self.origin[1]) / self.row_scale - 0.5,
            ]
        )

    def contour_to_stored(self, points: NDArray[np.float64]) -> Contour:
        """Frame vertices, shape (n, 2) → closed polygon in stored pixels."""
        return tuple((round(float(x), 2), round(float(y), 2)) for x, y in self.to_stored(points))

    def crop(self, left: int, top: int, right: int, bottom: int) -> Frame:
        """The part [top, bottom) × [left, right) of this frame; no copy."""
        return Frame(
            self.pixels[top:bottom, left:right],
            self.spacing_mm,
            self.column_scale,
            self.row_scale,
            (self.origin[0] + left * self.column_scale, self.origin[1] + top * self.row_scale),
            self.mirrored,
            self.stored_columns,
        )

    def plane_from(self, other: Frame, plane: Plane) -> Plane:
        """A plane that belongs to `other`, resampled (linear) onto the pixels of this frame; same side."""
        x_scale, y_scale = self.column_scale / other.column_scale, self.row_scale / other.row_scale
        x_shift = (self.origin[0] - other.origin[0]) / other.column_scale
        y_shift = (self.origin[1] - other.origin[1]) / other.row_scale
        matrix = np.array(
            [[x_scale, 0, 0.5 * x_scale + x_shift - 0.5], [0, y_scale, 0.5 * y_scale + y_shift - 0.5]], np.float64
        )
        size = (self.pixels.shape[1], self.pixels.shape[0])
        out: Plane = cv2.warpAffine(
            plane, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        return out


def resample(
    mammogram: Mammogram,
    spacing_mm: float,
    *,
    mirrored: bool = False,
    crop_px: tuple[int, int, int, int] | None = None,
) -> Frame:
    """Average a mammogram down to one spacing; never up: a coarser image stays as it is.

    Parameters
    ----------
    spacing_mm
        Wanted pixel distance.
    mirrored
        Flip horizontally, so that a chest wall on the right comes to lie on the left.
    crop_px
        (left, top, right, bottom) in stored pixels, after mirroring; None: all.
    """
    size, pixels = mammogram.header.spacing, mammogram.pixels
    columns = pixels.shape[1]
    left, top, right, bottom = crop_px or (0, 0, columns, pixels.shape[0])
    part: Plane = pixels[top:bottom, columns - right : columns - left] if mirrored else pixels[top:bottom, left:right]
    target = max(spacing_mm, size.mean_mm)
    wide = max(1, round(part.shape[1] * size.column_spacing_mm / target))
    high = max(1, round(part.shape[0] * size.row_spacing_mm / target))
    if (high, wide) != part.shape:
        part = cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA)
    if mirrored:
        part = cv2.flip(part, 1)
    return Frame(
        np.ascontiguousarray(part, dtype=np.float32),
        target,
        (right - left) / wide,
        (bottom - top) / high,
        (float(left), float(top)),
        mirrored,
        columns,
    )


def resize_frame(frame: Frame, spacing_mm: float, least_px: int = 16) -> Frame:
    """Average a frame down to a coarser spacing; never up."""
    rows, columns = frame.pixels.shape
    scale = min(1.0, frame.spacing_mm / spacing_mm)
    size = (max(least_px, round(columns * scale)), max(least_px, round(rows * scale)))
    return Frame(
        cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA),
        frame.spacing_mm / scale,
        frame.column_scale * columns / size[0],
        frame.row_scale * rows / size[1],
        frame.origin,
        frame.mirrored,
        frame.stored_columns,
    )


def disc(radius_mm: float, spacing_mm: float) -> Plane:
    """A round structuring element of odd size."""
    radius = max(1, round(radius_mm / spacing_mm))
    element: Plane = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return element


def blur(plane: Plane, sigma_mm: float, spacing_mm: float) -> Plane:
    """Gaussian smoothing; large widths run on a coarser grid, where they cost little.

    Widths above 8 pixels are done at a quarter of the resolution (error below 1 % of the range).
    """
    sigma = sigma_mm / spacing_mm
    if sigma <= 8 or min(plane.shape) < 16:
        out: Plane = cv2.GaussianBlur(plane, (0, 0), max(sigma, 0.1), borderType=cv2.BORDER_REPLICATE)
        return out
    rows, columns = plane.shape
    small = cv2.resize(plane, (max(1, columns // 4), max(1, rows // 4)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
    out = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return out


def blur_inside(plane: Plane, weight: Plane, sigma_mm: float, spacing_mm: float) -> Plane:
    """Normalised convolution: Gaussian mean over the weighted pixels only (Knutsson & Westin 1993)."""
    total: Plane = blur(plane * weight, sigma_mm, spacing_mm) / np.maximum(blur(weight, sigma_mm, spacing_mm), 1e-3)
    return total


def largest_contour(mask: Mask, simplify_px: float = 0.5) -> NDArray[np.float64]:
    """The outer contour of the largest region, shape (n, 2) as (x, y); empty when there is none."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2))
    longest = max(contours, key=cv2.contourArea)
    if simplify_px > 0:
        longest = cv2.approxPolyDP(longest, simplify_px, True)
    return np.asarray(longest[:, 0, :], dtype=np.float64)
