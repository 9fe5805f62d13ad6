"""Parts that every level of a CAD report has: numbers, coordinates, algorithms; and the account of what was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_records import CadItem, CadProblem
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import (
    CadAlgorithm,
    CadGraphic,
    CadQuality,
    CadQuantity,
    CadText,
    Path,
)

INTENTS = {c.REQUIRED.value: "required", c.OPTIONAL.value: "optional", c.NOT_PRESENTED.value: "not presented"}
_ALGORITHM = {c.ALGORITHM_NAME.value, c.ALGORITHM_VERSION.value, c.ALGORITHM_PARAMETERS.value}
_STANDING = {c.SINGLE_IMAGE_FINDING.value, c.COMPOSITE_FEATURE.value}
"""items that own what is below them"""
_CLOSED = {c.OUTLINE.value, c.OUTER_MARGIN.value, c.BREAST_OUTLINE.value, c.PECTORAL_OUTLINE.value}
_WITH_VALUE = {"CODE", "TEXT", "NUM", "DATE", "TIME", "DATETIME", "UIDREF", "PNAME", "SCOORD", "IMAGE", "COMPOSITE"}
_HALF_A_PIXEL = 0.5


@dataclass(slots=True, eq=False)
class Account:
    """The nodes of one report by their path, which of them were read, and what was wrong with others."""

    nodes: Mapping[Path, Node]
    read: set[Path] = field(default_factory=set)
    problems: list[CadProblem] = field(default_factory=list)

    def take(self, *nodes: Node) -> None:
        """These were read."""
        self.read.update(node.path for node in nodes)

    def problem(self, node: Node, what: str) -> None:
        """Something could not be taken as it stands; said once for each item."""
        found = CadProblem(node.path, what)
        if found not in self.problems:
            self.problems.append(found)

    def resolved(self, node: Node) -> Node | None:
        """The node itself, or what it refers to; None, and a problem, when that is not there."""
        if node.value_type or not node.target:
            return node
        found = self.nodes.get(node.target)
        if found is None:
            self.problem(node, f"refers to {'.'.join(map(str, node.target))}, which is not in the report")
        return found

    def image_of(self, node: Node) -> str:
        """SOP Instance UID of the image directly below, by value or by reference; "" without one."""
        for child in node.children:
            found = self.resolved(child)
            if found is not None and found.value_type == "IMAGE":
                self.take(child)
                return found.sop_instance_uid
        return ""

    def others(self) -> tuple[CadItem, ...]:
        """Everything with a value that nobody has read."""
        return tuple(
            CadItem(
                node.path,
                node.relationship,
                node.value_type,
                node.concept,
                node.code or node.unit,
                node.text or node.sop_instance_uid,
                node.number,
            )
            for path, node in self.nodes.items()
            if path not in self.read and node.value_type in _WITH_VALUE
        )


def below(node: Node) -> Iterator[Node]:
    """All below a node, at any depth, that does not belong to a finding or feature nested in it."""
    for child in node.children:
        if child.name not in _STANDING:
            yield child
            yield from below(child)


def value_of(nodes: Iterable[Node], concept: Code, account: Account) -> Node | None:
    """The first node of a concept that has a value."""
    for node in nodes:
        if node.name == concept.value and (node.value or node.text or node.number is not None):
            account.take(node)
            return node
    return None


def algorithm_of(node: Node, account: Account) -> CadAlgorithm:
    """TID 4019, wherever below the node it hangs."""
    own = [item for item in below(node) if item.name in _ALGORITHM and item.text]
    account.take(*own)
    texts = {name: [item.text for item in own if item.name == name] for name in _ALGORITHM}
    name, version = (next(iter(texts[key.value]), "") for key in (c.ALGORITHM_NAME, c.ALGORITHM_VERSION))
    return CadAlgorithm(name, version, tuple(texts[c.ALGORITHM_PARAMETERS.value]))


def intent_of(node: Node, account: Account) -> tuple[str, int | None]:
    """Rendering intent and operating point: 0 when presentation is required (R0.359)."""
    own = list(below(node))
    stated = value_of(own, c.RENDERING_INTENT, account)
    intent = "" if stated is None else INTENTS.get(stated.value, "")
    if stated is not None and not intent:
        account.problem(stated, "a rendering intent that is not known")
    point = value_of(own, c.OPERATING_POINT, account)
    if intent == "required":
        return intent, 0
    return intent, None if point is None or point.number is None or intent == "not presented" else round(point.number)


def quantity_of(node: Node, account: Account) -> CadQuantity | None:
    """A NUM with its qualifiers; None, and a problem, when it has no number."""
    if node.concept is None or node.number is None or node.number != node.number:
        account.problem(node, "a NUM without a number or a concept")
        return None
    if node.unit is None or not node.unit.value:
        account.problem(node, "a number without units")
    account.take(node)
    derivation = value_of(node.children, c.DERIVATION, account)
    breast = value_of(node.children, c.LATERALITY, account)
    said = value_of(node.children, c.CALCULATION_DESCRIPTION, account)
    graphics = [graphic for child in node.children if (graphic := graphic_of(child, account)) is not None]
    return CadQuantity(
        node.concept,
        node.number,
        node.unit,
        node.path,
        derivation.code if derivation else None,
        breast.code if breast else None,
        said.text if said else "",
        graphics[0] if graphics else None,
    )


def graphic_of(node: Node, account: Account) -> CadGraphic | None:
    """A SCOORD; None, and a problem, when it has no points."""
    if node.value_type != "SCOORD":
        return None
    if node.concept is None or not node.points:
        account.problem(node, "coordinates without points or a concept")
        return None
    account.take(node)
    image = account.image_of(node)
    if not image:
        account.problem(node, "coordinates on no image of the report")
    points, closed = node.points, False
    if node.graphic_type == "POLYLINE" and len(points) > 1 and points[0] == points[-1]:
        points, closed = points[:-1], True
    elif node.name in _CLOSED and node.graphic_type == "POLYLINE":
        account.problem(node, "an outline that is not closed")
    moved = tuple((x - _HALF_A_PIXEL, y - _HALF_A_PIXEL) for x, y in points)
    return CadGraphic(node.concept, node.graphic_type, moved, image, closed)


@dataclass(frozen=True, slots=True)
class Properties:
    """All that is said of a finding or a feature."""

    quantities: tuple[CadQuantity, ...]
    qualities: tuple[CadQuality, ...]
    texts: tuple[CadText, ...]
    graphics: tuple[CadGraphic, ...]


def properties_of(node: Node, account: Account) -> Properties:
    """Everything below a finding that has not been read yet, sorted by kind."""
    quantities, qualities, texts, graphics = [], [], [], []
    for item in below(node):
        if item.path in account.read:
            continue
        if item.value_type == "NUM" and (quantity := quantity_of(item, account)) is not None:
            quantities.append(quantity)
        elif item.value_type == "SCOORD" and (graphic := graphic_of(item, account)) is not None:
            graphics.append(graphic)
        elif item.value_type == "CODE" and item.concept is not None and item.code is not None:
            account.take(item)
            qualities.append(CadQuality(item.concept, item.code))
        elif item.value_type in ("TEXT", "DATE", "TIME", "UIDREF") and item.concept is not None and item.text:
            account.take(item)
            texts.append(CadText(item.concept, item.text))
    return Properties(tuple(quantities), tuple(qualities), tuple(texts), tuple(graphics))
