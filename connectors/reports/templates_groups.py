"""TID 1410, 1411, 1419, 1420 and 1500 to 1502 as rows: a measurement report and its groups (PS3.16 Annex A).

The parameters are those that TID 1500 binds, all of them to baseline groups: concepts, values and units are open.
"""

from __future__ import annotations

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import NO_UNITS, Code
from reread.connectors.reports.templates_numbers import EQUIVALENT, METHOD, SITE, TOPOGRAPHY, VALUE_MAP, VALUE_MAPS
from reread.connectors.reports.templates_rows import (
    CONTAINS,
    HAS,
    INFERRED,
    MC,
    MOD,
    NOT_MULTIPOINT,
    OBS,
    SEGMENTATIONS,
    SELECTED,
    UC,
    Kind,
    M,
    Row,
    U,
    entry,
    one_of,
    when,
    xor,
)
from reread.connectors.reports.value_sets import dcm

GROUP = dcm("125007")
_SESSION = Code("C67447", "NCIt", "Activity Session")
_CATEGORY = Code("276214006", "SCT", "Finding category")
_TRACKING, _TRACKING_UID = dcm("112039"), dcm("112040")
_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_STRUCTURE_SETS = ("1.2.840.10008.5.1.4.1.1.481.3",)
_SURFACES = (*SEGMENTATIONS, "1.2.840.10008.5.1.4.1.1.66.5")
_PLANAR, _VOLUMETRIC = xor("5", "7", "7b", "8b"), xor("5", "7", "10", "12b")
_SOURCE = xor("11", "12", predicate="parent_is_segmented", when="a segment or a surface is told", else_none=True)
_PARTS = one_of("6", "10", "12")


def _head(template: int) -> tuple[Row, ...]:
    """What the three groups begin with."""
    return (
        entry((template, "1b", 1), OBS, "TEXT", U, concept=_SESSION),
        entry((template, "2", 1), OBS, "TEXT", U, concept=_TRACKING),
        entry((template, "3", 1), OBS, "UIDREF", U, concept=_TRACKING_UID),
        entry((template, "3a", 1), CONTAINS, "CODE", U, concept=_CATEGORY),
        entry((template, "3b", 1), CONTAINS, "CODE", U, concept=dcm("121071")),
    )


def _qualities(template: int, number: int) -> tuple[Row, ...]:
    """What they end with: evaluations as codes and as text."""
    return (
        entry((template, str(number), 1), CONTAINS, "CODE", U, "1-n"),
        entry((template, f"{number}b", 2), MOD, "CODE", U, "1-n"),
        entry((template, str(number + 1), 1), CONTAINS, "TEXT", U, "1-n"),
    )


def _site(template: int, number: int, level: int) -> tuple[Row, ...]:
    return (
        entry((template, str(number), level), MOD, "CODE", U, "1-n", concept=SITE),
        entry((template, str(number + 1), level + 1), MOD, "CODE", U, concept=c.LATERALITY, value_sets=(244,)),
        entry((template, str(number + 2), level + 1), MOD, "CODE", U, concept=TOPOGRAPHY),
    )


def _space(template: int, first: str, second: str) -> tuple[Row, ...]:
    condition = _PLANAR if template == 1410 else _VOLUMETRIC
    return (
        entry(
            (template, first, 1),
            CONTAINS,
            "COMPOSITE",
            MC,
            "1",
            condition,
            concept=dcm("130488"),
            sop_classes=_STRUCTURE_SETS,
        ),
        entry((template, second, 2), HAS, "TEXT", M, concept=dcm("130489")),
    )


