"""Whether concept and value of a content item are those of its row; writer and checker ask the same question."""

from __future__ import annotations

from functools import lru_cache

from reread.connectors.reports.codes import Code
from reread.connectors.reports.templates_rows import Row
from reread.connectors.reports.value_sets import contains, key

_EXTENDED = frozenset({6142, 6166, 7470, 6165, 7471, 7472, 7021})
"""groups of concept names that a private code may extend (PS3.16 Annex B: extensible)"""
_OPEN = frozenset({29, 220, 222, 224, 280, 4031, 7449, 7454, 7455, 7456, 7480, 8103})
"""groups of values outside mammography that are extensible, or not known to be closed: any code may stand there"""


def problems(
    row: Row, concept: Code | None, code: Code | None, text: str, number: float | None, graphic_type: str
) -> tuple[tuple[str, str], ...]:
    """What of an item breaks its row, each as (kind, sentence); () when it fits.

    Parameters
    ----------
    code
        Value of a CODE, units of a NUM.
    text
        Value of a TEXT, DATE, TIME or UIDREF; not looked at otherwise.

    Returns
    -------
    Kinds are ``concept``, ``value``, ``units``, ``range`` and ``graphic``.
    """
    found: list[tuple[str, str]] = []
    if not concept_fits(row, concept):
        found.append(("concept", f"the concept {said(concept)} is none of this row"))
    if row.value_type == "CODE" and not row.by_reference:
        if code is None or not code.value:
            found.append(("value", "a CODE without a code"))
        elif not value_fits(row, code):
            found.append(("value", f"{said(code)} is no value of {_sets(row)}"))
    elif row.value_type == "NUM" and not row.by_reference:
        found += _number(row, code, number)
    elif row.value_type in ("TEXT", "DATE", "TIME", "UIDREF") and not text.strip():
        found.append(("value", f"an empty {row.value_type}"))
    elif row.graphic_types and graphic_type not in row.graphic_types:
        found.append(("graphic", f"{graphic_type or 'no graphic type'} in place of {' or '.join(row.graphic_types)}"))
    return tuple(found)


@lru_cache(maxsize=4096)
def concept_fits(row: Row, concept: Code | None) -> bool:
    """Whether the concept name is the row's, an equivalent one, or one of its groups or their private extension."""
    if row.concept is not None:
        return concept is not None and key(concept) == key(row.concept)
    if row.concept_sets:
        return concept is not None and (contains(row.concept_sets, concept) or extends(row, concept))
    return True  # IMAGE and the rows of TID 4023 that take their concept from another row


def extends(row: Row, concept: Code) -> bool:
    """Whether the concept is a private code in a row whose group may be extended."""
    return private(concept) and not _EXTENDED.isdisjoint(row.concept_sets)


def private(code: Code) -> bool:
    """Private schemes begin with 99 (PS3.16 8.2); 99SDM is an old name of SNOMED."""
    return code.scheme.startswith("99") and code.scheme != "99SDM"


@lru_cache(maxsize=4096)
def value_fits(row: Row, code: Code) -> bool:
    """Whether a code is one of the row's values."""
    if row.values:
        return key(code) in {key(value) for value in row.values}
    return not row.value_sets or not _OPEN.isdisjoint(row.value_sets) or contains(row.value_sets, code)


def said(code: Code | None) -> str:
    """A code as (value, scheme, "meaning")."""
    return "without code" if code is None else f'({code.value}, {code.scheme}, "{code.meaning}")'


def _sets(row: Row) -> str:
    return " or ".join([said(value) for value in row.values] or [f"CID {cid}" for cid in row.value_sets])


def _number(row: Row, unit: Code | None, number: float | None) -> list[tuple[str, str]]:
    found = []
    if unit is None or not unit.value:
        found.append(("units", "a number without units"))
    elif not _unit_fits(row, unit):
        allowed = ", ".join([value.value for value in row.units] + [f"CID {cid}" for cid in row.units_sets])
        found.append(("units", f"units {unit.value} in place of {allowed}"))
    if number is None or number != number or number in (float("inf"), float("-inf")):
        found.append(("value", "a NUM without a number"))
    else:
        if row.lowest is not None and number < row.lowest:
            found.append(("range", f"{number:g} is below {row.lowest:g}"))
        if row.highest is not None and number > row.highest:
            found.append(("range", f"{number:g} is above {row.highest:g}"))
        if row.above is not None and number <= row.above:
            found.append(("range", f"{number:g} is not above {row.above:g}"))
        if row.integer and number != int(number):
            found.append(("range", f"{number:g} is no whole number"))
    return found


@lru_cache(maxsize=1024)
def _unit_fits(row: Row, unit: Code) -> bool:
    if row.units_open or not (row.units or row.units_sets) or not _OPEN.isdisjoint(row.units_sets):
        return True
    same = unit.value in {value.value for value in row.units} and unit.scheme == "UCUM"
    return same or contains(row.units_sets, unit)
