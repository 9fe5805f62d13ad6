"""Which row of a template each content item belongs to, with inclusions laid open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.templates import Kind, Row, children, tops
from reread.connectors.reports.templates_conditions import PREDICATES, Document, is_named
from reread.connectors.reports.templates_values import concept_fits, extends, private, value_fits
from reread.connectors.reports.value_sets import contains, key

_REGION = ("111030", "DCM")
_PLANES = frozenset({_REGION, ("121214", "DCM"), ("130488", "DCM")})
_VOLUMES = frozenset({("121191", "DCM"), ("121231", "DCM"), ("121232", "DCM")})


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A row that an item may fill, below the inclusions that lead to it."""

    row: Row
    relationship: str
    via: tuple[Row, ...]
    """inclusions, outermost first"""
    place: int
    """in the order of the rows; the same for all rows of an inclusion that may be repeated"""


@dataclass(frozen=True, slots=True)
class Assigned:
    """An item and its slot, with what is wrong with the choice."""

    node: Node
    slot: Slot
    wrong: str = ""


@cache
def slots(parent: Row) -> tuple[Slot, ...]:
    """What may stand directly below an item of a row."""
    return tuple(_laid_open(children(parent.template, parent.number), "", (), [0]))


def _laid_open(rows: tuple[Row, ...], relationship: str, via: tuple[Row, ...], counter: list[int]) -> list[Slot]:
    found: list[Slot] = []
    repeated = any(row.maximum is None for row in via)
    for row in rows:
        given = row.relationship or relationship
        if not repeated:
            counter[0] += 1
        if row.includes:
            found += _laid_open(tops(row.includes), given, (*via, row), counter)
        else:
            found.append(Slot(row, given, via, counter[0]))
    return found


def assign(parent: Row, node: Node, document: Document) -> tuple[list[Assigned], list[Node]]:
    """The children of an item with their slots, and those that no row knows."""
    found: list[Assigned] = []
    unknown: list[Node] = []
    possible = slots(parent)
    for child in node.children:
        chosen = _exact(possible, node, child, document) or _near(possible, node, child, document)
        if chosen is None:
            unknown.append(child)
        else:
            found.append(chosen)
    return found, unknown


def _exact(possible: tuple[Slot, ...], parent: Node, child: Node, document: Document) -> Assigned | None:
    fitting = [
        slot
        for slot in possible
        if slot.relationship == child.relationship
        and _type_fits(slot, child, document)
        and _concept(slot, parent, child, document)
    ]
    if not fitting:
        return None
    # a row that takes any concept is meant for what no other row knows
    fitting = [slot for slot in fitting if _has_concept(slot.row)] or fitting
    fitting = _of_its_template(fitting, child)
    if child.concept is not None and private(child.concept):
        fitting = _for_private(fitting, child)
    # length and area may stand in the templates of several kinds of finding
    fitting = [slot for slot in fitting if _allowed(slot, parent, document)] or fitting
    # a finding below a cluster is a calcification; another kind of finding is said to be no value of that row
    valued = [slot for slot in fitting if all(not row.values or _value_fits(row, child) for row in slot.via)]
    return Assigned(child, (valued or fitting)[0], "" if valued else _other_value(fitting[0]))


def _has_concept(row: Row) -> bool:
    return row.concept is not None or bool(row.concept_sets or row.concept_of)


def _of_its_template(fitting: list[Slot], child: Node) -> list[Slot]:
    """TID 1410, 1411 and 1501 begin alike: the group says which it is, or what it was measured on does."""
    templates = {str(slot.row.template) for slot in fitting}
    if len(templates) < 2 or child.value_type != "CONTAINER":
        return fitting
    wanted = child.template if child.template in templates else _likely_group(child)
    return [slot for slot in fitting if str(slot.row.template) == wanted] or fitting