TABLE: tuple[Row, ...] = (
    # TID 1410 Planar ROI Measurements and Qualitative Evaluations
    entry((1410, "1", 0), "", "CONTAINER", M, concept=GROUP),
    *_head(1410),
    entry((1410, "3c", 1), CONTAINS, "CODE", U, concept=dcm("130400")),
    entry((1410, "4", 1), OBS, "", U, includes=1502),
    entry(
        (1410, "5", 1),
        CONTAINS,
        "SCOORD",
        MC,
        "1",
        _PLANAR,
        concept=dcm("111030"),
        graphic_types=NOT_MULTIPOINT,
    ),
    entry((1410, "6", 2), SELECTED, "IMAGE", M),
    entry((1410, "7", 1), CONTAINS, "IMAGE", MC, "1", _PLANAR, concept=dcm("121214"), sop_classes=SEGMENTATIONS),
    entry(
        (1410, "7b", 1),
        CONTAINS,
        "SCOORD3D",
        MC,
        "1",
        _PLANAR,
        concept=dcm("111030"),
        graphic_types=("POINT", "POLYGON", "ELLIPSE"),
    ),
    entry(
        (1410, "8", 1),
        CONTAINS,
        "IMAGE",
        MC,
        "1",
        when(Kind.IFF, "parent_has_segmentation_frame", "a frame of a segmentation is told (row 7)"),
        concept=dcm("121233"),
    ),
    *_space(1410, "8b", "8c"),
    entry((1410, "9", 1), CONTAINS, "IMAGE", U, concept=dcm("121200")),
    entry((1410, "9b", 1), CONTAINS, "IMAGE", U, "1-n", concept=dcm("130401")),
    entry((1410, "10", 1), CONTAINS, "COMPOSITE", U, concept=VALUE_MAP, sop_classes=VALUE_MAPS),
    entry((1410, "11", 1), CONTAINS, "", U, includes=1419),
    *_qualities(1410, 12),
    # TID 1411 Volumetric ROI Measurements and Qualitative Evaluations
    entry((1411, "1", 0), "", "CONTAINER", M, concept=GROUP),
    *_head(1411),
    entry((1411, "3c", 1), CONTAINS, "CODE", U, concept=dcm("130400")),
    entry((1411, "4", 1), OBS, "", U, includes=1502),
    entry(
        (1411, "5", 1),
        CONTAINS,
        "SCOORD",
        MC,
        "1-n",
        _VOLUMETRIC,
        concept=dcm("111030"),
        graphic_types=NOT_MULTIPOINT,
    ),
    entry((1411, "6", 2), SELECTED, "IMAGE", M),
    entry((1411, "7", 1), CONTAINS, "IMAGE", MC, "1", _VOLUMETRIC, concept=dcm("121191"), sop_classes=_SURFACES),
    # one ellipsoid or point, or several polygons or ellipses
    entry(
        (1411, "10", 1),
        CONTAINS,
        "SCOORD3D",
        MC,
        "1-n",
        _VOLUMETRIC,
        concept=dcm("121231"),
        graphic_types=("POINT", "ELLIPSOID", "POLYGON", "ELLIPSE"),
    ),
    entry((1411, "11", 1), CONTAINS, "IMAGE", MC, "1-n", _SOURCE, concept=dcm("121233")),
    entry((1411, "12", 1), CONTAINS, "UIDREF", MC, "1", _SOURCE, concept=dcm("121232")),
    *_space(1411, "12b", "12c"),
    entry((1411, "13", 1), CONTAINS, "IMAGE", U, "1-n", concept=dcm("121200")),
    entry((1411, "13b", 1), CONTAINS, "IMAGE", U, "1-n", concept=dcm("130401")),
    entry((1411, "14", 1), CONTAINS, "COMPOSITE", U, concept=VALUE_MAP, sop_classes=VALUE_MAPS),
    entry((1411, "15", 1), CONTAINS, "", U, includes=1419),
    *_qualities(1411, 16),
    # TID 1419 ROI Measurements
    entry((1419, "1", 0), MOD, "CODE", U, concept=METHOD),
    *_site(1419, 2, 0),
    entry((1419, "4b", 0), MOD, "", U, includes=4019),
    entry((1419, "5", 0), "", "NUM", M, "1-n"),
    entry((1419, "6", 1), MOD, "CODE", U, "1-n"),
    entry((1419, "7", 1), MOD, "CODE", U, concept=METHOD),
    entry((1419, "8", 1), MOD, "CODE", U, concept=c.DERIVATION),
    *_site(1419, 9, 1),
    entry((1419, "12", 1), HAS, "", U, includes=310),
    entry((1419, "13", 1), INFERRED, "NUM", UC, "1-n", xor("13", "14")),
    entry((1419, "14", 1), INFERRED, "NUM", UC, "1-n", xor("13", "14"), by_reference=True),
    entry((1419, "14b", 1), INFERRED, "CODE", U, "1-n"),
    entry((1419, "14c", 1), INFERRED, "TEXT", U, "1-n"),
    entry((1419, "15", 1), INFERRED, "", UC, "1", xor("15", "16"), includes=315),
    entry((1419, "16", 1), INFERRED, "TEXT", UC, "1", xor("15", "16"), concept_sets=(228,)),
    entry((1419, "17", 1), "", "", U, includes=1000),
    entry((1419, "18", 1), MOD, "TEXT", U, concept=EQUIVALENT),
    # row 19, the value map, is left out: it is printed with CONTAINS, which no IOD allows below a NUM
    entry((1419, "20", 1), MOD, "", U, includes=4019),
    # TID 1420 Measurements Derived From Multiple ROI Measurements; rows 2 and 3 refer to groups
    entry((1420, "1", 0), "", "NUM", M, "1-n", concept_sets=(7465,)),
    entry((1420, "1b", 1), MOD, "", U, includes=4019),
    entry((1420, "2", 1), INFERRED, "CONTAINER", MC, "1-n", xor("2", "3"), concept=GROUP, by_reference=True),
    entry((1420, "3", 1), INFERRED, "CONTAINER", MC, "1-n", xor("2", "3"), concept=GROUP, by_reference=True),
    entry((1420, "4", 1), HAS, "", U, includes=310),
    # TID 1500 Measurement Report
    entry((1500, "1", 0), "", "CONTAINER", M, concept_sets=(7021,)),
    entry((1500, "2", 1), MOD, "", U, includes=1204),
    entry((1500, "3", 1), OBS, "", M, includes=1001),
    entry((1500, "4", 1), MOD, "CODE", U, "1-n", concept=dcm("121058")),
    entry((1500, "5", 1), CONTAINS, "", U, includes=1600),
    entry((1500, "6", 1), CONTAINS, "CONTAINER", MC, "1", _PARTS, concept=dcm("126010")),
    entry((1500, "6b", 2), MOD, "", U, includes=4019),
    entry((1500, "7", 2), CONTAINS, "", U, "1-n", includes=1410),
    entry((1500, "8", 2), CONTAINS, "", U, "1-n", includes=1411),
    entry((1500, "9", 2), CONTAINS, "", U, "1-n", includes=1501),
    entry((1500, "10", 1), CONTAINS, "CONTAINER", MC, "1", _PARTS, concept=dcm("126011")),
    entry((1500, "10b", 2), MOD, "", U, includes=4019),
    entry((1500, "11", 2), CONTAINS, "", U, "1-n", includes=1420),
    entry((1500, "12", 1), CONTAINS, "CONTAINER", MC, "1", _PARTS, concept=_EVALUATIONS),
    entry((1500, "12b", 2), MOD, "", U, includes=4019),
    entry((1500, "13", 2), CONTAINS, "CODE", U, "1-n"),
    entry((1500, "13b", 3), MOD, "CODE", U, "1-n"),
    entry((1500, "14", 2), CONTAINS, "TEXT", U, "1-n"),
    # TID 1501 Measurement and Qualitative Evaluation Group
    entry((1501, "1", 0), CONTAINS, "CONTAINER", M, concept=GROUP),
    *_head(1501),
    entry((1501, "4", 1), OBS, "", U, includes=1502),
    entry((1501, "5", 1), MOD, "CODE", U, concept=METHOD),
    *_site(1501, 6, 1),
    entry((1501, "9", 1), CONTAINS, "COMPOSITE", U, concept=VALUE_MAP, sop_classes=VALUE_MAPS),
    entry((1501, "9b", 1), MOD, "", U, includes=4019),
    entry((1501, "9c", 1), CONTAINS, "IMAGE", U, concept=dcm("121200")),
    entry((1501, "9d", 1), CONTAINS, "IMAGE", U, "1-n", concept=dcm("130401")),
    entry((1501, "10", 1), CONTAINS, "", U, "1-n", includes=300),
    entry((1501, "10b", 1), CONTAINS, "IMAGE", U, "1-n"),
    entry((1501, "10c", 1), CONTAINS, "SCOORD", U, "1-n"),
    entry((1501, "10d", 2), SELECTED, "IMAGE", M),
    entry((1501, "10e", 1), CONTAINS, "SCOORD3D", U, "1-n"),
    entry((1501, "10f", 1), CONTAINS, "WAVEFORM", U, "1-n"),
    entry((1501, "10g", 1), CONTAINS, "TCOORD", U, "1-n"),
    entry((1501, "10h", 2), SELECTED, "WAVEFORM", M),
    *_qualities(1501, 11),
    # TID 1502 Time Point Context
    entry((1502, "1", 0), OBS, "TEXT", U, concept=dcm("126070")),
    entry((1502, "2", 0), OBS, "TEXT", U, concept=dcm("126071")),
    entry((1502, "3", 0), OBS, "TEXT", M, concept=Code("C2348792", "UMLS", "Time Point")),
    entry((1502, "4", 0), OBS, "CODE", U, "1-n", concept=dcm("126072")),
    entry((1502, "5", 0), OBS, "NUM", U, concept=dcm("126073"), units=(NO_UNITS,)),
    entry((1502, "6", 0), OBS, "NUM", U, concept=dcm("128740"), units=(Code("d", "UCUM", "days"),), units_open=True),
    entry((1502, "7", 1), MOD, "CODE", M, concept=dcm("128741"), value_sets=(280,)),
)
