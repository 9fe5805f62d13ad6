"""The page of an evaluation: every figure with its interval, and the curves. One HTML file, no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, isnan
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reread.analytics.evaluation import QUANTITIES, Evaluation
from reread.analytics.evaluation_bootstrap import Interval

_NAMES = {
    "mass": "Masses",
    "asymmetry_distortion": "Asymmetries and distortions",
    "calcification_cluster": "Calcification clusters",
    "any_lesion": "Any lesion",
}
_COLOURS = ("#0b6e75", "#9a4b00", "#5b3f9e", "#1d2430")
_WIDTH, _HEIGHT, _LEFT, _BELOW, _EDGE = 420, 300, 52, 44, 12
_MOST_POINTS = 5000

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class EvaluationSources:
    """What was compared, in words."""

    truth: str
    measured: str
    algorithms: tuple[str, ...]
    not_measured: int
    """images of the truth without a result"""
    left_out: int
    """of those, images that were not counted"""


def write_evaluation_page(evaluation: Evaluation, sources: EvaluationSources, page: Path) -> Path:
    """Write the page; it appears whole or not at all."""
    environment = Environment(
        loader=PackageLoader("reread.connectors", "."), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    environment.filters["interval"] = _unbroken
    text = environment.get_template("evaluation_page.html").render(
        e=evaluation, sources=sources, names=_NAMES, quantities=QUANTITIES, drawings=_drawings(evaluation)
    )
    temporary = page.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)
    return page


def interval_text(figure: Interval, digits: int = 3) -> str:
    """``0.812 (0.740–0.880)``; a dash where there is no figure."""
    if isnan(figure.value):
        return "–"
    if isnan(figure.low):
        return f"{figure.value:.{digits}f}"
    between = " to " if figure.low < 0 else "–"
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f}{between}{figure.high:.{digits}f})"


def _unbroken(figure: Interval, digits: int = 3) -> str:
    """A line may break before the bracket only."""
    value, *rest = interval_text(figure, digits).replace("-", "\u2212").split(" (")
    return " (".join([value, *(text.replace(" ", "\u00a0").replace("–", "\u2060–\u2060") for text in rest)])


def name_of(group: str) -> str:
    """A group of lesions in words."""
    return _NAMES[group]


def _drawings(evaluation: Evaluation) -> Mapping[str, Sequence[tuple[str, Markup]]]:
    curves = {_NAMES[name]: [(x, y) for x, y in group.curve if x <= 4] for name, group in evaluation.detection.items()}
    roc = {_NAMES[name]: list(found.curve) for name, found in evaluation.image_level.items()}
    detection = []
    if any(curves.values()):
        bars = [
            [(rate, found) for rate, found in zip(group.rates, group.sensitivity, strict=True)]
            for group in evaluation.detection.values()
        ]
        detection.append(
            ("FROC; bars are 95 % intervals", _steps(curves, "false marks per normal image", "sensitivity", 4.0, bars))
        )
    if any(roc.values()):
        detection.append(("ROC of images", _steps(roc, "share of normal images", "share of images with a lesion")))
    density = []
    if evaluation.tissue is not None:
        tissue = {"Dense": list(evaluation.tissue.dense.curve), "Fatty": list(evaluation.tissue.fatty.curve)}
        if any(tissue.values()):
            density.append(("ROC of percent density", _steps(tissue, "share of the rest", "share of the class")))
    for quantity, found in evaluation.numbers.items():
        name, unit = QUANTITIES[quantity]
        density.append((f"{name}: measured against true", _against(found.points, unit)))
        limits = (found.limit_low.value, found.bias.value, found.limit_high.value)
        density.append((f"{name}: difference against mean (Bland–Altman)", _bland_altman(found.points, limits, unit)))
    return {"detection": detection, "density": density}


class _Axes:
    """Data to drawing, with the frame, ticks and words."""

    def __init__(self, across: Point, up: Point, words: tuple[str, str]) -> None:
        self._across, self._up = _widened(across), _widened(up)
        self._parts: list[Markup] = []
        for value in _ticks(self._across):
            x, _ = self.place(value, self._up[0])
            self.add('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>', x, x, _EDGE, _HEIGHT - _BELOW)
            self.add('<text x="{}" y="{}" text-anchor="middle">{}</text>', x, _HEIGHT - _BELOW + 15, f"{value:g}")
        for value in _ticks(self._up):
            _, y = self.place(self._across[0], value)
            self.add('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>', _LEFT, _WIDTH - _EDGE, y, y)
            self.add('<text x="{}" y="{}" text-anchor="end">{}</text>', _LEFT - 6, y + 4, f"{value:g}")
        middle = (_HEIGHT - _BELOW + _EDGE) / 2
        self.add('<text x="{}" y="{}" text-anchor="middle">{}</text>', (_LEFT + _WIDTH) / 2, _HEIGHT - 8, words[0])
        turned = f"rotate(-90 12 {middle:g})"
        self.add('<text x="12" y="{}" text-anchor="middle" transform="{}">{}</text>', middle, turned, words[1])

    def place(self, x: float, y: float) -> Point:
        (left, right), (low, high) = self._across, self._up
        return (
            round(_LEFT + (x - left) / (right - left) * (_WIDTH - _EDGE - _LEFT), 1),
            round(_HEIGHT - _BELOW - (y - low) / (high - low) * (_HEIGHT - _BELOW - _EDGE), 1),
        )

    def add(self, form: str, *values: object) -> None:
        self._parts.append(Markup(form).format(*values))

    def line(self, points: Sequence[Point], colour: str, dash: str = "none") -> None:
        placed = " ".join(f"{x:g},{y:g}" for x, y in (self.place(*point) for point in points))
        form = '<polyline points="{}" fill="none" stroke="{}" stroke-width="1.8" stroke-dasharray="{}"/>'
        self.add(form, placed, colour, dash)

    def dots(self, points: Sequence[Point]) -> None:
        step = -(-len(points) // _MOST_POINTS) or 1
        for point in points[::step]:
            self.add('<circle cx="{}" cy="{}" r="2.2" fill="{}" fill-opacity=".55"/>', *self.place(*point), _COLOURS[0])

    def drawing(self, label: str) -> Markup:
        form = '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        return Markup(form).format(_WIDTH, _HEIGHT, label, Markup("").join(self._parts))


def _steps(
    curves: Mapping[str, Sequence[Point]],
    across: str,
    up: str,
    most: float = 1.0,
    bars: Sequence[Sequence[tuple[float, Interval]]] = (),
) -> Markup:
    axes = _Axes((0.0, most), (0.0, 1.0), (across, up))
    shown = [(name, points) for name, points in curves.items() if points]
    for index, (name, points) in enumerate(shown):
        colour = _COLOURS[list(curves).index(name) % len(_COLOURS)]
        # between two thresholds an FROC has no points; of tied images an ROC has all on the straight line
        stairs = [corner for a, b in pairwise(points) for corner in (a, (b[0], a[1]))] if bars else points
        axes.line([*stairs, points[-1]], colour)
        x, y = axes.place(most, 0.0)
        row = y - 10 - 15 * (len(shown) - 1 - index)
        axes.add('<text x="{}" y="{}" text-anchor="end" fill="{}">{}</text>', x - 6, row, colour, name)
    for index, figures in enumerate(bars):
        for rate, figure in figures:
            if isfinite(figure.low):
                shift = rate + (index - 1) * 0.03
                axes.line([(shift, figure.low), (shift, figure.high)], _COLOURS[index % len(_COLOURS)])
    return axes.drawing(f"{up} against {across}")


def _against(points: Sequence[Point], unit: str) -> Markup:
    values = [value for point in points for value in point]
    span = min(values), max(values)
    axes = _Axes(span, span, (f"true, {unit}", f"measured, {unit}"))
    axes.line([(span[0], span[0]), (span[1], span[1])], _COLOURS[3], "4 3")
    axes.dots(points)
    return axes.drawing("measured against true")


def _bland_altman(points: Sequence[Point], limits: Sequence[float], unit: str) -> Markup:
    placed = [((true + seen) / 2, seen - true) for true, seen in points]
    usable = [value for value in limits if isfinite(value)]
    across = min(x for x, _ in placed), max(x for x, _ in placed)
    heights = [*usable, 0.0, *(y for _, y in placed)]
    axes = _Axes(across, (min(heights), max(heights)), (f"mean, {unit}", f"measured less true, {unit}"))
    for value in usable:
        axes.line([(across[0], value), (across[1], value)], _COLOURS[1], "5 3")
    axes.dots(placed)
    return axes.drawing("difference against mean")


def _widened(span: Point) -> Point:
    """An axis needs a length."""
    return span if span[1] > span[0] else (span[0] - 0.5, span[1] + 0.5)


def _ticks(span: Point) -> list[float]:
    """Four to eight round numbers within."""
    low, high = span
    size = 10.0 ** len(str(int(high - low)))
    steps = [size * factor / 10**power for power in range(6) for factor in (1.0, 0.5, 0.2)]
    step = next((one for one in steps if (high - low) / one >= 4), steps[-1])
    first = int(low // step)
    return [k * step for k in range(first, first + 12) if low <= k * step <= high]
