"""Checking a Mammography CAD SR against TID 4000: what IOD validators do not look at.

dciodvfy and dsrdump know the IOD; neither knows that a finding must name its algorithm or that an outline needs an
area. This checks the rows of TID 4000 … 4021 that a report cannot do without, and the references within the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_report import MAMMOGRAPHY_CAD_SR
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node, read_content


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    path: tuple[int, ...]
    """content item, from the root (1,)"""
    rule: str
    """short name of the rule"""
    detail: str


_STATUSES = {code.value for code in (c.SUCCEEDED, c.PARTIALLY, c.FAILED, c.NOT_ATTEMPTED)}
_INTENTS = {code.value for code in (c.REQUIRED, c.OPTIONAL, c.NOT_PRESENTED)}
_LOCATED = {code.value for code in (c.MASS, c.CLUSTER, c.CALCIFICATION, c.NIPPLE)}
_CID_6014 = {getattr(codes.cid6014, name).value for name in codes.cid6014.dir()}

# PS3.3 table A.35.5-2: source value type, relationship → target value types
_ALLOWED = {
    ("CONTAINER", "CONTAINS"): {
        "TEXT",
        "CODE",
        "NUM",
        "SCOORD",
        "IMAGE",
        "CONTAINER",
        "DATE",
        "TIME",
        "PNAME",
        "UIDREF",
    },
    ("CONTAINER", "HAS OBS CONTEXT"): {"TEXT", "CODE", "NUM", "DATE", "TIME", "PNAME", "UIDREF"},
    ("CONTAINER", "HAS ACQ CONTEXT"): {"TEXT", "CODE", "NUM", "DATE", "TIME", "PNAME", "UIDREF"},
    ("IMAGE", "HAS ACQ CONTEXT"): {"TEXT", "CODE", "NUM", "DATE", "TIME", "UIDREF"},
    ("TEXT", "HAS PROPERTIES"): {"TEXT", "CODE", "NUM", "SCOORD", "IMAGE", "DATE", "TIME", "CONTAINER"},
    ("CODE", "HAS PROPERTIES"): {"TEXT", "CODE", "NUM", "SCOORD", "IMAGE", "DATE", "TIME", "CONTAINER"},
    ("NUM", "HAS PROPERTIES"): {"TEXT", "CODE", "NUM", "SCOORD", "IMAGE", "DATE", "TIME", "CONTAINER"},
    ("SCOORD", "SELECTED FROM"): {"IMAGE"},
}
_INFERRED = {"TEXT", "CODE", "NUM", "SCOORD", "IMAGE", "DATE", "TIME", "CONTAINER"}
_MODIFIERS = {"TEXT", "CODE"}


def check_cad_report(path: Path) -> tuple[Violation, ...]:
    """Check one file; empty: nothing found.

    Raises
    ------
    InputError
        Not DICOM, or not a structured report.
    """
    dataset, root = read_content(path)
    nodes = {node.path: node for node in root.walk()}
    with quiet_reading():
        found = [*_document(dataset, root, nodes)]
    for node in nodes.values():
        found += _item(node, nodes)
        if node.name == c.SINGLE_IMAGE_FINDING.value:
            found += _finding(node)
        if node.name in (c.DETECTION.value, c.ANALYSIS.value):
            found += _performed(node)
        for child in node.children:
            found += _relationship(node, child, nodes)
    return tuple(found)


def _document(dataset: Dataset, root: Node, nodes: dict[tuple[int, ...], Node]) -> Iterator[Violation]:
    if text(dataset, "SOPClassUID") != MAMMOGRAPHY_CAD_SR:
        yield Violation((1,), "sop class", "not Mammography CAD SR Storage")
    if root.name != c.REPORT.value or root.template != "4000":
        yield Violation((1,), "root", "the root is (111036, DCM) of template 4000")
    yield from _only_child(root, c.LANGUAGE, "HAS CONCEPT MOD", "CODE")
    yield from _only_child(root, c.IMAGE_LIBRARY, "CONTAINS", "CONTAINER")
    for concept, allowed in (
        (c.FINDINGS_SUMMARY, {code.value for code in c.FINDINGS_SUMMARIES}),
        (c.DETECTIONS, _STATUSES),
        (c.ANALYSES, _STATUSES),
    ):
        yield from _only_child(root, concept, "CONTAINS", "CODE")
        for child in root.named(concept):
            if child.value not in allowed:
                yield Violation(child.path, "value set", f"{child.value} is no value of {concept.meaning}")
    library = [child for entry in root.named(c.IMAGE_LIBRARY) for child in entry.children]
    if not any(child.value_type == "IMAGE" for child in library):
        yield Violation((1,), "image library", "no image in it")
    evidence = _evidence(dataset)
    for node in nodes.values():
        if node.value_type == "IMAGE" and node.sop_instance_uid not in evidence:
            yield Violation(
                node.path, "evidence", "the image is not in the Current Requested Procedure Evidence Sequence"
            )


def _only_child(root: Node, concept: Code, relationship: str, value_type: str) -> Iterator[Violation]:
    found = root.named(concept)
    if len(found) != 1:
        yield Violation(root.path, "mandatory row", f"{concept.meaning}: {len(found)} instead of 1")
    for child in found:
        if (child.relationship, child.value_type) != (relationship, value_type):
            said = f"{child.relationship} {child.value_type}"
            yield Violation(child.path, "relationship", f"{concept.meaning} is {said}, not {relationship} {value_type}")


def _evidence(dataset: Dataset) -> set[str]:
    found = set()
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in dataset.get(keyword) or []:
            for series in study.get("ReferencedSeriesSequence") or []:
                found |= {text(item, "ReferencedSOPInstanceUID") for item in series.get("ReferencedSOPSequence") or []}
    return found


def _item(node: Node, nodes: dict[tuple[int, ...], Node]) -> Iterator[Violation]:
    if not node.value_type:
        if not node.target:
            yield Violation(node.path, "content item", "neither a value type nor a reference")
        return
    if node.concept is None and node.value_type not in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        yield Violation(node.path, "content item", "no concept name")
    if node.value_type == "CODE" and node.code is None:
        yield Violation(node.path, "content item", "a CODE without a code")
    if node.value_type == "NUM":
        yield from _measurement(node)
    if node.value_type == "SCOORD":
        yield from _coordinates(node, nodes)


def _measurement(node: Node) -> Iterator[Violation]:
    if node.number is None or node.unit is None or not node.unit.value:
        yield Violation(node.path, "measurement", "a NUM without value or units")
    elif node.unit.value == "%" and not 0 <= node.number <= 100:
        yield Violation(node.path, "measurement", f"{node.number:g} %")
    elif node.name == c.CERTAINTY.value and node.unit.value != "%":
        yield Violation(node.path, "measurement", "Certainty of Finding is in %")


def _coordinates(node: Node, nodes: dict[tuple[int, ...], Node]) -> Iterator[Violation]:
    expected = {"POINT": 1, "CIRCLE": 2, "ELLIPSE": 4}.get(node.graphic_type)
    if node.graphic_type not in ("POINT", "MULTIPOINT", "POLYLINE", "CIRCLE", "ELLIPSE"):
        yield Violation(node.path, "geometry", f"graphic type {node.graphic_type or 'missing'}")
    elif expected is not None and len(node.points) != expected:
        yield Violation(node.path, "geometry", f"{node.graphic_type} of {len(node.points)} points")
    elif node.graphic_type == "POLYLINE":
        area = node.name in (c.OUTLINE.value, c.BREAST_OUTLINE.value, c.PECTORAL_OUTLINE.value)
        if len(node.points) < (4 if area else 2):
            yield Violation(node.path, "geometry", f"POLYLINE of {len(node.points)} points")
        elif area and node.points[0] != node.points[-1]:
            yield Violation(node.path, "geometry", "the outline is not closed")
    if node.name == c.CENTER.value and node.graphic_type != "POINT":
        yield Violation(node.path, "geometry", "a center is a POINT")
    if any(value < 0 for xy in node.points for value in xy):
        yield Violation(node.path, "geometry", "coordinates outside the image")
    if not any(child.relationship == "SELECTED FROM" for child in node.children):
        yield Violation(node.path, "selected from", "coordinates without their image")


def _relationship(parent: Node, child: Node, nodes: dict[tuple[int, ...], Node]) -> Iterator[Violation]:
    target_type = child.value_type
    if not target_type and child.target:
        target = nodes.get(child.target)
        if target is None:
            yield Violation(child.path, "reference", f"no content item at {'.'.join(map(str, child.target))}")
            return
        if target.path == parent.path[: len(target.path)]:
            yield Violation(child.path, "reference", "refers to an item above itself")
        target_type = target.value_type
    if child.relationship == "HAS CONCEPT MOD":
        allowed = _MODIFIERS
    elif child.relationship == "INFERRED FROM" and parent.value_type in ("TEXT", "CODE", "NUM"):
        allowed = _INFERRED
    else:
        allowed = _ALLOWED.get((parent.value_type, child.relationship), set())
    if target_type not in allowed:
        yield Violation(child.path, "relationship", f"{parent.value_type} {child.relationship} {target_type}")


def _finding(node: Node) -> Iterator[Violation]:
    if node.value not in _CID_6014:
        yield Violation(node.path, "value set", f"{node.value} is no single image finding of CID 6014")
    yield from _algorithm(node)
    intents = node.named(c.RENDERING_INTENT)
    if len(intents) != 1 or intents[0].value not in _INTENTS or intents[0].relationship != "HAS CONCEPT MOD":
        yield Violation(node.path, "rendering intent", "one of CID 6034 is needed")
    centers = node.named(c.CENTER)
    if node.value in _LOCATED and len(centers) != 1:
        yield Violation(node.path, "mandatory row", f"Center: {len(centers)} instead of 1")
    if node.value == c.COMPOSITION.value and not node.named(c.COMPOSITION):
        yield Violation(node.path, "mandatory row", "Breast composition without its value")
    if node.value == c.BREAST_GEOMETRY.value and not node.named(c.BREAST_OUTLINE):
        yield Violation(node.path, "mandatory row", "Breast geometry without outline")


def _performed(node: Node) -> Iterator[Violation]:
    yield from _algorithm(node)
    if not any(child.target for child in node.children) and not any(
        child.value_type == "IMAGE" for child in node.children
    ):
        yield Violation(node.path, "mandatory row", "names no image")


def _algorithm(node: Node) -> Iterator[Violation]:
    for concept in (c.ALGORITHM_NAME, c.ALGORITHM_VERSION):
        found = node.named(concept)
        if len(found) != 1 or not found[0].text:
            yield Violation(node.path, "algorithm", f"{concept.meaning} is missing")
