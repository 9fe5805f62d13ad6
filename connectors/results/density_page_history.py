"""The history on the density page: both breasts over the years, this examination last."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_shapes import diamond, disc, stroke
from reread.analytics.pictures_text import MEDIUM, text_width, write
from reread.connectors.header_values import valid_date
from reread.connectors.results.density_page_facts import DensityFacts
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.results.page_language import Words
from reread.connectors.results.page_palette import CARD, EDGE, INK, LEFT_INK, QUIET, RIGHT_INK, SOFT

_SHOWN = 12


def draw_history(
    page: NDArray[np.uint8], x: float, top: float, width: float, height: float, facts: DensityFacts, words: Words
) -> None:
    """Lines of both breasts over time; hollow points were measured by another version."""
    earlier = [item for item in facts.earlier if valid_date(item.study_date)][-_SHOWN:]
    if not earlier or not valid_date(facts.study_date):
        write(page, words.no_history, x, top + 78, size_px=22, colour=INK)
        return
    now = EarlierDensity(
        facts.study_date,
        facts.both.percent or 0.0,
        facts.both.letter,
        facts.right.percent,
        facts.left.percent,
        facts.both.volumetric_percent,
        facts.version,
    )
    items = [*earlier, now]
    values = [value for item in items for value in (item.right, item.left, item.percent_density) if value is not None]
    end = max(20.0, 10.0 * np.ceil(max(values) / 10 + 0.3))
    left, right, bottom, ceiling = x + 44, x + width - 70, top + height - 44, top + 58
    for tick in np.linspace(0, end, 3):
        y = bottom - (bottom - ceiling) * tick / end
        stroke(page, left, y, right + 40, y, EDGE)
        write(page, f"{tick:.0f}", left - 12, y + 6, size_px=18, colour=QUIET, align="right")
    days = np.array(
        [date(int(i.study_date[:4]), int(i.study_date[4:6]), int(i.study_date[6:])).toordinal() for i in items]
    )
    span = max(1, int(days[-1] - days[0]))
    across = left + 40 + (right - left - 60) * (days - days[0]) / span
    for name, colour in (("right", RIGHT_INK), ("left", LEFT_INK)):
        points = [
            (float(at), bottom - (bottom - ceiling) * getattr(item, name) / end, item.version == now.version)
            for at, item in zip(across, items, strict=True)
            if getattr(item, name) is not None
        ]
        for (x0, y0, _), (x1, y1, _) in pairwise(points):
            stroke(page, x0, y0, x1, y1, colour, line=3)
        for at, y, same in points:
            if name == "right":
                disc(page, at, y, 8, colour)
                if not same:
                    disc(page, at, y, 4.5, CARD)
            else:
                diamond(page, at, y, 10, colour)
                if not same:
                    diamond(page, at, y, 5.5, CARD)
    taken = -1e9
    for at, item in [(across[-1], items[-1]), *zip(across[:-1], items[:-1], strict=True)]:
        text = f"{item.study_date[:4]}  {words.number(item.percent_density)} % {item.category}"
        half = text_width(text, 18) / 2
        last = item is items[-1]
        if not last and (at - half < taken or at + half > across[-1] - text_width(text, 18) * 0.55):
            continue
        write(page, text, at, bottom + 28, size_px=18, colour=INK if last else SOFT, weight=MEDIUM, align="centre")
        taken = at + half + 16 if not last else taken
    if any(item.version != now.version for item in earlier):
        write(page, f"○ ◇  {words.other_version}", x + width, top + 40, size_px=18, colour=QUIET, align="right")
