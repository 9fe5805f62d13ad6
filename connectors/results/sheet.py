"""The sheet: up to four views as they hang, R CC | L CC above R MLO | L MLO, with the marks burned in (R0.43)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.measurement import NAME
from reread.analytics.pictures_grey import GREY_HEIGHT_PX, Grey
from reread.analytics.pictures_marks import GREYS, draw_finding, draw_outlines
from reread.analytics.pictures_overlay import Mark, hung, overlay_of
from reread.analytics.pictures_text import BOLD, MEDIUM, text_width, write
from reread.analytics.records import FindingKind, ImageResult, Laterality, Nature, Provenance, StudyResult, View
from reread.connectors.results.page_language import Words
from reread.connectors.results.page_values import shown_date

SHEET_ROWS, SHEET_COLUMNS = 2560, 2048
"""the size of a 5-megapixel display that stands upright"""
_HEAD, _GAP, _EDGE = 76, 8, 28
_CELL_ROWS, _CELL_COLUMNS = GREY_HEIGHT_PX, (SHEET_COLUMNS - _GAP) // 2
_INK, _SOFT, _FAINT, _GROUND = (238,) * 3, (165,) * 3, (90,) * 3, (0,) * 3
_ABOVE = (View.CC, View.FB, View.XCCL, View.XCCM)
_BELOW = (View.MLO, View.LMO, View.ISO, View.SIO, View.ML, View.LM)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One of the four places of the sheet."""

    below: bool
    """the row of the oblique and lateral views"""
    on_right: bool
    """the left breast"""

    @property
    def name(self) -> str:
        """Laterality and view that belong there."""
        return ("L" if self.on_right else "R") + (" MLO" if self.below else " CC")


PLACES = tuple(Place(below, on_right) for below in (False, True) for on_right in (False, True))


def sheet_places(result: StudyResult) -> dict[Place, ImageResult]:
    """Which image stands where: the usual view before its relatives, measured before failed, whole before part."""
    best: dict[Place, tuple[tuple[bool, int, bool, bool, str], ImageResult]] = {}
    for image in result.images:
        header = image.header
        row = _BELOW if header.view in _BELOW else _ABOVE
        place = Place(row is _BELOW, header.laterality is Laterality.LEFT)
        rank = (
            not image.succeeded,
            row.index(header.view),
            not header.shows_whole_breast,
            header.for_processing,
            header.sop_instance_uid,
        )
        if place not in best or rank < best[place][0]:
            best[place] = (rank, image)
    return {place: best[place][1] for place in sorted(best)}


def draw_sheet(result: StudyResult, provenance: Provenance, greys: Mapping[str, Grey], words: Words) -> Grey:
    """Draw the sheet.

    Views of known pixel size are drawn to one scale, so that right and left can be compared.

    Parameters
    ----------
    greys
        SOP Instance UID → picture of `render_grey`; an image without one is named in its place.

    Returns
    -------
    Shape (`SHEET_ROWS`, `SHEET_COLUMNS`).
    """
    sheet: Grey = np.zeros((SHEET_ROWS, SHEET_COLUMNS), np.uint8)
    shown = sheet_places(result)
    heights = _heights(shown, greys)
    for place in PLACES:
        top = _HEAD + place.below * (_CELL_ROWS + _GAP)
        left = place.on_right * (_CELL_COLUMNS + _GAP)
        cell = sheet[top : top + _CELL_ROWS, left : left + _CELL_COLUMNS]
        image = shown.get(place)
        grey = greys.get(image.header.sop_instance_uid) if image else None
        if image is None or grey is None:
            _vacant(cell, place, words.not_in_study if image is None else words.not_shown, image)
        else:
            _view(cell, place, image, grey, heights[place], words)
    _head(sheet, result, provenance, words)
    _foot(sheet, result, shown, words)
    return sheet


def _heights(shown: Mapping[Place, ImageResult], greys: Mapping[str, Grey]) -> dict[Place, int]:
    """Heights in pixels: one scale for all, and every view fits its cell."""
    sizes = {}
    for place, image in shown.items():
        grey = greys.get(image.header.sop_instance_uid)
        if grey is not None:
            spacing_mm = image.header.spacing.row_spacing_mm if image.header.spacing_known else None
            sizes[place] = (image.header.rows, spacing_mm, grey.shape[1] / grey.shape[0])
    known = all(spacing_mm is not None for _, spacing_mm, _ in sizes.values())
    tall = {
        place: rows * (spacing_mm if known and spacing_mm else 1.0 / rows)
        for place, (rows, spacing_mm, _) in sizes.items()
    }
    largest = max(
        (max(tall[place], tall[place] * sizes[place][2] * _CELL_ROWS / _CELL_COLUMNS) for place in sizes), default=1.0
    )
    return {place: max(1, int(_CELL_ROWS * tall[place] / largest + 1e-6)) for place in sizes}


def _view(cell: Grey, place: Place, image: ImageResult, grey: Grey, height: int, words: Words) -> None:
    projection = hung(image, height)
    size = (min(projection.width_px, cell.shape[1]), min(height, cell.shape[0]))
    if grey.shape[::-1] != size:
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    overlay = overlay_of(image, projection)
    grey = grey.copy()
    scale = GREY_HEIGHT_PX / 900
    draw_outlines(grey, overlay, GREYS, scale=scale)
    for mark in reversed(overlay.marks):
        draw_finding(grey, mark, GREYS, scale=scale)
    for mark in overlay.marks:
        _label(grey, mark, words)
    left = 0 if place.on_right else cell.shape[1] - size[0]  # chest walls meet in the middle
    top = (cell.shape[0] - size[1]) // 2
    cell[top : top + size[1], left : left + size[0]] = grey
    _name(cell, place, image, words)


