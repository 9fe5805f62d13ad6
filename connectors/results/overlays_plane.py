"""Marks as one bit per pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Finding, ImageHeader
from reread.connectors.results.mark_shapes import Rectangle, mark_shape

LINE_MM = 0.4
"""thickness of a line: seen on a whole mammogram, and thin against what it surrounds"""
_SHIFT = 8


def overlay_plane(findings: Sequence[Finding], header: ImageHeader) -> NDArray[np.bool_]:
    """The lines of the marks, shape (rows, columns): ellipses and rectangles (R1.325).

    A line lies outside of its shape's edge by half its thickness at most, within the margin of the shape.
    """
    plane = np.zeros((header.rows, header.columns), dtype=np.uint8)
    thick = max(2, round(LINE_MM / header.spacing.mean_mm))
    for finding in findings:
        shape = mark_shape(finding, header)
        corners = shape.corners if isinstance(shape, Rectangle) else shape.polygon(180)
        # a rectangle may end half a pixel outside of the first and the last pixel
        points = np.asarray(corners, dtype=np.float64)
        if isinstance(shape, Rectangle):
            points = np.clip(points, 0, (header.columns - 1, header.rows - 1))
        fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(plane, [fixed], True, (1,), thick, cv2.LINE_8, _SHIFT)
    return plane.astype(bool)


def packed(plane: NDArray[np.bool_]) -> bytes:
    """Overlay Data: the first pixel in the lowest bit, rows without a gap, even length (PS3.5 8.1.2)."""
    data = np.packbits(plane, bitorder="little").tobytes()
    return data + b"\0" * (len(data) % 2)
