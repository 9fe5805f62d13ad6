"""The rules that every SR document shares: content items, relationships and references (PS3.3 C.17.3 and C.18)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.relationship_rules import SR_IODS, VALUE_TYPES, SrIod
from reread.connectors.reports.value_sets import known_meanings
from reread.connectors.reports.violations import ImageFacts, Violation

_RELATIONSHIPS = frozenset(
    {
        "CONTAINS",
        "HAS PROPERTIES",
        "HAS CONCEPT MOD",
        "HAS OBS CONTEXT",
        "HAS ACQ CONTEXT",
        "INFERRED FROM",
        "SELECTED FROM",
    }
)
_UNNAMED = frozenset({"IMAGE", "WAVEFORM", "COMPOSITE", "SCOORD", "SCOORD3D", "TCOORD"})
"""value types whose concept name is optional (PS3.3 C.17.3.2: type 1C)"""
_CLAUSES = {
    "TEXT": "PS3.3-C.17.3",
    "DATE": "PS3.3-C.17.3",
    "TIME": "PS3.3-C.17.3",
    "DATETIME": "PS3.3-C.17.3",
    "UIDREF": "PS3.3-C.17.3",
    "PNAME": "PS3.3-C.17.3",
}
_GRAPHICS = {"POINT": (1, 1), "MULTIPOINT": (1, None), "POLYLINE": (2, None), "CIRCLE": (2, 2), "ELLIPSE": (4, 4)}
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_DATE = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(\.\d{1,6})?)?")
_DATETIME = re.compile(r"\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?")
_NODES = 1_000_000


def check_tree(
    sop_class_uid: str,
    nodes: Mapping[tuple[int, ...], Node],
    items: Mapping[tuple[int, ...], Dataset],
    images: Mapping[str, ImageFacts],
) -> Iterator[Violation]:
    """Check every content item by itself and with its parent.

    Parameters
    ----------
    nodes
        By path, as read.
    items
        The data sets behind them, for what a `Node` does not keep.
    images
        By SOP Instance UID; coordinates are held against their size.
    """
    iod = SR_IODS.get(sop_class_uid)
    for node in nodes.values():
        yield from _item(node, items.get(node.path))
        if node.value_type == "SCOORD":
            yield from _graphic(node, nodes, images)
        for child in node.children:
            yield from _relationship(iod, node, child, nodes)


def items_by_path(dataset: Dataset) -> dict[tuple[int, ...], Dataset]:
    """The data sets of the content items by their path; what cannot be read is left out."""
    found: dict[tuple[int, ...], Dataset] = {}
    waiting: list[tuple[tuple[int, ...], Dataset]] = [((1,), dataset)]
    while waiting and len(found) < _NODES:
        path, item = waiting.pop()
        found[path] = item
        for place, child in enumerate(sequence(item, "ContentSequence"), start=1):
            waiting.append(((*path, place), child))
    return found


def sequence(item: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, () for one that is not there or cannot be read."""
    try:
        return [part for part in item.get(keyword) or [] if isinstance(part, Dataset)]
    except Exception:  # whatever pydicom meets in broken bytes: what is not readable is not there
        return []


def _item(node: Node, item: Dataset | None) -> Iterator[Violation]:
    root = node.path == (1,)
    if not root and node.relationship not in _RELATIONSHIPS:
        said = f"relationship {node.relationship!r}" if node.relationship else "no relationship"
        yield Violation(node.path, "PS3.3-C.17.3.2.4", f"{said}, which no content item may have")
    if not node.value_type:
        if not node.target:
            yield Violation(node.path, "PS3.3-C.17.3.2", "neither a value type nor a referenced content item")
        return
    if node.value_type not in VALUE_TYPES:
        yield Violation(node.path, "PS3.3-C.17.3.2.1", f"value type {node.value_type[:16]!r} does not exist")
        return
    if node.target:
        yield Violation(node.path, "PS3.3-C.17.3.2.5", "both by value and by reference")
    if node.concept is None and node.value_type not in _UNNAMED and not (node.value_type == "CONTAINER" and not root):
        yield Violation(node.path, "PS3.3-C.17.3.2", f"a {node.value_type} without a concept name")
    for coded in (node.concept, node.code, node.unit):
        yield from _code(node.path, coded)
    if item is not None:
        yield from _raw(node, item)
    yield from _value(node)