def _label(grey: Grey, mark: Mark, words: Words) -> None:
    """The probability beside the mark, on the side where there is room."""
    text = f"{words.number(100 * mark.score)} %"
    wide = text_width(text, 20, MEDIUM)
    x = mark.x + mark.half_width + 7
    if x + wide > grey.shape[1] - 4:
        x = mark.x - mark.half_width - 7 - wide
    y = min(max(mark.y - mark.half_height + 8, 20), grey.shape[0] - 6)
    write(grey, text, x, y, size_px=20, colour=_INK, weight=MEDIUM, seam=_GROUND)


def _name(cell: Grey, place: Place, image: ImageResult, words: Words) -> None:
    """Laterality and view in the upper outer corner, near the axilla, and what was measured below it."""
    x = cell.shape[1] - _EDGE if place.on_right else _EDGE
    align = "right" if place.on_right else "left"
    header = image.header
    write(
        cell,
        f"{header.laterality}{header.view}",
        x,
        56,
        size_px=52,
        colour=_INK,
        weight=BOLD,
        align=align,
        seam=_GROUND,
    )
    lines = list(header.view_modifiers)
    if image.failure is not None:
        lines.append(f"{words.not_measured}: {image.failure.value}")
    if image.density is not None:
        lines.append(f"{words.number(image.density.percent_density)} %  {image.density.category}")
    for number, line in enumerate(lines):
        write(cell, line, x, 92 + 32 * number, size_px=24, colour=_SOFT, align=align, seam=_GROUND)


def _vacant(cell: Grey, place: Place, why: str, image: ImageResult | None) -> None:
    rows, columns = cell.shape
    for x in range(_EDGE, columns - _EDGE, 28):
        for y in (_EDGE, rows - _EDGE):
            cv2.line(cell, (x, y), (min(x + 14, columns - _EDGE), y), _FAINT, 2)
    for y in range(_EDGE, rows - _EDGE, 28):
        for x in (_EDGE, columns - _EDGE):
            cv2.line(cell, (x, y), (x, min(y + 14, rows - _EDGE)), _FAINT, 2)
    name = place.name.replace(" ", "") if image is None else f"{image.header.laterality}{image.header.view}"
    write(cell, name, columns / 2, rows / 2 - 10, size_px=52, colour=_SOFT, weight=BOLD, align="centre")
    write(cell, why, columns / 2, rows / 2 + 36, size_px=28, colour=_SOFT, align="centre")


def _head(sheet: Grey, result: StudyResult, provenance: Provenance, words: Words) -> None:
    end = _EDGE + write(sheet, words.marks, _EDGE, 52, size_px=40, colour=_INK, weight=BOLD)
    write(sheet, shown_date(result.study_date) or words.unknown, end + 28, 52, size_px=30, colour=_SOFT)
    name = "Reread" if provenance.algorithm == NAME else f"Reread, {provenance.algorithm}"
    text = f"{name} {provenance.version}"
    write(sheet, text, SHEET_COLUMNS - _EDGE, 52, size_px=30, colour=_SOFT, align="right")


def _foot(sheet: Grey, result: StudyResult, shown: Mapping[Place, ImageResult], words: Words) -> None:
    top = _HEAD + 2 * _CELL_ROWS + _GAP
    cv2.line(sheet, (_EDGE, top + 12), (SHEET_COLUMNS - _EDGE, top + 12), _FAINT, 1)
    x, y = float(_EDGE), top + 58.0
    for kind, nature, name in (
        (FindingKind.MASS, Nature.MASS, words.mass),
        (FindingKind.MASS, Nature.ASYMMETRY, words.asymmetry),
        (FindingKind.MASS, Nature.DISTORTION, words.distortion),
        (FindingKind.CALCIFICATION, Nature.CLUSTER, words.cluster),
    ):
        key = Mark(kind, nature, 0, 1, 0.0, x + 22, y - 9, 18, 14, ())
        draw_finding(sheet, key, GREYS, scale=1.2)
        x += 60 + write(sheet, name, x + 58, y, size_px=26, colour=_INK) + 34
    counts = Counter(finding.operating_point for _, finding in result.marks)
    by_point = "   ".join(f"{point}: {counts[point]}" for point in (0, 1, 2))
    text = f"{words.operating_point}   {by_point}" if counts else words.no_finding
    write(sheet, text, SHEET_COLUMNS - _EDGE, y, size_px=26, colour=_INK, weight=MEDIUM, align="right")
    write(sheet, f"{words.heavier_line}   % = {words.probability}", _EDGE, top + 102, size_px=24, colour=_SOFT)
    write(sheet, words.notice, _EDGE, top + 144, size_px=26, colour=_INK, weight=MEDIUM)
    others = [f"{item.header.laterality}{item.header.view}" for item in result.images if item not in shown.values()]
    others += [item.reason.value for item in result.rejected]
    if others:
        listed = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in Counter(others).items())
        write(
            sheet,
            f"{words.not_shown}: {listed}",
            SHEET_COLUMNS - _EDGE,
            top + 102,
            size_px=24,
            colour=_SOFT,
            align="right",
        )
