"""The predicates that the conditions of the templates name; each sees the item that the row's items hang below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.value_sets import dcm, key


@dataclass(frozen=True, slots=True)
class Document:
    """What a predicate may ask of the rest of the report."""

    root: Node
    nodes: Mapping[tuple[int, ...], Node]
    points: Mapping[tuple[str, str], int | None]
    """`key` of a kind of detection that states operating points → its maximum, None when that is unreadable"""


Predicate = Callable[[Node, Document], bool]

MASS_FEATURE = Code("129788004", "SCT", "Mammographic breast mass")
NON_LESION = dcm("111102")
DEFINED_REGION = Code("131184002", "SCT", "Area of defined region")


def describe(root: Node) -> Document:
    """The document with the answers that many predicates need."""
    nodes = {node.path: node for node in root.walk()}
    points: dict[tuple[str, str], int | None] = {}
    for node in nodes.values():
        if is_named(node, c.DETECTION) and node.code is not None:
            for child in node.children:
                if is_named(child, c.MAXIMUM_OPERATING_POINT):
                    number = child.number
                    points[key(node.code)] = int(number) if number is not None and abs(number) < 1e6 else None
    return Document(root, nodes, points)


def is_named(node: Node, concept: Code) -> bool:
    """Whether the concept name is this one or an equivalent."""
    return node.concept is not None and key(node.concept) == key(concept)


def has_value(node: Node, *values: Code) -> bool:
    """Whether the value of a CODE is one of these or an equivalent."""
    return node.code is not None and key(node.code) in {key(value) for value in values}


def _value(*values: Code) -> Predicate:
    return lambda parent, document: has_value(parent, *values)


def _without(*values: Code) -> Predicate:
    return lambda parent, document: not has_value(parent, *values)


def _child(*concepts: Code) -> Predicate:
    return lambda parent, document: any(is_named(child, concept) for child in parent.children for concept in concepts)


def _child_value(concept: Code, value: Code) -> Predicate:
    return lambda parent, document: any(is_named(i, concept) and has_value(i, value) for i in parent.children)


def _optional_with_points(parent: Node, document: Document) -> bool:
    """TID 4006 row 3: `parent` is the Rendering Intent, above it stands the finding."""
    finding = document.nodes.get(parent.path[:-1])
    kind = finding.code if finding is not None else None
    return has_value(parent, c.OPTIONAL) and kind is not None and key(kind) in document.points


def _whole_image(parent: Node) -> bool:
    return any(child.target and child.relationship == "INFERRED FROM" for child in parent.children)


def _region(parent: Node) -> bool:
    return any(is_named(child, dcm("111030")) for child in parent.children)


def _has_findings(parent: Node, document: Document) -> bool:
    wanted = (c.SINGLE_IMAGE_FINDING, c.COMPOSITE_FEATURE)
    return any(is_named(node, concept) for node in document.nodes.values() for concept in wanted)


_OBSERVER, _PERSON, _DEVICE = dcm("121005"), dcm("121006"), dcm("121007")
_OF_DEVICES = tuple(dcm(value) for value in ("121012", "121013", "121014", "121015", "121016", "121017"))
_OF_PERSONS = tuple(dcm(value) for value in ("121008", "121009", "121010", "121011"))
_SUBJECT, _MODALITY = dcm("121024"), dcm("121139")


def _observed_by_person(parent: Node, document: Document) -> bool:
    """TID 1002: an observer without a type is a person; only the first of several can lack its type."""
    observers = (_OBSERVER, *_OF_PERSONS, *_OF_DEVICES)
    told = [child for child in parent.children if any(is_named(child, concept) for concept in observers)]
    if told and not is_named(told[0], _OBSERVER):
        return True
    return any(is_named(child, _OBSERVER) and has_value(child, _PERSON) for child in told)


def _subject(value: str, *, default: bool = False) -> Predicate:
    def holds(parent: Node, document: Document) -> bool:
        kinds = [child for child in parent.children if is_named(child, _SUBJECT)]
        return any(has_value(child, dcm(value)) for child in kinds) or (default and not kinds)

    return holds


def _modality(*values: str) -> Predicate:
    """TID 1602; what is said of a group of images holds for each of them."""

    def holds(parent: Node, document: Document) -> bool:
        above = document.nodes.get(parent.path[:-1])
        told = [child for node in (parent, above) if node is not None for child in node.children]
        return any(
            is_named(child, _MODALITY) and child.code is not None and child.code.value in values for child in told
        )

    return holds


PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {
        "parent_was_attempted": _without(c.NOT_ATTEMPTED),
        "document_has_findings": _has_findings,
        "relation_is_temporal": _child_value(dcm("111016"), dcm("111153")),
        "parent_has_impression": _child(dcm("111005"), dcm("111023"), c.IMPRESSION_DESCRIPTION),
        "parent_is_lesion": _without(NON_LESION),
        "parent_is_mass_or_density": _value(c.MASS, MASS_FEATURE),
        "parent_is_cluster": _value(c.CLUSTER),
        "parent_is_calcification": _value(c.CLUSTER, c.CALCIFICATION),
        "parent_is_optional_with_points": _optional_with_points,
        "parent_can_be_cancer": _without(
            c.COMPOSITION, c.BREAST_GEOMETRY, c.NIPPLE, dcm("111099"), dcm("111101"), NON_LESION
        ),
        "parent_has_place": _without(c.COMPOSITION, c.BREAST_GEOMETRY, dcm("111101")),
        "parent_is_composition": _value(c.COMPOSITION),
        "parent_is_breast_geometry": _value(c.BREAST_GEOMETRY),
        "parent_is_single_calcification": _value(c.CALCIFICATION),
        "parent_is_density": _value(c.MASS),
        "parent_is_nipple": _value(c.NIPPLE),
        "parent_is_non_lesion": _value(NON_LESION),
        "parent_is_selected_region": _value(dcm("111099")),
        "parent_is_image_quality": _value(dcm("111101")),
        "parent_is_quality_of_image": lambda parent, document: has_value(parent, dcm("111101")) and not _region(parent),
        "parent_is_quality_of_region": lambda parent, document: (
            has_value(parent, dcm("111101")) and not _whole_image(parent)
        ),
        "parent_has_quality_assessment": _child(dcm("111050")),
        "parent_succeeded": _value(c.SUCCEEDED, c.PARTIALLY),
        "parent_failed": _value(c.FAILED, c.PARTIALLY),
        "parent_has_position_x": _child(dcm("110901")),
        "parent_has_row_x": _child(dcm("110904")),
        "parent_has_rows": _child(dcm("110910")),
        "device_is_described": _child(*_OF_DEVICES),
        "observer_is_person": _observed_by_person,
        "observer_is_device": _child_value(_OBSERVER, _DEVICE),
        "subject_is_patient": _subject("121025", default=True),
        "subject_is_fetus": _subject("121026"),
        "subject_is_specimen": _subject("121027"),
        "subject_is_device": _subject("121192"),
        "modality_is_projection": _modality("CR", "DX", "IO", "MG", "PX", "RF", "RG", "XA"),
        "modality_is_sectional": _modality("CT", "MR", "PT"),
        "parent_has_segmentation_frame": _child(dcm("121214")),
        "parent_is_segmented": _child(dcm("121191"), dcm("121231")),
        "parent_is_defined_region": lambda parent, document: is_named(parent, DEFINED_REGION),
    }
)