def _code(path: tuple[int, ...], code: Code | None) -> Iterator[Violation]:
    """PS3.3 8.8, Code Sequence Macro."""
    if code is None:
        return
    if not code.value:
        yield Violation(path, "PS3.3-8.8", "a code without Code Value")
    elif not code.scheme and not code.value.startswith(("urn:", "http:", "https:")):
        yield Violation(path, "PS3.3-8.8", f"the code {code.value[:16]} has no Coding Scheme Designator")
    if not code.meaning:
        yield Violation(path, "PS3.3-8.8", f"the code {code.value[:16]} has no Code Meaning")
    elif code.scheme != "DCM":
        return  # the meanings of units and of SNOMED codes differ from edition to edition
    elif (meanings := known_meanings(code)) and code.meaning.casefold()[:64] not in {
        name.casefold()[:64] for name in meanings
    }:
        detail = f"({code.value}, {code.scheme}) means {min(meanings)!r}, not what is written"
        yield Violation(path, "PS3.16-meaning", detail, notice=True)
    elif meanings and code.meaning not in meanings and code.meaning.upper() == code.meaning:
        yield Violation(path, "PS3.16-meaning", f"({code.value}, {code.scheme}) is written in capitals", notice=True)


def _raw(node: Node, item: Dataset) -> Iterator[Violation]:
    """Numbers of items in the sequences of one content item."""
    for keyword, owner in (
        ("ConceptNameCodeSequence", ""),
        ("ConceptCodeSequence", "CODE"),
        ("ReferencedSOPSequence", "IMAGE"),
    ):
        if owner in ("", node.value_type) and len(sequence(item, keyword)) > 1:
            yield Violation(node.path, "PS3.3-C.17.3.2", f"{keyword} has more than one item")
    if node.value_type == "DATETIME" and not _DATETIME.fullmatch(text(item, "DateTime")):
        yield Violation(node.path, "PS3.5-6.2", "no date and time of the form YYYYMMDDHHMMSS")
    if node.value_type == "CONTAINER" and text(item, "ContinuityOfContent") not in ("SEPARATE", "CONTINUOUS"):
        yield Violation(node.path, "PS3.3-C.18.8", "Continuity of Content is neither SEPARATE nor CONTINUOUS")
    if node.value_type == "SCOORD" and len(values(item, "GraphicData")) % 2:
        yield Violation(node.path, "PS3.3-C.18.6", "Graphic Data has an odd number of values")
    if node.value_type == "NUM" and len(sequence(item, "MeasuredValueSequence")) > 1:
        yield Violation(node.path, "PS3.3-C.18.1", "Measured Value Sequence has more than one item")


def _value(node: Node) -> Iterator[Violation]:
    kind = node.value_type
    if kind in _CLAUSES and kind != "DATETIME" and not node.text.strip():
        yield Violation(node.path, _CLAUSES[kind], f"a {kind} without a value")
    elif kind == "DATE" and not _DATE.fullmatch(node.text.strip()):
        yield Violation(node.path, "PS3.5-6.2", "no date of the form YYYYMMDD")
    elif kind == "TIME" and not _TIME.fullmatch(node.text.strip()):
        yield Violation(node.path, "PS3.5-6.2", "no time of the form HHMMSS")
    elif kind == "UIDREF" and not _is_uid(node.text):
        yield Violation(node.path, "PS3.5-9.1", "no UID")
    elif kind == "CODE" and node.code is None:
        yield Violation(node.path, "PS3.3-C.18.2", "a CODE without a code")
    elif kind == "NUM":
        if node.number is None or not math.isfinite(node.number):
            yield Violation(node.path, "PS3.3-C.18.1", "a NUM without a number")
        if node.unit is None or not node.unit.value:
            yield Violation(node.path, "PS3.3-C.18.1", "a NUM without units")
        elif node.unit.scheme != "UCUM":
            yield Violation(node.path, "PS3.3-C.18.1", f"units of scheme {node.unit.scheme[:16]}, not UCUM")
    elif kind in ("IMAGE", "COMPOSITE"):
        clause = "PS3.3-C.18.4" if kind == "IMAGE" else "PS3.3-C.18.3"
        for name, uid in (("SOP Class", node.sop_class_uid), ("SOP Instance", node.sop_instance_uid)):
            if not _is_uid(uid):
                yield Violation(node.path, clause, f"the referenced {name} UID is missing or none")


