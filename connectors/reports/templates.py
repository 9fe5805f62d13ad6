"""The templates of a Mammography CAD SR as one table: TID 4000 to 4023 and what they include (PS3.16 2026a).

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
    templates_findings,
    templates_impressions,
    templates_measurements,
    templates_processing,
)
from reread.connectors.reports.templates_rows import Condition, Kind, Requirement, Row

__all__ = ["EXTENSIBLE", "ROWS", "Condition", "Kind", "Requirement", "Row", "children", "relationships", "row", "tops"]

EXTENSIBLE = frozenset({1400, 1401, 1402, 4020})
"""templates that allow content items beyond their rows; in all of them the order of the rows counts"""


def _by_template() -> dict[int, tuple[Row, ...]]:
    found: dict[int, list[Row]] = {}
    for module in (templates_impressions, templates_findings, templates_processing, templates_measurements):
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
def relationships(entry: Row) -> tuple[str, ...]:
    """The relationships that an item of this row may have to its parent; () for the root of the document."""
    if entry.relationship:
        return (entry.relationship,)
    found: list[str] = []
    for rows in ROWS.values():
        for other in rows:
            if other.includes == entry.template:
                given = (other.relationship,) if other.relationship else relationships(other)
                found += [name for name in given if name not in found]
    return tuple(found)
