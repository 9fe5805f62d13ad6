"""A content tree held against the rows of its templates: what is missing, too much, misplaced or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reread.connectors.reports import codes as c
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.template_matching import Assigned, Slot, assign, slots
from reread.connectors.reports.templates import (
    EXTENSIBLE,
    IN_ANY_ORDER,
    Condition,
    Kind,
    Requirement,
    Row,
    children,
    row,
    tops,
)
from reread.connectors.reports.templates_conditions import PREDICATES, Document, is_named
from reread.connectors.reports.templates_values import problems, said
from reread.connectors.reports.violations import ImageFacts, Violation

_OF_CAD, _GEOMETRY = 1400, 4021
_OBSERVED = 4022
"""includes templates of observers and subjects that are extensible"""


def check_template(
    document: Document, images: Mapping[str, ImageFacts], root: Row | None = None
) -> Iterator[Violation]:
    """Check a document against the template of its root and all that this includes.

    Parameters
    ----------
    images
        By SOP Instance UID, of the images at hand; conditions on attributes of other images are not checked.
    root
        The row of the root; TID 4000 row 1 by default.

    Yields
    ------
    In no order; of two rows that exclude each other both are named.
    """
    yield from _Walk(document, images).item(root or row(4000, 1), document.root)


class _Walk:
    def __init__(self, document: Document, images: Mapping[str, ImageFacts]) -> None:
        self.document, self.images = document, images

    def item(self, entry: Row, node: Node) -> Iterator[Violation]:
        """The value of an item that belongs to a row, and everything below it."""
        coded = node.unit if node.value_type == "NUM" else node.code
        if node.value_type == entry.value_type:
            for _, sentence in problems(entry, node.concept, coded, node.text, node.number, node.graphic_type):
                yield Violation(node.path, entry.rule, sentence)
            yield from _class(entry, node.path, node)
        found, unknown = assign(entry, node, self.document)
        for assigned in found:
            if assigned.wrong:
                yield Violation(assigned.node.path, assigned.slot.row.rule, assigned.wrong)
        yield from self._unknown(entry, unknown)
        yield from _order(entry, node, found)
        yield from self._rows(children(entry.template, entry.number), (), node, found)
        yield from self._targets(found)
        yield from self._paths(found)
        for assigned in found:
            if not assigned.slot.row.by_reference and assigned.node.value_type:
                yield from self.item(assigned.slot.row, assigned.node)

    def _unknown(self, entry: Row, unknown: list[Node]) -> Iterator[Violation]:
        if entry.template in EXTENSIBLE:
            return
        observed = any(part.includes == _OBSERVED for slot in slots(entry) for part in slot.via)
        for node in unknown:
            if observed and node.relationship == "HAS OBS CONTEXT":
                continue
            name = said(node.concept) if node.value_type else "a by-reference item"
            detail = f"{node.relationship} {node.value_type} {name} has no row below {entry.rule}"
            yield Violation(node.path, f"TID{entry.template}-extra", detail)

    def _rows(
        self, rows: tuple[Row, ...], via: tuple[Row, ...], parent: Node, found: list[Assigned]
    ) -> Iterator[Violation]:
        """Presence and number of the items of each row, of one template or one inclusion."""
        counts = {entry.number: self._count(entry, via, found) for entry in rows}
        told: set[tuple[str, ...]] = set()
        for entry in rows:
            count = counts[entry.number]
            highest = entry.maximum
            if not entry.includes and highest is not None and count > _times(highest, via):
                yield Violation(parent.path, entry.rule, f"{_name(entry)}: {count} in place of {highest}")
            if not entry.includes and 0 < count < entry.minimum:
                yield Violation(parent.path, entry.rule, f"{_name(entry)}: {count} in place of {entry.minimum}")
            for number in entry.excludes:
                if count and counts[number]:
                    detail = f"{_name(entry)} may not stand beside row {number}"
                    yield Violation(parent.path, entry.rule, detail)
            yield from self._presence(entry, count, counts, parent, via, found, told)
            if entry.includes and count and self._invoked(entry, via, found):
                yield from self._rows(tops(entry.includes), (*via, entry), parent, found)

    def _count(self, entry: Row, via: tuple[Row, ...], found: list[Assigned]) -> int:
        depth = len(via)
        if entry.includes:
            return sum(item.slot.via[: depth + 1] == (*via, entry) for item in found)
        return sum(item.slot.row is entry and item.slot.via == via for item in found)

    def _invoked(self, entry: Row, via: tuple[Row, ...], found: list[Assigned]) -> bool:
        """An extensible template may hold items of one that it could include, but did not: what that needs lacks."""
        if entry.template not in EXTENSIBLE or entry.requirement is not Requirement.OPTIONAL:
            return True
        needed = [part for part in tops(entry.includes) if part.requirement is Requirement.MANDATORY]
        return not needed or any(self._count(part, (*via, entry), found) for part in needed)

    def _presence(
        self,
        entry: Row,
        count: int,
        counts: Mapping[str, int],
        parent: Node,
        via: tuple[Row, ...],
        found: list[Assigned],
        told: set[tuple[str, ...]],
    ) -> Iterator[Violation]:
        condition = entry.condition
        if entry.requirement is Requirement.MANDATORY and not count:
            yield from self._missing(entry, "is missing", parent, via, found)
        if condition is None:
            return
        if condition.rows and condition.rows not in told:
            told.add(condition.rows)
            yield from self._together(entry, condition, counts, parent, via)
        if condition.predicate and not condition.rows:
            holds = PREDICATES[condition.predicate](parent, self.document)
            if holds and not count and condition.kind in (Kind.IF, Kind.IFF):
                yield from self._missing(entry, f"is missing: {condition.sentence}", parent, via, found)
            elif count and not holds and condition.kind in (Kind.IFF, Kind.ONLY_IF):
                for item in found:
                    if item.slot.row is entry or entry in item.slot.via:
                        detail = f"{_name(entry)} is only for when {condition.sentence}"
                        yield Violation(item.node.path, entry.rule, detail)
        elif condition.kind is Kind.ATTRIBUTE and not count:
            image = self._image(parent)
            if image is not None and not image.attributes.isdisjoint(condition.attributes):
                yield Violation(parent.path, entry.rule, f"{_name(entry)} is missing: {condition.sentence}")

    def _together(
        self, entry: Row, condition: Condition, counts: Mapping[str, int], parent: Node, via: tuple[Row, ...]
    ) -> Iterator[Violation]:
        """The conditions that name several rows."""
        together = sum(counts[number] for number in condition.rows)
        wanted = {Kind.ONE_OF: 1, Kind.TWO_OF: 2}.get(condition.kind)
        if wanted is not None and together < wanted:
            yield Violation(parent.path, entry.rule, f"{condition.sentence} must be there, {together} found")
        # of an inclusion that is repeated each time is for itself, and they cannot be told apart
        elif condition.kind is Kind.XOR and not any(part.maximum is None for part in via):
            kinds = sum(counts[number] > 0 for number in condition.rows)
            holds = not condition.predicate or PREDICATES[condition.predicate](parent, self.document)
            if holds and (kinds > 1 or (not kinds and entry.requirement is Requirement.CONDITIONAL)):
                yield Violation(parent.path, entry.rule, f"{condition.sentence}, {kinds} found")
            elif kinds and not holds and condition.else_none:
                yield Violation(parent.path, entry.rule, f"none is allowed here: {condition.sentence}")

    def _missing(
        self, entry: Row, why: str, parent: Node, via: tuple[Row, ...], found: list[Assigned]
    ) -> Iterator[Violation]:
        """Of an inclusion the rows that it cannot do without are named; there may be none."""
        if entry.includes:
            yield from self._rows(tops(entry.includes), (*via, entry), parent, found)
        else:
            yield Violation(parent.path, entry.rule, f"{_name(entry)} {why}")

    def _image(self, node: Node) -> ImageFacts | None:
        """The image that a library entry, or an item below one, stands for."""
        for length in range(len(node.path), 0, -1):
            above = self.document.nodes.get(node.path[:length])
            if above is not None and above.value_type == "IMAGE":
                return self.images.get(above.sop_instance_uid)
        return None

    def _targets(self, found: list[Assigned]) -> Iterator[Violation]:
        """By-reference images are entries of the Image Library, and those of one geometry are the same."""
        first: dict[int, tuple[int, ...]] = {}
        for assigned in found:
            entry, node = assigned.slot.row, assigned.node
            if entry.by_reference and not assigned.wrong:
                yield from self._referred(entry, node)
            if entry.value_type != "SCOORD":
                continue
            below = next((part for part in children(entry.template, entry.number) if part.same_target_as), None)
            if entry.template == _GEOMETRY and below is None:
                first.pop(entry.template, None)  # each Center begins another geometry: a feature has one for each view
            targets = [child.target for child in node.children if child.target]
            if targets and first.setdefault(entry.template, targets[0]) != targets[0] and below is not None:
                yield Violation(node.path, below.rule, "selected from another image than the first graphic")

    def _referred(self, entry: Row, node: Node) -> Iterator[Violation]:
        target = self.document.nodes.get(node.target)
        if target is None:
            return
        if entry.value_type == "IMAGE":
            yield from _class(entry, node.path, target)
            above = self.document.nodes.get(node.target[:-1])
            if entry.template >= _OF_CAD and not (above is not None and is_named(above, c.IMAGE_LIBRARY)):
                yield Violation(node.path, entry.rule, "the target is no entry of the Image Library")
        elif entry.concept is not None:
            if problems(entry, target.concept, target.code, "", None, ""):
                yield Violation(node.path, entry.rule, "refers to another item than this row allows")
            elif entry.values and not _has_value(entry, target):
                yield Violation(node.path, entry.rule, f"the target is no {entry.values[0].meaning}")

    def _paths(self, found: list[Assigned]) -> Iterator[Violation]:
        """TID 4005 and 4009 to 4013: of TID 1400 to 1402 only the SCOORD, with its image by reference, is used."""
        for assigned in found:
            inclusion = next((part for part in assigned.slot.via if part.path_by_reference), None)
            if inclusion is None:
                continue
            for child in assigned.node.children:
                target = self.document.nodes.get(child.target) if child.target else child
                if child.relationship == "INFERRED FROM" and target is not None and target.value_type == "IMAGE":
                    yield Violation(child.path, inclusion.rule, "a segmentation in place of coordinates")
                for below in child.children if child.value_type == "SCOORD" else ():
                    if below.value_type == "IMAGE":
                        detail = "the image of the coordinates by value in place of a reference to the Image Library"
                        yield Violation(below.path, inclusion.rule, detail)


def _class(entry: Row, path: tuple[int, ...], node: Node) -> Iterator[Violation]:
    if entry.sop_classes and node.sop_class_uid and node.sop_class_uid not in entry.sop_classes:
        yield Violation(path, entry.rule, f"refers to an object of class {node.sop_class_uid[:64]}")


def _has_value(entry: Row, node: Node) -> bool:
    return node.code is not None and any(node.code[:2] == value[:2] for value in entry.values)


def _times(highest: int, via: tuple[Row, ...]) -> float:
    return float("inf") if any(part.maximum is None for part in via) else highest


def _name(entry: Row) -> str:
    if entry.concept is not None:
        return entry.concept.meaning
    if entry.includes:
        return f"TID {entry.includes}"
    return f"{entry.value_type} of CID {entry.concept_sets[0]}" if entry.concept_sets else entry.value_type


def _order(entry: Row, node: Node, found: list[Assigned]) -> Iterator[Violation]:
    """The order of the rows, where it is significant."""
    if entry.template in IN_ANY_ORDER:
        return
    before: Slot | None = None
    for assigned in found:
        if before is not None and assigned.slot.place < before.place:
            detail = f"{assigned.slot.row.rule} stands after {before.row.rule}"
            yield Violation(assigned.node.path, f"TID{entry.template}-order", detail)
            return
        before = assigned.slot