def _likely_group(group: Node) -> str:
    told = [key(child.concept) for child in group.children if child.concept is not None]
    if told.count(_REGION) > 1 or not _VOLUMES.isdisjoint(told):
        return "1411"
    return "1501" if _PLANES.isdisjoint(told) else "1410"


def _allowed(slot: Slot, parent: Node, document: Document) -> bool:
    """Whether the conditions of the row and of the inclusions that lead to it allow it here."""
    conditions = [row.condition for row in (*slot.via, slot.row) if row.condition is not None]
    strict = [found.predicate for found in conditions if found.kind in (Kind.IFF, Kind.ONLY_IF)]
    return all(PREDICATES[name](parent, document) for name in strict)


def _other_value(slot: Slot) -> str:
    row = next(row for row in slot.via if row.values)
    return f"only {' or '.join(value.meaning for value in row.values)} may stand here ({row.rule})"


def _for_private(fitting: list[Slot], child: Node) -> list[Slot]:
    """A number with a private concept is a calculated value (CID 6142) unless its units are of a measurement."""
    calculated = [slot for slot in fitting if 6142 in slot.row.concept_sets]
    measured = [slot for slot in fitting if child.unit is not None and contains(slot.row.units_sets, child.unit)]
    derived = any(is_named(item, c.DERIVATION) for item in child.children)
    return (calculated if derived or not measured else measured) or fitting


def _near(possible: tuple[Slot, ...], parent: Node, child: Node, document: Document) -> Assigned | None:
    """The row that is meant, when relationship, value type or way of reference is wrong."""
    for slot in possible:
        if child.target and slot.row.by_reference and slot.relationship == child.relationship:
            target = document.nodes.get(child.target)
            kind = target.value_type if target is not None else "nothing"
            return Assigned(child, slot, f"refers to {kind or 'another reference'} in place of {slot.row.value_type}")
    for slot in possible:
        if child.target or not _names(slot, child):
            continue
        if _type_fits(slot, child, document) and slot.relationship != child.relationship:
            return Assigned(child, slot, f"{child.relationship or 'no relationship'} in place of {slot.relationship}")
        if not slot.row.by_reference and child.value_type != slot.row.value_type and slot.row.concept is not None:
            return Assigned(child, slot, f"{child.value_type or 'no value type'} in place of {slot.row.value_type}")
    for slot in possible:
        if slot.row.by_reference and child.value_type == slot.row.value_type == "IMAGE" and not child.target:
            return Assigned(child, slot, "by value in place of a reference to the Image Library")
    return None


def _names(slot: Slot, child: Node) -> bool:
    """Whether the concept alone points at this row."""
    row = slot.row
    if row.by_reference or row.concept_of:
        return False
    if row.concept is None and not row.concept_sets:
        return child.value_type == row.value_type and child.concept is None
    return concept_fits(row, child.concept) and not (child.concept is not None and extends(row, child.concept))


def _type_fits(slot: Slot, child: Node, document: Document) -> bool:
    if slot.row.by_reference:
        target = document.nodes.get(child.target) if child.target else None
        return target is not None and target.value_type == slot.row.value_type
    return not child.target and child.value_type == slot.row.value_type


def _concept(slot: Slot, parent: Node, child: Node, document: Document) -> bool:
    row = slot.row
    if row.by_reference:
        return True
    if row.concept_of:
        return child.concept is not None and key(child.concept) == _axis_concept(row, parent, document)
    return concept_fits(row, child.concept)


def _axis_concept(row: Row, parent: Node, document: Document) -> tuple[str, str] | None:
    """The concept that a row of TID 4023 takes from an axis of its table; `parent` is the operating point."""
    table = document.nodes.get(parent.path[:-1])
    axis = {"4": c.X_CONCEPT, "5": c.Y_CONCEPT}[row.concept_of]
    for item in table.children if table is not None else ():
        if is_named(item, axis) and item.code is not None:
            return key(item.code)
    return None


def _value_fits(row: Row, child: Node) -> bool:
    code: Code | None = child.code
    return code is not None and value_fits(row, code)
