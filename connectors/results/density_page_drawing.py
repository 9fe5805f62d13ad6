"""How the density page looks: dark, for a reading room; the letter and the number first, everything else after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reread.analytics.measurement import NAME
from reread.analytics.pictures_shapes import diamond, disc, panel, stroke
from reread.analytics.pictures_text import BOLD, MEDIUM, REGULAR, Colour, text_width, wrapped, write
from reread.analytics.records import Laterality, Provenance
from reread.connectors.results.density_page_facts import BreastDensity, DensityFacts, Scale
from reread.connectors.results.density_page_history import draw_history
from reread.connectors.results.page_language import Words
from reread.connectors.results.page_palette import (
    BOTH_INK,
    CARD,
    EDGE,
    GROUND,
    INK,
    LEFT_INK,
    QUIET,
    RIGHT_INK,
    SOFT,
    STEPS,
)
from reread.connectors.results.page_values import shown_date

Page = NDArray[np.uint8]
"""shape (rows, columns, 3), RGB"""

PAGE_ROWS, PAGE_COLUMNS = 1600, 1280
_MARGIN, _GAP, _PAD = 56, 24, 30
_WIDE = PAGE_COLUMNS - 2 * _MARGIN
_HALF = (_WIDE - _GAP) // 2


def draw_density_page(facts: DensityFacts, provenance: Provenance, words: Words) -> Page:
    """Draw the page.

    Returns
    -------
    Shape (`PAGE_ROWS`, `PAGE_COLUMNS`, 3), RGB.
    """
    page: Page = np.full((PAGE_ROWS, PAGE_COLUMNS, 3), GROUND, np.uint8)
    write(page, words.density, _MARGIN, 86, size_px=44, colour=INK, weight=BOLD)
    date = shown_date(facts.study_date) or words.unknown
    write(page, date, PAGE_COLUMNS - _MARGIN, 86, size_px=34, colour=SOFT, align="right")
    _hero(page, 116, facts, words)
    _breast(page, _MARGIN, 336, facts.right, Laterality.RIGHT, words)
    _breast(page, _MARGIN + _HALF + _GAP, 336, facts.left, Laterality.LEFT, words)
    _scales(page, 580, facts, words)
    _views(page, 864, facts, words)
    _agreement(page, 864, facts, words)
    height = 236 if facts.earlier else 104
    _titled(page, _MARGIN, 1112, _WIDE, height, words.history)
    draw_history(page, _MARGIN + _PAD, 1112, _WIDE - 2 * _PAD, height, facts, words)
    _remarks(page, 1112 + height + _GAP, 1496, facts, words)
    _foot(page, facts, provenance, words)
    return page


def _titled(page: Page, x: float, y: float, width: float, height: float, title: str) -> None:
    panel(page, x, y, width, height, CARD)
    write(page, title, x + _PAD, y + 40, size_px=24, colour=SOFT, weight=MEDIUM)


def _percent(words: Words, value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{words.number(value, digits)} %"


def _badge(page: Page, x: float, y: float, size: int, letter: str) -> None:
    """The letter on the colour of its step of the scale."""
    ground = STEPS.get(letter, EDGE)
    panel(page, x, y, size, size, ground, radius=size / 6)
    ink: Colour = GROUND if sum(ground) > 330 else INK
    # a letter like b or d reaches higher than a or c: all of them stand on one line
    write(
        page,
        letter or "–",
        x + size / 2,
        y + size * (0.74 if letter in "ac" else 0.79),
        size_px=round(size * 0.78),
        colour=ink,
        weight=BOLD,
        align="centre",
    )


def _hero(page: Page, top: float, facts: DensityFacts, words: Words) -> None:
    panel(page, _MARGIN, top, _WIDE, 196, CARD)
    _badge(page, _MARGIN + _PAD, top + 30, 136, facts.both.letter)
    x = _MARGIN + _PAD + 136 + 32
    room = _MARGIN + _WIDE - _PAD - x
    has_volume = facts.both.volumetric_percent is not None
    number = _percent(words, facts.both.percent)
    write(page, number, x, top + 118, size_px=100, colour=INK, weight=BOLD)
    write(page, f"{words.percent_density} · {words.both_breasts}", x, top + 160, size_px=25, colour=SOFT)
    beside = x + text_width(number, 100, BOLD) + 40
    lines = wrapped(
        words.composition(facts.both.letter), (room - 260 if has_volume else room) - int(beside - x), 34, MEDIUM
    )[:3]
    for index, line in enumerate(lines):
        write(page, line, beside, top + 84 + 40 * index - 20 * (len(lines) - 1), size_px=34, colour=INK, weight=MEDIUM)
    right = _MARGIN + _WIDE - _PAD
    if has_volume:
        write(
            page,
            f"{_percent(words, facts.both.volumetric_percent, 1)}  {facts.both.volumetric_letter}",
            right,
            top + 112,
            size_px=52,
            colour=INK,
            weight=BOLD,
            align="right",
        )
        write(page, words.volumetric_density, right, top + 160, size_px=25, colour=SOFT, align="right")
    elif facts.no_volume:
        write(page, f"{words.no_volume}: {facts.no_volume}", right, top + 160, size_px=21, colour=QUIET, align="right")


def _breast(page: Page, x: float, top: float, breast: BreastDensity, side: Laterality, words: Words) -> None:
    panel(page, x, top, _HALF, 220, CARD)
    _symbol(page, x + _PAD + 10, top + 41, side, 10)
    write(page, words.breast(side), x + _PAD + 32, top + 50, size_px=28, colour=INK, weight=MEDIUM)
    _badge(page, x + _PAD, top + 82, 84, breast.letter)
    write(page, _percent(words, breast.percent), x + _PAD + 84 + 24, top + 151, size_px=72, colour=INK, weight=BOLD)
    for index, line in enumerate(wrapped(words.composition(breast.letter), _HALF - 2 * _PAD, 22)[:1]):
        write(page, line, x + _PAD, top + 199 + 26 * index, size_px=22, colour=SOFT)
    rows = [
        (words.volumetric_density, _percent(words, breast.volumetric_percent, 1), breast.volumetric_percent),
        (words.breast_volume, _amount(words, breast.breast_volume_cm3, "cm³"), breast.breast_volume_cm3),
        (words.gland_volume, _amount(words, breast.gland_volume_cm3, "cm³"), breast.gland_volume_cm3),
        (words.dense_area, _amount(words, breast.dense_area_cm2, "cm²"), breast.dense_area_cm2),
        (words.breast_area, _amount(words, breast.breast_area_cm2, "cm²"), breast.breast_area_cm2),
    ]
    right = x + _HALF - _PAD
    for index, (name, value, _) in enumerate([row for row in rows if row[2] is not None][:3]):
        y = top + 46 + 60 * index
        write(page, name, right, y, size_px=18, colour=QUIET, align="right")
        write(page, value, right, y + 27, size_px=25, colour=INK, weight=MEDIUM, align="right")


def _amount(words: Words, value: float | None, unit: str) -> str:
    return "–" if value is None else f"{words.number(value)} {unit}"


def _symbol(page: Page, x: float, y: float, side: Laterality, radius: float) -> None:
    """A disc for the right breast, a diamond for the left: also without colour they differ."""
    if side is Laterality.RIGHT:
        disc(page, x, y, radius, RIGHT_INK)
    else:
        diamond(page, x, y, radius * 1.25, LEFT_INK)


def _scales(page: Page, top: float, facts: DensityFacts, words: Words) -> None:
    has_volume = facts.both.volumetric_percent is not None
    _titled(page, _MARGIN, top, _WIDE, 260, words.percent_density if not has_volume else words.density)
    width = _WIDE - 2 * _PAD
    if not has_volume:
        _scale(
            page,
            _MARGIN + _PAD,
            top + 122,
            width,
            54,
            facts.area_scale,
            [b.percent for b in (facts.right, facts.left, facts.both)],
            words,
        )
        return
    half = (width - 48) // 2
    for x, scale, name, values in (
        (_MARGIN + _PAD, facts.area_scale, words.area, [b.percent for b in (facts.right, facts.left, facts.both)]),
        (
            _MARGIN + _PAD + half + 48,
            facts.volume_scale,
            words.volume,
            [b.volumetric_percent for b in (facts.right, facts.left, facts.both)],
        ),
    ):
        write(page, name, x + half, top + 40, size_px=22, colour=QUIET, align="right")
        _scale(page, x, top + 122, half, 54, scale, values, words)


def _scale(
    page: Page,
    x: float,
    top: float,
    width: float,
    height: float,
    scale: Scale,
    values: list[float | None],
    words: Words,
) -> None:
    """The four steps with their limits, both breasts above, the mean below."""
    edges = [0.0, *scale.limits, scale.end]
    for letter, low, high in zip("abcd", edges, edges[1:], strict=False):
        left, right = x + width * low / scale.end, x + width * high / scale.end
        panel(page, left + 1, top, right - left - 2, height, STEPS[letter], radius=6)
        ink = GROUND if sum(STEPS[letter]) > 330 else INK
        write(
            page, letter, (left + right) / 2, top + height * 0.68, size_px=30, colour=ink, weight=BOLD, align="centre"
        )
    taken = -1e9
    for limit in scale.limits:
        at = x + width * limit / scale.end
        text = f"{limit:g}".replace(".", words.decimal_mark)
        stroke(page, at, top + height, at, top + height + 8, QUIET)
        if at - text_width(text, 20) / 2 > taken:
            write(page, text, at, top + height + 30, size_px=20, colour=SOFT, align="centre")
            taken = at + text_width(text, 20) / 2 + 6
    write(page, f"{scale.end:g} %", x + width, top + height + 30, size_px=20, colour=QUIET, align="right")
    for line in wrapped(f"{words.threshold_source}: {scale.source}", int(width), 18)[:1]:
        write(page, line, x, top + height + 66, size_px=18, colour=QUIET)
    of_right, of_left, both = values
    known = [value for value in (of_right, of_left) if value is not None]
    # symbols that would cover each other stand side by side, their stems where the values are
    near = len(known) == 2 and abs(known[0] - known[1]) * width / scale.end < 26
    for side, value in ((Laterality.RIGHT, of_right), (Laterality.LEFT, of_left)):
        if value is not None:
            at = x + width * min(value, scale.end) / scale.end
            lower = near and value <= min(known) and (side is Laterality.RIGHT or known[0] != known[1])
            beside = at + (-13 if lower else 13) * near
            _symbol(page, beside, top - 22, side, 9)
            stroke(page, beside, top - 12, at, top + 4, RIGHT_INK if side is Laterality.RIGHT else LEFT_INK, line=2)
    if both is not None:
        at = x + width * min(both, scale.end) / scale.end
        stroke(page, at, top - 2, at, top + height + 2, BOTH_INK, line=4)
        stroke(page, at - 2.5, top - 2, at - 2.5, top + height + 2, GROUND, line=1)
        stroke(page, at + 2.5, top - 2, at + 2.5, top + height + 2, GROUND, line=1)


def _views(page: Page, top: float, facts: DensityFacts, words: Words) -> None:
    """A bar for each view."""
    width = _HALF + 110
    _titled(page, _MARGIN, top, width, 224, words.view)
    shown = facts.views[:4]
    x, room = _MARGIN + _PAD + 122, width - 2 * _PAD - 122 - 190
    longest = max([30.0, *(view.percent for view in shown if view.percent is not None)])
    for index, view in enumerate(shown):
        y = top + 82 + 38 * index
        _symbol(page, _MARGIN + _PAD + 8, y - 8, view.laterality, 7)
        write(page, f"{view.laterality} {view.view}", _MARGIN + _PAD + 28, y, size_px=24, colour=INK)
        if view.percent is None:
            write(page, view.note, x, y, size_px=22, colour=QUIET)
            continue
        colour = RIGHT_INK if view.laterality is Laterality.RIGHT else LEFT_INK
        panel(page, x, y - 18, max(4.0, room * view.percent / longest), 20, colour, radius=5)
        right = _MARGIN + width - _PAD
        write(
            page,
            f"{_percent(words, view.percent)}  {view.letter}",
            right - (96 if view.volumetric_percent is not None else 0),
            y,
            size_px=24,
            colour=INK,
            weight=MEDIUM,
            align="right",
        )
        if view.volumetric_percent is not None:
            write(page, _percent(words, view.volumetric_percent, 1), right, y, size_px=22, colour=SOFT, align="right")


def _agreement(page: Page, top: float, facts: DensityFacts, words: Words) -> None:
    x, width = _MARGIN + _HALF + 110 + _GAP, _WIDE - _HALF - 110 - _GAP
    _titled(page, x, top, width, 224, words.agreement)
    rows = [
        (None, words.left_less_right, facts.left_less_right),
        (Laterality.RIGHT, words.cc_less_mlo, facts.right.cc_less_mlo),
        (Laterality.LEFT, words.cc_less_mlo, facts.left.cc_less_mlo),
    ]
    for index, (side, name, value) in enumerate(rows):
        y = top + 90 + 40 * index
        text = "–" if value is None else f"{words.number(value, 1, signed=True)}"
        if side is not None:
            _symbol(page, x + _PAD + 8, y - 8, side, 7)
        write(page, name, x + _PAD + (28 if side else 0), y, size_px=23, colour=INK)
        write(page, text, x + width - _PAD, y, size_px=26, colour=INK, weight=BOLD, align="right")
    write(page, f"{words.percent_density}: {words.points}", x + _PAD, top + 206, size_px=18, colour=QUIET)


def _remarks(page: Page, top: float, bottom: float, facts: DensityFacts, words: Words) -> None:
    _titled(page, _MARGIN, top, _WIDE, bottom - top, words.quality)
    if not facts.remarks:
        write(page, words.no_remark, _MARGIN + _PAD, top + 78, size_px=22, colour=INK)
        return
    column, down = (_WIDE - 2 * _PAD - 30) // 2, int(bottom - top - 50) // 30
    room = 2 * down
    lines = [line for remark in facts.remarks for line in wrapped(remark, column, 20)]
    if len(lines) > room:
        lines = [*lines[: room - 1], "…"]
    for index, line in enumerate(lines):
        x = _MARGIN + _PAD + (column + 30) * (index // down)
        write(page, line, x, top + 76 + 30 * (index % down), size_px=20, colour=INK)


def _foot(page: Page, facts: DensityFacts, provenance: Provenance, words: Words) -> None:
    write(page, words.notice, _MARGIN, 1536, size_px=23, colour=INK, weight=MEDIUM)
    name = "Reread" if provenance.algorithm == NAME else f"Reread, {provenance.algorithm}"
    text = f"{name} {provenance.version}  {provenance.parameters_digest[:8]}"
    write(page, text, PAGE_COLUMNS - _MARGIN, 1536, size_px=20, colour=QUIET, align="right")
    for line in wrapped(words.letter_note, _WIDE, 20)[:1]:
        write(page, line, _MARGIN, 1572, size_px=20, colour=SOFT, weight=REGULAR)