def _is_uid(value: str) -> bool:
    return 0 < len(value) <= 64 and _UID.fullmatch(value.rstrip("\0")) is not None


def _graphic(
    node: Node, nodes: Mapping[tuple[int, ...], Node], images: Mapping[str, ImageFacts]
) -> Iterator[Violation]:
    """PS3.3 C.18.6, Spatial Coordinates Macro."""
    bounds = _GRAPHICS.get(node.graphic_type)
    if bounds is None:
        yield Violation(node.path, "PS3.3-C.18.6", f"graphic type {node.graphic_type[:16] or 'missing'}")
    elif len(node.points) < bounds[0] or (bounds[1] is not None and len(node.points) > bounds[1]):
        yield Violation(node.path, "PS3.3-C.18.6", f"{node.graphic_type} of {len(node.points)} points")
    if not any(child.relationship == "SELECTED FROM" for child in node.children):
        yield Violation(node.path, "PS3.3-C.18.6", "coordinates that are selected from no image")
    if not all(math.isfinite(value) for point in node.points for value in point):
        yield Violation(node.path, "PS3.3-C.18.6", "coordinates that are no numbers")
    elif any(value < 0 for point in node.points for value in point):
        yield Violation(node.path, "PS3.3-C.18.6.1.2", "coordinates outside the image: below 0")
    else:
        for child in node.children:
            image = nodes.get(child.target) if child.target else child
            facts = images.get(image.sop_instance_uid) if image is not None else None
            if facts is not None and facts.rows and facts.columns and _beyond(node, facts):
                size = f"{facts.columns} columns and {facts.rows} rows"
                yield Violation(node.path, "PS3.3-C.18.6.1.2", f"coordinates outside the image of {size}")


def _beyond(node: Node, facts: ImageFacts) -> bool:
    points = node.points
    if node.graphic_type == "CIRCLE" and len(points) == 2:
        (x, y), (other_x, other_y) = points
        radius = math.hypot(other_x - x, other_y - y)
        points = ((x - radius, y - radius), (x + radius, y + radius))
    # in floats of 32 bits a border of an image can come out a little beyond it
    return any(x > facts.columns + 0.01 or y > facts.rows + 0.01 or x < -0.01 or y < -0.01 for x, y in points)


def _relationship(
    iod: SrIod | None, parent: Node, child: Node, nodes: Mapping[tuple[int, ...], Node]
) -> Iterator[Violation]:
    kind = child.value_type
    by_reference = not kind and bool(child.target)
    if by_reference:
        target = nodes.get(child.target)
        place = ".".join(map(str, child.target[:20]))
        if target is None or not target.value_type:
            yield Violation(child.path, "PS3.3-C.17.3.2.5", f"refers to {place}, where no content item stands")
            return
        if target.path == parent.path[: len(target.path)]:
            yield Violation(child.path, "PS3.3-C.17.3.2.5", f"refers to {place}, above itself: a loop")
        kind = target.value_type
        if iod is not None and not iod.by_reference:
            yield Violation(child.path, f"PS3.3-{iod.clause}", f"{iod.name} has no by-reference relationships")
            return
    if iod is None or child.relationship not in _RELATIONSHIPS or kind not in VALUE_TYPES:
        return
    if not iod.allows(parent.value_type, child.relationship, kind, by_reference=by_reference):
        way = " by reference" if by_reference else ""
        detail = f"{iod.name}: {parent.value_type} {child.relationship}{way} {kind} is not allowed"
        yield Violation(child.path, f"PS3.3-{iod.clause}", detail)
