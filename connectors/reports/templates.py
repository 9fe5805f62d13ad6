"""The templates of a Mammography CAD SR and of a measurement report as one table (PS3.16 2026a).

TID 4000 to 4023, TID 1500 and what they include, row by row as printed.

Writer and checker both take their rules from here, so they cannot drift: the writer makes its content items with
`templates_items.item`, which refuses what a row forbids, and `template_checking` walks a tree along the same rows.

::

    row(4006, 2)            # Rendering Intent of a finding
    row(4006, 2).rule       # 'TID4006-2'
    ROWS[4006]              # all rows, in order
    relationships(row(4006, 1))   # ('CONTAINS', 'INFERRED FROM'): given by the rows that include TID 4006

Two things that a writer easily gets wrong: an individual impression needs a finding or a composite feature (TID 4003
rows 4 and 5; calculated values alone belong below the summary, TID 4001 row 2), and a number with a private concept
is an extension of CID 6142, so it needs its Derivation (TID 4006 rows 22 and 23).
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from reread.connectors.reports import (
    templates_context,
    templates_findings,
    templates_groups,
    templates_impressions,
    templates_library,
    templates_measurements,
    templates_numbers,
    templates_processing,
)
from reread.connectors.reports.templates_rows import Condition, Kind, Requirement, Row

__all__ = [
    "EXTENSIBLE",
    "IN_ANY_ORDER",
    "ROWS",
    "Condition",
    "Kind",
    "Requirement",
    "Row",
    "children",
    "relationships",
    "row",
    "tops",
]

IN_ANY_ORDER = frozenset({1015, 1410, 1411, 1419, 1420, 1500, 1501, 1502, 1600, 1601, 1602, 1603, 1604})
"""templates in which the order of the rows does not count; in all others it does"""
EXTENSIBLE = IN_ANY_ORDER | {
    *(300, 301, 310, 311, 312, 315, 320, 321),
    *(1000, 1003, 1004, 1007, 1008, 1009, 1010),
    *(1400, 1401, 1402, 4020),
}
"""templates that allow content items beyond their rows"""
_ROOTS = (4000, 1500)


def _by_template() -> dict[int, tuple[Row, ...]]:
    found: dict[int, list[Row]] = {}
    for module in (
        templates_impressions,
        templates_findings,
        templates_processing,
        templates_measurements,
        templates_context,
        templates_numbers,
        templates_library,
        templates_groups,
    ):
        for entry in module.TABLE:
            found.setdefault(entry.template, []).append(entry)
    return {template: tuple(rows) for template, rows in sorted(found.items())}


ROWS = MappingProxyType(_by_template())
"""TID → its rows in order"""
_BY_NUMBER = {(entry.template, entry.number): entry for rows in ROWS.values() for entry in rows}


def row(template: int, number: int | str) -> Row:
    """The row of a template.

    Raises
    ------
    KeyError
        There is no such row.
    """
    return _BY_NUMBER[template, str(number)]


@cache
def tops(template: int) -> tuple[Row, ...]:
    """The rows of nesting level 0."""
    return tuple(entry for entry in ROWS[template] if entry.level == 0)


@cache
def children(template: int, number: str) -> tuple[Row, ...]:
    """The rows directly below a row, within the same template."""
    rows = ROWS[template]
    place = next(index for index, entry in enumerate(rows) if entry.number == number)
    found = []
    for entry in rows[place + 1 :]:
        if entry.level <= rows[place].level:
            break
        if entry.level == rows[place].level + 1:
            found.append(entry)
    return tuple(found)


@cache
def _reached(root: int) -> frozenset[int]:
    """The templates that a document of the root may be made of."""
    found, waiting = {root}, [root]
    while waiting:
        for entry in ROWS[waiting.pop()]:
            if entry.includes and entry.includes not in found:
                found.add(entry.includes)
                waiting.append(entry.includes)
    return frozenset(found)


@cache
def relationships(entry: Row) -> tuple[str, ...]:
    """The relationships that an item of this row may have to its parent; () for the root of the document.

    Of a template that several kinds of document include, those of the Mammography CAD SR.
    """
    if entry.relationship:
        return (entry.relationship,)
    within = next((_reached(root) for root in _ROOTS if entry.template in _reached(root)), frozenset[int]())
    found: list[str] = []
    for template in within:
        for other in ROWS[template]:
            if other.includes == entry.template:
                given = (other.relationship,) if other.relationship else relationships(other)
                found += [name for name in given if name not in found]
    return tuple(sorted(found))
