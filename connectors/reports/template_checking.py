"""A content tree held against the rows of its templates: what is missing, too much, misplaced or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reread.connectors.reports import codes as c
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.template_matching import Assigned, Slot, assign, slots
from reread.connectors.reports.templates import EXTENSIBLE, Kind, Requirement, Row, children, row, tops
from reread.connectors.reports.templates_conditions import PREDICATES, Document, is_named
from reread.connectors.reports.templates_values import problems, said
from reread.connectors.reports.violations import ImageFacts, Violation

_OBSERVED = {4108, 4022}


def check_template(
    document: Document, images: Mapping[str, ImageFacts], root: Row | None = None
) -> Iterator[Violation]:
    """Check a document against TID 4000 and all that it includes.

    Parameters
    ----------
    images
        By SOP Instance UID, of the images at hand; conditions on attributes of other images are not checked.
    root
        The row of the root; TID 4000 row 1 by default.
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
        found, unknown = assign(entry, node, self.document)
        for assigned in found:
            if assigned.wrong:
                yield Violation(assigned.node.path, assigned.slot.row.rule, assigned.wrong)
        yield from self._unknown(entry, unknown)
        yield from _order(entry, node, found)
        yield from self._rows(children(entry.template, entry.number), (), node, found)
        yield from self._targets(found)
        for assigned in found:
            if not assigned.slot.row.by_reference and assigned.node.value_type:
                yield from self.item(assigned.slot.row, assigned.node)

    def _unknown(self, entry: Row, unknown: list[Node]) -> Iterator[Violation]:
        if entry.template in EXTENSIBLE:
            return
        observed = any(part.includes in _OBSERVED for slot in slots(entry) for part in slot.via)
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
            yield from self._presence(entry, count, counts, parent, via, found, told)
            if entry.includes and count:
                yield from self._rows(tops(entry.includes), (*via, entry), parent, found)

    def _count(self, entry: Row, via: tuple[Row, ...], found: list[Assigned]) -> int:
        depth = len(via)
        if entry.includes:
            return sum(item.slot.via[: depth + 1] == (*via, entry) for item in found)
        return sum(item.slot.row is entry and item.slot.via == via for item in found)

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
        together = sum(counts[number] for number in condition.rows)
        if condition.rows and condition.rows not in told:
            told.add(condition.rows)
            wanted = {Kind.ONE_OF: 1, Kind.TWO_OF: 2}.get(condition.kind)
            if wanted is not None and together < wanted:
                yield Violation(parent.path, entry.rule, f"{condition.sentence} must be there, {together} found")
            elif condition.kind is Kind.XOR:
                kinds = sum(counts[number] > 0 for number in condition.rows)
                if kinds > 1 or (not kinds and entry.requirement is Requirement.CONDITIONAL):
                    yield Violation(parent.path, entry.rule, f"{condition.sentence}, {kinds} found")
        if condition.predicate:
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

    def _missing(
        self, entry: Row, why: str, parent: Node, via: tuple[Row, ...], found: list[Assigned]
    ) -> Iterator[Violation]:
        """Of an inclusion the rows that it cannot do without are named, they tell more."""
        inner = []
        if entry.includes:
            inner = list(self._rows(tops(entry.includes), (*via, entry), parent, found))
        yield from inner or [Violation(parent.path, entry.rule, f"{_name(entry)} {why}")]

    def _image(self, node: Node) -> ImageFacts | None:
        """The image that a library entry, or an item below one, stands for."""
        for length in range(len(node.path), 0, -1):
            above = self.document.nodes.get(node.path[:length])
            if above is not None and above.value_type == "IMAGE":
                return self.images.get(above.sop_instance_uid)
        return None

    def _targets(self, found: list[Assigned]) -> Iterator[Violation]:
        """By-reference images are entries of the Image Library, and those of one geometry are the same."""
        first: tuple[int, ...] | None = None
        for assigned in found:
            entry, node = assigned.slot.row, assigned.node
            if entry.by_reference and entry.value_type == "IMAGE" and not assigned.wrong:
                yield from self._in_library(entry, node)
            if entry.by_reference and entry.concept is not None:
                target = self.document.nodes.get(node.target)
                if target is not None and problems(entry, target.concept, target.code, "", None, ""):
                    yield Violation(node.path, entry.rule, "refers to another item than this row allows")
                elif target is not None and entry.values and not _has_value(entry, target):
                    yield Violation(node.path, entry.rule, f"the target is no {entry.values[0].meaning}")
            if entry.template in (4008, 4021) and entry.value_type == "SCOORD":
                targets = [child.target for child in node.children if child.target]
                first = first or (targets[0] if targets else None)
                if targets and targets[0] != first:
                    below = children(entry.template, entry.number)[0]
                    yield Violation(node.path, below.rule, "selected from another image than the first graphic")

    def _in_library(self, entry: Row, node: Node) -> Iterator[Violation]:
        target = self.document.nodes.get(node.target)
        above = self.document.nodes.get(node.target[:-1])
        if target is not None and not (above is not None and is_named(above, c.IMAGE_LIBRARY)):
            yield Violation(node.path, entry.rule, "the target is no entry of the Image Library")


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
    """The order of the rows is significant in all of these templates."""
    before: Slot | None = None
    for assigned in found:
        if before is not None and assigned.slot.place < before.place:
            detail = f"{assigned.slot.row.rule} stands after {before.row.rule}"
            yield Violation(assigned.node.path, f"TID{entry.template}-order", detail)
            return
        before = assigned.slot
