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
    SEGMENTATIONS,
    SELECTED,
    UC,
    M,
    Row,
    U,
    entry,
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
    if template == 1401:
        requirement, vm = MC, "1"
        condition = xor(
            "2", "5", "6", predicate="parent_is_defined_region", when="the area of a defined region is told"
        )
    else:
        requirement, vm = UC, "1-n"
        condition = xor("2", "5", "6")
    return (
        entry(
            (template, "2", 1),
            INFERRED,
            "SCOORD",
            requirement,
            vm,
            condition,
            concept=dcm(outline),
            graphic_types=NOT_MULTIPOINT,
        ),
        *_selected(template, 3),
        entry(
            (template, "5", 1),
            INFERRED,
            "IMAGE",
            requirement,
            "1",
            condition,
            concept=dcm(reference),
            sop_classes=SEGMENTATIONS,
        ),
        entry(
            (template, "6", 1),
            INFERRED,
            "IMAGE",
            requirement,
            "1",
            condition,
            by_reference=True,
            sop_classes=SEGMENTATIONS,
        ),
        entry((template, "7", 1), HAS, "CODE", U, concept=_METHOD, value_sets=(method,)),
        entry((template, "8", 1), OBS, "", U, includes=4108),
    )


TABLE: tuple[Row, ...] = (
    # printed is CID 7470 alone; it is extensible, and CID 6165 is it with the distances from nipple, skin and chest
    # wall that a mammogram needs (R0.256); that a length is not below 0 is ours
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
