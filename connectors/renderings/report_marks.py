"""What a structured report outlines, whatever wrote it: coordinates, their image, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reread.connectors.renderings.canvas import Canvas, Colour, Hanging, round_shape
from reread.connectors.reports import codes as c
from reread.connectors.reports.content_tree import Node

_NOT_FOR_PRESENTATION = "111152"
_FINDING = "121071"
_COLOURS: tuple[Colour, ...] = ((255, 196, 64), (110, 210, 255), (255, 130, 170), (150, 235, 150), (210, 170, 255))


@dataclass(frozen=True, slots=True)
class ReportMark:
    """One SCOORD of a report."""

    sop_instance_uid: str
    graphic_type: str
    points: tuple[tuple[float, float], ...]
    """from the corner of the first pixel"""
    concept: str
    """what the coordinates are: Center, Outline …"""
    finding: str
    """what they belong to, "" where nothing says"""
    named: bool
    """whether the name of the finding is written beside this one of its coordinates"""


def report_marks(root: Node) -> tuple[ReportMark, ...]:
    """Every SCOORD on an image in document order.

    Findings whose rendering intent is Not for Presentation (111152, PS3.16 CID 6034) are left out, with all below them.
    """
    library = {node.path: node.sop_instance_uid for node in root.walk() if node.sop_instance_uid}
    return tuple(_below(root, "", False, library))


def _below(node: Node, finding: str, inside: bool, library: dict[tuple[int, ...], str]) -> Iterator[ReportMark]:
    """`inside`: below a finding of one image, as the calcifications of a cluster are; only the whole is named."""
    if any(child.value == _NOT_FOR_PRESENTATION for child in node.named(c.RENDERING_INTENT)):
        return
    own = _called(node)
    finding = own or finding
    outlined = [child for child in node.children if child.value_type == "SCOORD"]
    centre = next((child for child in outlined if child.name == c.CENTER.value), outlined[0] if outlined else None)
    for child in outlined:
        uid = next(
            (found for item in child.children if (found := item.sop_instance_uid or library.get(item.target, ""))), ""
        )
        concept = child.concept.meaning if child.concept else ""
        yield ReportMark(
            uid, child.graphic_type, child.points, concept, finding, bool(own) and not inside and child is centre
        )
    inside = inside or node.name == c.SINGLE_IMAGE_FINDING.value
    for child in node.children:
        if child.value_type != "SCOORD":
            yield from _below(child, finding, inside, library)


def _called(node: Node) -> str:
    """Name of a finding: the value of a coded item, or of the Finding of a measurement group."""
    if node.value_type == "CODE" and node.name in (c.SINGLE_IMAGE_FINDING.value, c.COMPOSITE_FEATURE.value):
        return node.code.meaning if node.code else ""
    if node.value_type == "CONTAINER":
        return next((child.code.meaning for child in node.children if child.name == _FINDING and child.code), "")
    return ""


def draw_marks(canvas: Canvas, marks: tuple[ReportMark, ...], where: Hanging) -> None:
    """Draw the marks of one image; each name of a finding has its colour."""
    names = list(dict.fromkeys(mark.finding for mark in marks))
    for mark in marks:
        colour = _COLOURS[names.index(mark.finding) % len(_COLOURS)]
        if not mark.points:
            continue
        placed = where.place(np.array(mark.points), canvas.height_px)
        if mark.graphic_type in ("POINT", "MULTIPOINT"):
            for x, y in placed:
                canvas.cross(x, y, colour)
        elif (outline := round_shape(mark.graphic_type, placed)) is not None:
            canvas.line(outline, colour, closed=True)
        else:
            canvas.line(placed, colour)
        if mark.named and mark.finding:
            x, y = placed.mean(axis=0)
            canvas.words(mark.finding, x + 0.8 * canvas.letter_px, y - 0.4 * canvas.letter_px, colour)
