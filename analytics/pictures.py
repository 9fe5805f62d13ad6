"""Pictures of results: the windowed mammogram with what was found on it, hung as radiologists hang it.

Marks differ by shape, not by colour alone: a circle is a mass, a triangle a cluster of calcifications; the more
specific the operating point, the heavier the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import (
    Contour,
    Finding,
    FindingKind,
    ImageHeader,
    ImageResult,
    Laterality,
    Mammogram,
    View,
)

Picture = NDArray[np.uint8]
"""shape (rows, columns, 3), RGB"""

_AIR = (10, 12, 16)
_PAPER = (236, 238, 240)
_QUIET = (150, 158, 168)
_SKIN = (92, 178, 190)
_MUSCLE = (222, 158, 84)
_NIPPLE = (236, 238, 240)
_MARKS = {FindingKind.MASS: (255, 214, 64), FindingKind.CALCIFICATION: (255, 110, 180)}
_LINE_PX = {0: 2.6, 1: 1.8, 2: 1.1}
_FINER = 2  # lines are drawn this much larger and averaged down
_SHIFT = 4  # fractional bits of the coordinates that cv2 gets
_SMALLEST_MARK_PX = 11.0


def draw_marks(mammogram: Mammogram, result: ImageResult, *, height_px: int = 900) -> Picture:
    """Draw one image with outline, muscle edge, nipple and the marks of all operating points.

    A right breast is shown with its chest wall on the right, a left one with its chest wall on the left.

    Returns
    -------
    RGB, shape (`height_px`, width, 3), pixels square in millimetres.
    """
    header = mammogram.header
    spacing = header.spacing
    scale_y = height_px / header.rows
    scale_x = scale_y * spacing.column_spacing_mm / spacing.row_spacing_mm
    width_px = max(1, round(header.columns * scale_x))
    pen = _Pen(header, scale_x, scale_y, mirrored=_chest_wall_on_left(mammogram, result) != _hangs_left(header))
    grey = np.asarray(cv2.resize(mammogram.pixels, (width_px, height_px), interpolation=cv2.INTER_AREA), np.float32)
    grey = grey[:, ::-1] if pen.mirrored else grey
    windowed = _window(grey, pen.polygon(result.breast.outline) if result.breast else None)
    enlarged = cv2.resize(windowed, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)
    canvas: Picture = np.repeat(np.asarray(enlarged, np.uint8)[:, :, None], 3, axis=2)
    lines = canvas.copy()
    if result.breast is not None:
        _polyline(lines, pen.polygon(result.breast.outline), _SKIN, 1.2, pen, header)
    if result.pectoral is not None:
        _polyline(lines, pen.polygon(result.pectoral.outline), _MUSCLE, 1.2, pen, header, dashed=True)
    canvas = np.asarray(cv2.addWeighted(lines, 0.75, canvas, 0.25, 0), np.uint8)
    if result.nipple is not None:
        _nipple(canvas, *pen.point(result.nipple.x_px, result.nipple.y_px), sure=result.nipple.confidence >= 0.5)
    for finding in sorted(result.findings, key=lambda item: item.score):
        if finding.operating_point is not None:
            _mark(canvas, finding, pen)
    picture: Picture = np.asarray(cv2.resize(canvas, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)
    _captions(picture, result)
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


class _Pen:
    """Stored pixels → pixels of the enlarged canvas."""

    def __init__(self, header: ImageHeader, scale_x: float, scale_y: float, *, mirrored: bool) -> None:
        self.scale_x, self.scale_y = scale_x * _FINER, scale_y * _FINER
        self.columns = header.columns
        self.mirrored = mirrored

    def point(self, x_px: float, y_px: float) -> tuple[float, float]:
        x_px = self.columns - 1 - x_px if self.mirrored else x_px
        return (x_px + 0.5) * self.scale_x - 0.5, (y_px + 0.5) * self.scale_y - 0.5

    def polygon(self, contour: Contour) -> NDArray[np.float64]:
        return np.array([self.point(x_px, y_px) for x_px, y_px in contour], dtype=np.float64).reshape(-1, 2)


def _hangs_left(header: ImageHeader) -> bool:
    return header.laterality is Laterality.LEFT


def _chest_wall_on_left(mammogram: Mammogram, result: ImageResult) -> bool:
    if result.breast is not None:
        return result.breast.chest_wall_on_left
    return not mammogram.header.patient_orientation[0].startswith("P")


def _window(grey: NDArray[np.float32], breast: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    """Window between percentiles of the breast, air kept dark."""
    inside = np.ones(grey.shape, dtype=bool)
    if breast is not None and len(breast) >= 3:
        mask = np.zeros(grey.shape, dtype=np.uint8)
        cv2.fillPoly(mask, [np.round(breast / _FINER).astype(np.int32)], 1)
        inside = mask.astype(bool)
    if not inside.any():
        inside[:] = True
    low, high = (float(edge) for edge in np.percentile(grey[inside], (0.5, 99.7)))
    low *= 0.85
    unit = np.clip((grey - low) / max(high - low, 1e-4), 0, 1) ** np.float32(1.15)
    floor = np.float32(_AIR[1])
    out: NDArray[np.uint8] = np.round(floor + (248 - floor) * unit).astype(np.uint8)
    return out


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def _polyline(
    canvas: Picture,
    points: NDArray[np.float64],
    colour: tuple[int, int, int],
    line_px: float,
    pen: _Pen,
    header: ImageHeader,
    *,
    dashed: bool = False,
) -> None:
    """A closed contour without the parts that run along the edge of the film."""
    if len(points) < 2:
        return
    right, bottom = header.columns * pen.scale_x, header.rows * pen.scale_y
    near = 2.0 * _FINER
    edges = np.stack(
        [points[:, 0] < near, points[:, 0] > right - near, points[:, 1] < near, points[:, 1] > bottom - near], axis=1
    )
    closed = np.concatenate([points, points[:1]])
    on_edge = np.concatenate([edges, edges[:1]])
    thick = max(1, round(line_px * _FINER))
    travelled, dash = 0.0, 9.0 * _FINER
    for index, (start, end) in enumerate(pairwise(closed)):
        if (on_edge[index] & on_edge[index + 1]).any():
            continue
        length = float(np.hypot(*(end - start)))
        steps = max(1, int(length // dash)) if dashed else 1
        for step in range(steps):
            if dashed and int((travelled + step * length / steps) // dash) % 2:
                continue
            part = np.array([start + (end - start) * step / steps, start + (end - start) * (step + 1) / steps])
            cv2.polylines(canvas, [_fixed(part)], False, colour, thick, cv2.LINE_AA, _SHIFT)
        travelled += length


def _nipple(canvas: Picture, x: float, y: float, *, sure: bool) -> None:
    arm, gap = 9.0 * _FINER, 3.0 * _FINER if sure else 6.0 * _FINER
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends = np.array([[x + dx * gap, y + dy * gap], [x + dx * arm, y + dy * arm]])
        cv2.polylines(canvas, [_fixed(ends)], False, _AIR, 3 * _FINER, cv2.LINE_AA, _SHIFT)
        cv2.polylines(canvas, [_fixed(ends)], False, _NIPPLE, max(1, round(1.4 * _FINER)), cv2.LINE_AA, _SHIFT)


def _mark(canvas: Picture, finding: Finding, pen: _Pen) -> None:
    """A circle or a triangle around the finding, on a dark seam so that it stands out on dense tissue."""
    x, y = pen.point(finding.x_px, finding.y_px)
    radius = _SMALLEST_MARK_PX * _FINER
    if finding.outline:
        reach = np.abs(pen.polygon(finding.outline) - (x, y)).max()
        radius = max(radius, float(reach) * 1.15)
    line = max(1, round(_LINE_PX.get(finding.operating_point or 0, 1.1) * _FINER))
    for colour, thick in ((_AIR, line + 2 * _FINER), (_MARKS[finding.kind], line)):
        if finding.kind is FindingKind.MASS:
            center = _fixed(np.array([x, y]))
            cv2.circle(
                canvas,
                (int(center[0]), int(center[1])),
                round(radius * (1 << _SHIFT)),
                colour,
                thick,
                cv2.LINE_AA,
                _SHIFT,
            )
        else:
            # the inscribed circle of the triangle is the finding's
            angles = np.radians([-90.0, 30.0, 150.0])
            corners = np.stack([x + 1.8 * radius * np.cos(angles), y + 1.8 * radius * np.sin(angles)], axis=1)
            cv2.polylines(canvas, [_fixed(corners)], True, colour, thick, cv2.LINE_AA, _SHIFT)


def write_text(
    picture: Picture,
    words: str,
    x: int,
    y: int,
    *,
    size_px: int = 14,
    colour: tuple[int, int, int] = _PAPER,
    bold: bool = False,
    right: bool = False,
) -> None:
    """Write ASCII text with its base line at (x, y), in place; `right`: the text ends at x."""
    font, scale = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX, size_px / 30.0
    (width, _), _ = cv2.getTextSize(words, font, scale, 1)
    origin = (x - width if right else x, y)
    cv2.putText(picture, words, origin, font, scale, _AIR, 4, cv2.LINE_AA)
    cv2.putText(picture, words, origin, font, scale, colour, 1, cv2.LINE_AA)


def _captions(picture: Picture, result: ImageResult) -> None:
    """View and density in the lower outer corner: the film's own letters stand in the upper one."""
    right = _hangs_left(result.header)
    x = picture.shape[1] - 14 if right else 14
    size = max(12, picture.shape[0] // 42)
    foot = picture.shape[0] - 14
    words = ""
    if result.density is not None:
        words = f"density {result.density.percent_density:.0f} %  ({result.density.category})"
    if result.failure is not None:
        words = f"not measured: {result.failure.value}"
    if words:
        write_text(picture, words, x, foot, size_px=size, colour=_QUIET, right=right)
    view = f"{result.header.laterality} {result.header.view}"
    write_text(picture, view, x, foot - size - 12, size_px=size + 8, bold=True, right=right)
