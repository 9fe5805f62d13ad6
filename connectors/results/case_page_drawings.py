"""The drawings of the case page as geometry for SVG: marks, scales and the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

from reread.analytics.pictures_marks import mark_strokes
from reread.analytics.pictures_overlay import Mark
from reread.connectors.results.case_page_facts import Row
from reread.connectors.results.density_page_facts import Scale
from reread.connectors.results.page_language import Words


@dataclass(frozen=True, slots=True)
class MarkDrawing:
    """One mark over a view."""

    anchor: str
    """of its row in the findings table"""
    kind: str
    operating_point: int
    label: str
    """probability"""
    title: str
    lines: tuple[str, ...]
    """points of polylines"""
    members: tuple[tuple[str, str], ...]
    label_x: str
    label_y: str
    label_before: bool
    """the label ends there, as there is no room behind the mark"""


@dataclass(frozen=True, slots=True)
class ScaleDrawing:
    """A scale; numbers are percent of its width."""

    name: str
    steps: tuple[tuple[str, str, str], ...]
    """(letter, from, width)"""
    limits: tuple[tuple[str, str], ...]
    """(where, number)"""
    values: tuple[tuple[str, str, str], ...]
    """(R, L or both, where, number)"""
    end: str
    source: str


@dataclass(frozen=True, slots=True)
class HistoryDrawing:
    """The history as a chart of `width` x `height`."""

    width: int
    height: int
    grid: tuple[tuple[str, str], ...]
    """(y, number)"""
    right: str
    left: str
    points: tuple[tuple[str, str, str, bool, str], ...]
    """(x, y, R or L, measured by this version, text)"""
    ticks: tuple[tuple[str, str, bool], ...]
    """(x, text, this examination)"""
    other_version: bool


def mark_drawing(mark: Mark, width: int, anchor: str, words: Words) -> MarkDrawing:
    """One mark as SVG."""
    name = words.finding(mark.kind, mark.nature)
    before = mark.x + mark.half_width + 60 > width
    probability = f"{words.number(100 * mark.score)} %"
    return MarkDrawing(
        anchor=anchor,
        kind=mark.kind.value,
        operating_point=mark.operating_point,
        label=probability,
        title=f"{name}, {words.probability.lower() if words.language == 'en' else words.probability} {probability}",
        lines=tuple(points_text(stroke.tolist()) for stroke in mark_strokes(mark)),
        members=tuple((f"{x:.1f}", f"{y:.1f}") for x, y in mark.members),
        label_x=f"{mark.x - mark.half_width - 6 if before else mark.x + mark.half_width + 6:.1f}",
        label_y=f"{mark.y - mark.half_height + 8:.1f}",
        label_before=before,
    )


def points_text(points: Iterable[Sequence[float]]) -> str:
    """Points of a polyline as SVG writes them."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def scale_drawing(
    scale: Scale, name: str, right: float | None, left: float | None, both: float | None, words: Words
) -> ScaleDrawing:
    """A scale with the values of a woman."""
    edges = [0.0, *scale.limits, scale.end]

    def at(value: float) -> str:
        return f"{100 * min(value, scale.end) / scale.end:.2f}"

    known = [(side, value) for side, value in (("both", both), ("R", right), ("L", left)) if value is not None]
    return ScaleDrawing(
        name=name,
        steps=tuple(
            (letter, at(low), at(high - low)) for letter, low, high in zip("abcd", edges, edges[1:], strict=False)
        ),
        limits=tuple((at(limit), f"{limit:g}".replace(".", words.decimal_mark)) for limit in scale.limits),
        values=tuple((side, at(value), f"{words.number(value, 1)} %") for side, value in known),
        end=f"{scale.end:g} %",
        source=scale.source,
    )


def history_drawing(history: Sequence[Row], study: Row, words: Words) -> HistoryDrawing | None:
    """The chart of the breasts over time; None with fewer than two dated examinations."""
    dated = [row for row in history if isinstance(row["study_date"], date)]
    if len(dated) < 2:
        return None
    width, height, left, right, top, bottom = 760, 240, 46, 716, 16, 204
    names = {"R": "percent_density_right", "L": "percent_density_left"}
    values = [row[name] for row in dated for name in names.values() if row[name] is not None]
    end = max(20, 10 * ceil(max(values, default=0) / 10 + 0.3))
    first = dated[0]["study_date"].toordinal()
    span = max(1, dated[-1]["study_date"].toordinal() - first)

    def x(row: Row) -> float:
        days: int = row["study_date"].toordinal() - first
        return float(left + 30 + (right - left - 60) * days / span)

    def y(value: float) -> float:
        return float(bottom - (bottom - top) * value / end)

    same = {row["study_instance_uid"]: row["version"] == study["version"] for row in dated}
    ticks, taken = [], 1e9
    for row in reversed(dated):  # the newest date is always written
        if x(row) < taken - 92:
            this = row["study_instance_uid"] == study["study_instance_uid"]
            ticks.append((f"{x(row):.1f}", row["study_date"].isoformat(), this))
            taken = x(row)
    return HistoryDrawing(
        width=width,
        height=height,
        grid=tuple((f"{y(value):.1f}", f"{value:g}") for value in (0, end / 2, end)),
        right=points_text((x(row), y(row[names["R"]])) for row in dated if row[names["R"]] is not None),
        left=points_text((x(row), y(row[names["L"]])) for row in dated if row[names["L"]] is not None),
        points=tuple(
            (
                f"{x(row):.1f}",
                f"{y(row[name]):.1f}",
                side,
                same[row["study_instance_uid"]],
                f"{row['study_date'].isoformat()}: {side} {words.number(row[name], 1)} %",
            )
            for row in dated
            for side, name in names.items()
            if row[name] is not None
        ),
        ticks=tuple(ticks),
        other_version=not all(same.values()),
    )
