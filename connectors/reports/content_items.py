"""Building blocks of an SR content tree (PS3.3 C.17.3): one function per value type.

An item here is a small record, not yet a data set: a report has thousands of them. `content_encoding` makes data sets
or bytes of a finished tree, and finds the places that by-reference items point to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pydicom.dataset import Dataset

from reread.connectors.reports.codes import Code

Points = Sequence[tuple[float, float]]
"""(x_px, y_px) with (0, 0) at the centre of the first pixel, as everywhere in Reread"""
HAS_PROPERTIES, HAS_MODIFIER, CONTAINS, INFERRED_FROM = "HAS PROPERTIES", "HAS CONCEPT MOD", "CONTAINS", "INFERRED FROM"


@dataclass(slots=True, eq=False)
class Item:
    """One content item with all below it; an item may stand in several places, unless something refers to it."""

    relationship: str
    value_type: str
    """"" for an item that refers to `target`"""
    concept: Code | None = None
    children: Sequence[Item] = ()
    code: Code | None = None
    """value of a CODE, unit of a NUM"""
    text: str = ""
    """value of a TEXT, DATE, TIME or NUM"""
    graphic_type: str = ""
    graphic: tuple[float, ...] = ()
    """of a SCOORD: column, row, column, row … from the corner of the first pixel"""
    instance: tuple[str, str] | None = None
    """SOP Class UID and SOP Instance UID of an IMAGE"""
    target: Item | None = None
    template: str = ""
    """of the root"""
    continuity: str = field(default="", repr=False)

    def related(self, relationship: str) -> Item:
        """The same item under another relationship."""
        return Item(
            relationship,
            self.value_type,
            self.concept,
            self.children,
            self.code,
            self.text,
            self.graphic_type,
            self.graphic,
            self.instance,
            self.target,
            self.template,
            self.continuity,
        )


def container(relationship: str, concept: Code, children: Iterable[Item] = (), *, template: str = "") -> Item:
    """CONTAINER; `template` only on the root."""
    return Item(relationship, "CONTAINER", concept, tuple(children), template=template, continuity="SEPARATE")


def code(relationship: str, concept: Code, value: Code, children: Iterable[Item] = ()) -> Item:
    """CODE"""
    return Item(relationship, "CODE", concept, tuple(children), value)


def text(relationship: str, concept: Code, value: str) -> Item:
    """TEXT"""
    return Item(relationship, "TEXT", concept, text=value)


def date(relationship: str, concept: Code, value: str) -> Item:
    """DATE"""
    return Item(relationship, "DATE", concept, text=value)


def time(relationship: str, concept: Code, value: str) -> Item:
    """TIME"""
    return Item(relationship, "TIME", concept, text=value)


def number(relationship: str, concept: Code, value: float, unit: Code, children: Iterable[Item] = ()) -> Item:
    """NUM; the value as DS of at most 16 characters"""
    return Item(relationship, "NUM", concept, tuple(children), unit, f"{value:.10g}")


def image(relationship: str, sop_class_uid: str, sop_instance_uid: str, children: Iterable[Item] = ()) -> Item:
    """IMAGE"""
    return Item(relationship, "IMAGE", None, tuple(children), instance=(sop_class_uid, sop_instance_uid))


def by_reference(relationship: str, target: Item) -> Item:
    """A by-reference relationship (PS3.3 C.17.3.2.5)."""
    return Item(relationship, "", target=target)


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """One item of a Referenced SOP Sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def point(concept: Code, x_px: float, y_px: float, on: Item) -> Item:
    """SCOORD POINT on an entry of the Image Library."""
    return _coordinates(HAS_PROPERTIES, concept, "POINT", ((x_px, y_px),), on)


def polygon(concept: Code, points: Points, on: Item) -> Item:
    """SCOORD POLYLINE, closed: the last point repeats the first (R1.208)."""
    distinct = [points[0], *(after for before, after in pairwise(points) if after != before)]
    if distinct[0] != distinct[-1] or len(distinct) == 1:
        distinct.append(distinct[0])
    return _coordinates(HAS_PROPERTIES, concept, "POLYLINE", distinct, on)


def line(relationship: str, concept: Code, points: Points, on: Item) -> Item:
    """SCOORD POLYLINE, open."""
    return _coordinates(relationship, concept, "POLYLINE", points, on)


def ellipse(concept: Code, points: Points, on: Item) -> Item:
    """SCOORD ELLIPSE: the two ends of the major axis, then those of the minor one (R1.208)."""
    return _coordinates(HAS_PROPERTIES, concept, "ELLIPSE", points, on)


_MOST_POINTS = 8000
"""FL has a length of 16 bits in explicit VR: 8,191 points of two numbers"""


def _coordinates(relationship: str, concept: Code, graphic_type: str, points: Points, on: Item) -> Item:
    if len(points) > _MOST_POINTS:
        step = -(-len(points) // (_MOST_POINTS - 1))
        points = [*points[:-1:step], points[-1]]
    # SCOORD counts from the corner of the first pixel (PS3.3 C.18.6.1.2), Reread from its centre
    # and a smoothed outline may reach a little beyond the image
    graphic = tuple([max(value + 0.5, 0.0) for xy in points for value in xy])
    selected = (Item("SELECTED FROM", "", target=on),)
    return Item(relationship, "SCOORD", concept, selected, graphic_type=graphic_type, graphic=graphic)
