"""TID 1400, 1401 and 1402 as rows: lengths, areas and volumes (PS3.16 Annex A)."""

from __future__ import annotations

from reread.connectors.reports.codes import Code
from reread.connectors.reports.templates_rows import (
    HAS,
    INFERRED,
    LINES,
    MC,
    NOT_MULTIPOINT,
    OBS,
    POINT_ONLY,
    SELECTED,
    UC,
    Condition,
    Kind,
    M,
    Requirement,
    Row,
    U,
    entry,
    when,
    xor,
)
from reread.connectors.reports.value_sets import dcm

_METHOD = Code("370129005", "SCT", "Measurement Method")


def _selected(template: int, first: int) -> tuple[Row, Row]:
    """The image of a graphic, by reference or by value."""
    one, other = str(first), str(first + 1)
    return (
        entry((template, one, 2), SELECTED, "IMAGE", MC, "1", xor(one, other), by_reference=True),
        entry((template, other, 2), SELECTED, "IMAGE", MC, "1", xor(one, other)),
    )


def _region(template: int, outline: str, reference: str, method: int) -> tuple[Row, ...]:
    """What an area or a volume was taken from; TID 1401 and 1402 differ in concepts and in when it is needed."""
    requirement: Requirement
    conditions: list[Condition]
    if template == 1401:
        requirement, vm = MC, "1"
        names = ("area_without_image", "area_without_outline", "area_without_outline_or_image")
        sentence = "the concept is the area of a defined region and nothing else tells the region"
        conditions = [when(Kind.IF, name, sentence) for name in names]
    else:
        requirement, vm = UC, "1-n"
        conditions = [xor("2", "5", "6")] * 3
    return (
        entry(
            (template, "2", 1),
            INFERRED,
            "SCOORD",
            requirement,
            vm,
            conditions[0],
            concept=dcm(outline),
            graphic_types=NOT_MULTIPOINT,
        ),
        *_selected(template, 3),
        entry((template, "5", 1), INFERRED, "IMAGE", requirement, "1", conditions[1], concept=dcm(reference)),
        entry((template, "6", 1), INFERRED, "IMAGE", requirement, "1", conditions[2], by_reference=True),
        entry((template, "7", 1), HAS, "CODE", U, concept=_METHOD, value_sets=(method,)),
        entry((template, "8", 1), OBS, "", U, includes=4108),
    )


TABLE: tuple[Row, ...] = (
    # the group of lengths is extensible; CID 6165 is it with the distances from nipple, skin and chest wall (R0.256)
    entry((1400, "1", 0), "", "NUM", M, concept_sets=(7470, 6165), units_sets=(7460,), lowest=0),
    entry((1400, "2", 1), INFERRED, "SCOORD", UC, "1", xor("2", "5"), concept=dcm("121055"), graphic_types=LINES),
    *_selected(1400, 3),
    entry(
        (1400, "5", 1), INFERRED, "SCOORD", UC, "2-n", xor("2", "5"), concept=dcm("121230"), graphic_types=POINT_ONLY
    ),
    *_selected(1400, 6),
    entry((1400, "8", 1), OBS, "", U, includes=4108),
    entry((1401, "1", 0), "", "NUM", M, concept_sets=(7471,), units_sets=(7461,), above=0),
    *_region(1401, "121056", "121214", 7473),
    entry((1402, "1", 0), "", "NUM", M, concept_sets=(7472,), units_sets=(7462,), above=0),
    *_region(1402, "121057", "121191", 7474),
)
