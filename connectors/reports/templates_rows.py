"""What a row of a template says (PS3.16 6.1): the record and the shorthand in which the tables are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict, Unpack

from reread.connectors.reports.codes import Code


class Requirement(StrEnum):
    """Requirement type of a row (PS3.16 6.1.7)."""

    MANDATORY = "M"
    CONDITIONAL = "MC"
    OPTIONAL = "U"
    OPTIONAL_IF = "UC"


class Kind(StrEnum):
    """How the condition of a row is to be read (PS3.16 6.1.8)."""

    IF = "if"
    """there when the predicate holds, allowed otherwise"""
    IFF = "iff"
    """there exactly when the predicate holds"""
    ONLY_IF = "only if"
    """allowed only when the predicate holds"""
    ONE_OF = "one of"
    """at least one of the rows named"""
    TWO_OF = "two of"
    """at least two items of the rows named, together"""
    XOR = "xor"
    """of the rows named, this one included, one and no more; none is allowed when the row is UC"""
    ATTRIBUTE = "attribute"
    """there when the referenced image has one of the attributes; needs the image"""
    ELSEWHERE = "elsewhere"
    """what it asks cannot be seen in the document"""


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition of an MC or UC row."""

    kind: Kind
    predicate: str = ""
    """name in `templates_conditions.PREDICATES`, for IF, IFF and ONLY_IF; an XOR with one counts when it holds"""
    rows: tuple[str, ...] = ()
    """numbers of rows of the same template, for ONE_OF, TWO_OF and XOR"""
    attributes: tuple[str, ...] = ()
    """keywords of the image's attributes, for ATTRIBUTE"""
    sentence: str = ""
    else_none: bool = False
    """of an XOR with a predicate: when that does not hold, none of the rows is allowed"""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a template of PS3.16; its rule is named TID<template>-<number>. There is one object for each."""

    template: int
    number: str
    """as printed: "7", "2b" """
    level: int
    """nesting, 0 for the top of the template"""
    relationship: str
    """"" where the row that includes the template gives it"""
    value_type: str
    """"" for an inclusion"""
    requirement: Requirement
    minimum: int = 1
    """of the value multiplicity, when the row is there at all"""
    maximum: int | None = 1
    """None: any number"""
    concept: Code | None = None
    concept_sets: tuple[int, ...] = ()
    """CIDs that the concept name comes from"""
    concept_of: str = ""
    """number of the row of the same template whose value is the concept name (TID 4023)"""
    condition: Condition | None = None
    values: tuple[Code, ...] = ()
    """of a CODE, or of the top of an included template: only these"""
    value_sets: tuple[int, ...] = ()
    """of a CODE: CIDs of its values"""
    units: tuple[Code, ...] = ()
    units_sets: tuple[int, ...] = ()
    units_open: bool = False
    """units are defined terms: others are allowed"""
    lowest: float | None = None
    highest: float | None = None
    above: float | None = None
    """exclusive lower bound"""
    integer: bool = False
    graphic_types: tuple[str, ...] = ()
    by_reference: bool = False
    same_target_as: str = ""
    """number of the row whose by-reference target must be the same; its own where the row above may be repeated"""
    includes: int = 0
    """TID of the included template"""
    excludes: tuple[str, ...] = ()
    """numbers of rows of the same template that may not stand beside this one"""
    path_by_reference: bool = False
    """of an inclusion of TID 1400 to 1402: what was measured is told by an SCOORD and its by-reference IMAGE only"""
    sop_classes: tuple[str, ...] = ()
    """of an IMAGE or COMPOSITE: SOP Class UIDs that it may refer to"""

    @property
    def rule(self) -> str:
        """Stable name of the rule."""
        return f"TID{self.template}-{self.number}"


CONTAINS, HAS, MOD = "CONTAINS", "HAS PROPERTIES", "HAS CONCEPT MOD"
OBS, ACQ = "HAS OBS CONTEXT", "HAS ACQ CONTEXT"
INFERRED, SELECTED = "INFERRED FROM", "SELECTED FROM"
M, MC, U, UC = Requirement.MANDATORY, Requirement.CONDITIONAL, Requirement.OPTIONAL, Requirement.OPTIONAL_IF
POINT_ONLY, POLYLINE_ONLY = ("POINT",), ("POLYLINE",)
LINES = ("POLYLINE", "CIRCLE", "ELLIPSE")
NOT_MULTIPOINT = ("POINT", *LINES)
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and, since 2024, Label Map Segmentation Storage"""


def multiplicity(text: str) -> tuple[int, int | None]:
    """Bounds of a value multiplicity as printed: 1, 2, 1-n, 2-n."""
    first, _, last = text.partition("-")
    return int(first), None if last == "n" else int(last or first)


def when(kind: Kind, predicate: str, sentence: str) -> Condition:
    """A condition on the document."""
    return Condition(kind, predicate=predicate, sentence=sentence)


def one_of(*rows: str) -> Condition:
    """At least one of the rows."""
    return Condition(Kind.ONE_OF, rows=rows, sentence=f"at least one of the rows {', '.join(rows)}")


def xor(*rows: str, predicate: str = "", when: str = "", else_none: bool = False) -> Condition:
    """One of the rows and no more; with a predicate, and its sentence, only when that holds."""
    sentence = f"one of the rows {', '.join(rows)} and no more" + (f", when {when}" if when else "")
    return Condition(Kind.XOR, predicate, rows, sentence=sentence, else_none=else_none)


def attribute(*keywords: str) -> Condition:
    """When the image has one of the attributes."""
    return Condition(Kind.ATTRIBUTE, attributes=keywords, sentence=f"the image has {' or '.join(keywords)}")


class Constraints(TypedDict, total=False):
    """The columns of a row that most rows leave empty; see `Row`."""

    concept: Code
    concept_sets: tuple[int, ...]
    concept_of: str
    values: tuple[Code, ...]
    value_sets: tuple[int, ...]
    units: tuple[Code, ...]
    units_sets: tuple[int, ...]
    units_open: bool
    lowest: float
    highest: float
    above: float
    integer: bool
    graphic_types: tuple[str, ...]
    by_reference: bool
    same_target_as: str
    includes: int
    excludes: tuple[str, ...]
    path_by_reference: bool
    sop_classes: tuple[str, ...]


def entry(
    place: tuple[int, str, int],
    relationship: str,
    value_type: str,
    requirement: Requirement,
    vm: str = "1",
    condition: Condition | None = None,
    **constraints: Unpack[Constraints],
) -> Row:
    """One row, in the order of the printed columns; `place` is template, row number and nesting level."""
    template, number, level = place
    low, high = multiplicity(vm)
    return Row(
        template, number, level, relationship, value_type, requirement, low, high, condition=condition, **constraints
    )
