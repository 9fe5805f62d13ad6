"""Building blocks of an SR content tree (PS3.3 C.17.3): one function per value type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from pydicom.dataset import Dataset

from reread.connectors.reports.codes import Code

Points = Sequence[tuple[float, float]]
"""(x_px, y_px) with (0, 0) at the centre of the first pixel, as everywhere in Reread"""


def code_item(code: Code) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def _item(relationship: str, value_type: str, concept: Code | None, children: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if concept is not None:
        item.ConceptNameCodeSequence = [code_item(concept)]
    below = list(children)
    if below:
        item.ContentSequence = below
    return item


def container(relationship: str, concept: Code, children: Iterable[Dataset] = (), *, template: str = "") -> Dataset:
    """CONTAINER; `template` only on the root."""
    item = _item(relationship, "CONTAINER", concept, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        content_template = Dataset()
        content_template.MappingResource = "DCMR"
        content_template.TemplateIdentifier = template
        item.ContentTemplateSequence = [content_template]
    return item


def code(relationship: str, concept: Code, value: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """CODE"""
    item = _item(relationship, "CODE", concept, children)
    item.ConceptCodeSequence = [code_item(value)]
    return item


def text(relationship: str, concept: Code, value: str) -> Dataset:
    """TEXT"""
    item = _item(relationship, "TEXT", concept, ())
    item.TextValue = value
    return item


def date(relationship: str, concept: Code, value: str) -> Dataset:
    """DATE"""
    item = _item(relationship, "DATE", concept, ())
    item.Date = value
    return item


def time(relationship: str, concept: Code, value: str) -> Dataset:
    """TIME"""
    item = _item(relationship, "TIME", concept, ())
    item.Time = value
    return item


def number(relationship: str, concept: Code, value: float, unit: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """NUM; the value as DS of at most 16 characters"""
    item = _item(relationship, "NUM", concept, children)
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [code_item(unit)]
    measured.NumericValue = f"{value:.10g}"
    item.MeasuredValueSequence = [measured]
    return item


def image(relationship: str, sop_class_uid: str, sop_instance_uid: str, children: Iterable[Dataset] = ()) -> Dataset:
    """IMAGE"""
    item = _item(relationship, "IMAGE", None, children)
    item.ReferencedSOPSequence = [reference(sop_class_uid, sop_instance_uid)]
    return item


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """One item of a Referenced SOP Sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def by_reference(relationship: str, target: tuple[int, ...]) -> Dataset:
    """A by-reference relationship: path of the target from the root, which is 1 (PS3.3 C.17.3.2.5)."""
    item = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = list(target)
    return item


def point(concept: Code, x_px: float, y_px: float, target: tuple[int, ...]) -> Dataset:
    """SCOORD POINT on the image at `target`."""
    return _coordinates(concept, "POINT", ((x_px, y_px),), target)


def polygon(concept: Code, points: Points, target: tuple[int, ...]) -> Dataset:
    """SCOORD POLYLINE, closed: the last point repeats the first (R1.208)."""
    distinct = [points[0], *(after for before, after in pairwise(points) if after != before)]
    if distinct[0] != distinct[-1] or len(distinct) == 1:
        distinct.append(distinct[0])
    return _coordinates(concept, "POLYLINE", distinct, target)


def _coordinates(concept: Code, graphic_type: str, points: Points, target: tuple[int, ...]) -> Dataset:
    item = _item("HAS PROPERTIES", "SCOORD", concept, [by_reference("SELECTED FROM", target)])
    item.GraphicType = graphic_type
    # SCOORD counts from the corner of the first pixel (PS3.3 C.18.6.1.2), Reread from its centre
    # and a smoothed outline may reach a little beyond the image
    item.GraphicData = [max(value + 0.5, 0.0) for xy in points for value in xy]
    return item
