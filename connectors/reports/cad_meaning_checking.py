"""What a Mammography CAD SR says twice must agree: summaries with their parts, operating points, outlines.

These are sentences of PS3.16 that stand beside the rows of the templates; each names the row that it belongs to.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.templates_conditions import Document, has_value, is_named
from reread.connectors.reports.value_sets import contains, dcm, key
from reread.connectors.reports.violations import Violation

_FOLLOW_UP, _CHANGE, _TRACKING = dcm("111054"), dcm("111049"), dcm("112039")
_CONTRALATERAL = dcm("111155")
_ASYMMETRIES = (
    Code("129790003", "SCT", "Asymmetric breast tissue"),
    Code("129789007", "SCT", "Focal asymmetric breast tissue"),
)
_PLACELESS = (c.COMPOSITION, c.BREAST_GEOMETRY, c.NIPPLE, dcm("111099"), dcm("111101"))
"""what describes the image and is no finding to be shown"""
_AREAS = ((c.OUTLINE, "TID4021-3"), (c.BREAST_OUTLINE, "TID4008-1"), (c.PECTORAL_OUTLINE, "TID4008-3"))
_CORNERS = 3


def check_meaning(document: Document) -> Iterator[Violation]:
    """Check a document whose rows were checked before; what is missing is not told again."""
    yield from _summary(document)
    for node in document.nodes.values():
        if is_named(node, c.COMPOSITE_FEATURE) and has_value(node, *_ASYMMETRIES):
            for child in node.children:
                if is_named(child, dcm("111016")) and not has_value(child, _CONTRALATERAL):
                    yield Violation(child.path, "TID4005-1", "the parts of an asymmetry are related contra-laterally")
        if is_named(node, c.DETECTION) or is_named(node, c.ANALYSIS):
            yield from _operating_points(node)
        if is_named(node, c.SINGLE_IMAGE_FINDING):
            yield from _finding_point(node, document)
        if node.value_type == "SCOORD":
            yield from _outline(node)
        if node.value_type == "DATE" and is_named(node, _FOLLOW_UP):
            yield from _follow_up(node, document)
        if node.value_type == "TEXT" and is_named(node, _TRACKING) and _controls(node.text):
            yield Violation(node.path, "TID4108-1", "a tracking identifier with control characters")
        if node.value_type in ("NUM", "CODE"):
            yield from _compared(node, document)


def _summary(document: Document) -> Iterator[Violation]:
    """CID 6047 against the findings and the two result statuses (CID 6042)."""
    children = document.root.children
    summary = next((node for node in children if is_named(node, c.FINDINGS_SUMMARY)), None)
    if summary is None or summary.code is None:
        return
    found = [
        node
        for node in summary.walk()
        if is_named(node, c.COMPOSITE_FEATURE)
        or (is_named(node, c.SINGLE_IMAGE_FINDING) and not has_value(node, *_PLACELESS))
    ]
    if found and has_value(summary, c.ALL_WITHOUT, c.SOME_WITHOUT, c.NONE_SUCCEEDED):
        detail = f"says without findings, {len(found)} stand below it"
        yield Violation(summary.path, "TID4001-1", detail)
    if not found and has_value(summary, c.ALL_WITH, c.SOME_WITH):
        yield Violation(summary.path, "TID4001-1", "says with findings, none stands below it")
    statuses = [node for node in children if is_named(node, c.DETECTIONS) or is_named(node, c.ANALYSES)]
    if has_value(summary, c.ALL_WITH, c.ALL_WITHOUT):
        for node in statuses:
            if has_value(node, c.FAILED, c.PARTIALLY):
                yield Violation(node.path, "TID4001-1", "the summary says that all algorithms succeeded")
    if has_value(summary, c.NONE_SUCCEEDED):
        for node in statuses:
            if has_value(node, c.SUCCEEDED, c.PARTIALLY):
                yield Violation(node.path, "TID4001-1", "the summary says that no algorithm succeeded")


def _operating_points(performed: Node) -> Iterator[Violation]:
    """TID 4023: points are 0 to the maximum, each once."""
    maximum = next((node.number for node in performed.children if is_named(node, c.MAXIMUM_OPERATING_POINT)), None)
    for node in performed.children:
        recommended = node.number if is_named(node, c.RECOMMENDED_OPERATING_POINT) else None
        if recommended is not None and maximum is not None and recommended > maximum:
            yield Violation(node.path, "TID4023-2", f"{recommended:g} is above the maximum {maximum:g}")
        if is_named(node, c.OPERATING_POINT_TABLE):
            points = [item for item in node.children if is_named(item, c.OPERATING_POINT)]
            numbers = [item.number for item in points if item.number is not None]
            if len(set(numbers)) < len(numbers):
                yield Violation(node.path, "TID4023-6", "an operating point stands in the table twice")
            if maximum is None:
                continue
            if len(points) != maximum + 1:
                yield Violation(node.path, "TID4023-6", f"{len(points)} points in place of {maximum + 1:g}")
            for item in points:
                if item.number is not None and item.number > maximum:
                    yield Violation(item.path, "TID4023-6", f"{item.number:g} is above the maximum {maximum:g}")


def _finding_point(finding: Node, document: Document) -> Iterator[Violation]:
    """TID 4006 row 3: the point is one of the detection of the same kind."""
    if finding.code is None:
        return
    maximum = document.points.get(key(finding.code))
    for intent in finding.children:
        if not is_named(intent, c.RENDERING_INTENT):
            continue
        for node in intent.children:
            point = node.number if is_named(node, c.OPERATING_POINT) else None
            if point is not None and maximum is not None and point > maximum:
                yield Violation(node.path, "TID4006-3", f"point {point:g} is above the maximum {maximum}")


def _follow_up(node: Node, document: Document) -> Iterator[Violation]:
    """TID 4002 row 9: later than the study, which is the latest of those that the Image Library tells."""
    dates = [item.text for item in document.nodes.values() if is_named(item, c.STUDY_DATE) and item.text.isdecimal()]
    if dates and node.text.isdecimal() and node.text <= max(dates):
        yield Violation(node.path, "TID4002-9", "the follow-up is not later than the study")


def _compared(node: Node, document: Document) -> Iterator[Violation]:
    """TID 4005 rows 12 and 15: a change is between two values of one kind, a difference in their units."""
    number = node.value_type == "NUM" and node.concept is not None and contains((6037,), node.concept)
    if not number and not is_named(node, _CHANGE):
        return
    rule = "TID4005-12" if number else "TID4005-15"
    found = [document.nodes.get(child.target) for child in node.children if child.target]
    compared = [item for item in found if item is not None and item.concept is not None]
    if len({key(item.concept) for item in compared if item.concept is not None}) > 1:
        yield Violation(node.path, rule, "the values that are compared have different concepts")
    if number and node.unit is not None:
        units = {item.unit.value for item in compared if item.unit is not None}
        if units - {node.unit.value}:
            yield Violation(node.path, rule, "the values that are compared have other units than their difference")


def _controls(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _outline(node: Node) -> Iterator[Violation]:
    """The standard asks for a POLYLINE only; what has no inside is still hardly meant as an outline."""
    for concept, rule in _AREAS:
        if is_named(node, concept) and node.graphic_type == "POLYLINE" and len(node.points) > 1:
            if len(set(node.points)) < _CORNERS:
                detail = f"an outline of {len(set(node.points))} corners has no area"
                yield Violation(node.path, rule, detail, notice=True)
            elif node.points[0] != node.points[-1]:
                detail = "the outline is not closed: its last point is not its first"
                yield Violation(node.path, rule, detail, notice=True)
