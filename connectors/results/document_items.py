"""Content items of the plain documents: reports that point to their images by value, without an image library.

(The Mammography CAD SR points by reference; its items are those of `reread.connectors.reports`.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from reread.analytics.measurement import NAME
from reread.analytics.records import ImageHeader, Provenance
from reread.connectors.identifiers import derived_uid
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import reference

HAS_MODIFIER, HAS_CONTEXT, CONTAINS = "HAS CONCEPT MOD", "HAS OBS CONTEXT", "CONTAINS"
_OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
_DEVICE = Code("121007", "DCM", "Device")
_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
_OBSERVER_NAME = Code("121013", "DCM", "Device Observer Name")
_OBSERVER_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
_OBSERVER_MODEL = Code("121015", "DCM", "Device Observer Model Name")
_LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
_ENGLISH = Code("en", "RFC5646", "English")


def coded(concept: Code) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept
    return item


def _item(relationship: str, value_type: str, concept: Code | None, children: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if concept is not None:
        item.ConceptNameCodeSequence = [coded(concept)]
    below = list(children)
    if below:
        item.ContentSequence = below
    return item


def container(relationship: str, concept: Code, children: Iterable[Dataset] = (), *, template: str = "") -> Dataset:
    """CONTAINER; with the DCMR template that it follows."""
    item = _item(relationship, "CONTAINER", concept, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        named = Dataset()
        named.MappingResource, named.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [named]
    return item


def code(relationship: str, concept: Code, value: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """CODE"""
    item = _item(relationship, "CODE", concept, children)
    item.ConceptCodeSequence = [coded(value)]
    return item


def text(relationship: str, concept: Code, value: str) -> Dataset:
    """TEXT"""
    item = _item(relationship, "TEXT", concept, ())
    item.TextValue = value
    return item


def uid(relationship: str, concept: Code, value: str) -> Dataset:
    """UIDREF"""
    item = _item(relationship, "UIDREF", concept, ())
    item.UID = value
    return item


def number(relationship: str, concept: Code, value: float, unit: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """NUM; the value as DS of at most 16 characters"""
    item = _item(relationship, "NUM", concept, children)
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [coded(unit)]
    measured.NumericValue = f"{value:.10g}"
    item.MeasuredValueSequence = [measured]
    return item


def image(
    relationship: str,
    sop_class_uid: str,
    sop_instance_uid: str,
    *,
    concept: Code | None = None,
    presentation_state: tuple[str, str] | None = None,
) -> Dataset:
    """IMAGE, with the (SOP Class, SOP Instance) UIDs of the presentation state that it is shown with."""
    item = _item(relationship, "IMAGE", concept, ())
    referenced = reference(sop_class_uid, sop_instance_uid)
    if presentation_state is not None:
        referenced.ReferencedSOPSequence = [reference(*presentation_state)]
    item.ReferencedSOPSequence = [referenced]
    return item


def region(
    relationship: str,
    concept: Code,
    graphic_type: str,
    points: Sequence[tuple[float, float]],
    header: ImageHeader,
) -> Dataset:
    """SCOORD selected from its image.

    SCOORD counts from the corner of the first pixel to columns and rows (PS3.3 C.18.6.1.2), the records from its
    centre; an outline that was smoothed beyond the image is brought back to its border.
    """
    item = _item(
        relationship,
        "SCOORD",
        concept,
        [image("SELECTED FROM", header.sop_class_uid, header.sop_instance_uid)],
    )
    item.GraphicType = graphic_type
    item.GraphicData = [
        min(max(value + 0.5, 0.0), float(limit))
        for x, y in points
        for value, limit in ((x, header.columns), (y, header.rows))
    ]
    return item


def language() -> Dataset:
    """TID 1204, without the country: a key object document may hang nothing below a code (PS3.3 A.35.4.3.1.2)"""
    return code(HAS_MODIFIER, _LANGUAGE, _ENGLISH)


def device_observer(provenance: Provenance) -> list[Dataset]:
    """TID 1002 and 1004: software observed, no person; the same algorithm version is the same device."""
    name = "Reread" if provenance.algorithm == NAME else f"Reread, model {provenance.algorithm}"
    device = derived_uid("device", provenance.algorithm, provenance.version, provenance.parameters_digest)
    return [
        code(HAS_CONTEXT, _OBSERVER_TYPE, _DEVICE),
        uid(HAS_CONTEXT, _OBSERVER_UID, device),
        text(HAS_CONTEXT, _OBSERVER_NAME, f"{name} {provenance.version}"),
        text(HAS_CONTEXT, _OBSERVER_MANUFACTURER, "Reread"),
        text(HAS_CONTEXT, _OBSERVER_MODEL, "Reread"),
    ]
