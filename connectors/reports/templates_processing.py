"""TID 4015 to 4020, 4022, 4023 and 4108 as rows: what was run on which images (PS3.16 Annex A)."""

from __future__ import annotations

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.templates_rows import (
    ACQ,
    CONTAINS,
    HAS,
    MC,
    MOD,
    SELECTED,
    UC,
    Condition,
    Kind,
    M,
    Row,
    U,
    attribute,
    entry,
    one_of,
    when,
    xor,
)
from reread.connectors.reports.value_sets import dcm

ARBITRARY_UNIT = Code("[arb'U]", "UCUM", "arbitrary unit")
DEGREES = Code("deg", "UCUM", "deg")
COSINE = Code("{-1:1}", "UCUM", "{-1:1}")
PIXELS = Code("{pixels}", "UCUM", "pixels")
_SPACING = (c.MICROMETER, c.MILLIMETER)
_WORKED = when(Kind.IFF, "parent_succeeded", "all or some of it succeeded")
_FAILED = when(Kind.IFF, "parent_failed", "all or some of it failed")
_IMAGES = one_of("3", "4", "5", "6")
_ORIENTED = when(Kind.IF, "parent_has_row_x", "the orientation of the image is given (row 21)")
_PLACED = when(Kind.IF, "parent_has_position_x", "the position of the image is given (row 18)")
_EITHER = one_of("1", "2")


def _performed(template: int, concept: Code, value_set: int) -> tuple[Row, ...]:
    """TID 4017 and 4018 differ only in their concept and its values."""
    return (
        entry((template, "1", 0), "", "CODE", M, concept=concept, value_sets=(value_set,)),
        entry((template, "2", 1), HAS, "", M, includes=4019),
        entry((template, "3", 1), HAS, "IMAGE", MC, "1-n", _IMAGES),
        entry((template, "4", 1), HAS, "IMAGE", MC, "1-n", _IMAGES, by_reference=True),
        entry((template, "5", 1), HAS, "UIDREF", MC, "1-n", _IMAGES, concept=dcm("112002")),
        entry((template, "6", 1), HAS, "SCOORD", MC, "1-n", _IMAGES, concept=dcm("111030")),
        entry((template, "7", 2), SELECTED, "IMAGE", MC, "1", xor("7", "8")),
        entry((template, "8", 2), SELECTED, "IMAGE", MC, "1", xor("7", "8"), by_reference=True),
        entry((template, "9", 1), "", "", U, includes=4023),
    )


def _lists(template: int, successful: Code, failed: Code, performed: int) -> tuple[Row, ...]:
    """TID 4015 and 4016"""
    return (
        entry((template, "1", 0), "", "CONTAINER", MC, "1", _WORKED, concept=successful),
        entry((template, "2", 1), CONTAINS, "", M, "1-n", includes=performed),
        entry((template, "3", 0), "", "CONTAINER", MC, "1", _FAILED, concept=failed),
        entry((template, "4", 1), CONTAINS, "", M, "1-n", includes=performed),
    )


def _optional(*keywords: str) -> Condition:
    return Condition(Kind.ELSEWHERE, attributes=keywords, sentence=f"the image has {' or '.join(keywords)}")


def _plane(number: int, value: str, unit: Code, condition: Condition, *, first: bool) -> Row:
    """One number of the position or the orientation of the image plane."""
    return entry(
        (4020, str(number), 1), ACQ, "NUM", UC if first else MC, "1", condition, concept=dcm(value), units=(unit,)
    )


TABLE: tuple[Row, ...] = (
    *_lists(4015, c.SUCCESSFUL_DETECTIONS, c.FAILED_DETECTIONS, 4017),
    *_lists(4016, c.SUCCESSFUL_ANALYSES, c.FAILED_ANALYSES, 4018),
    *_performed(4017, c.DETECTION, 6014),
    *_performed(4018, c.ANALYSIS, 6043),
    # TID 4019 Algorithm Identification
    entry((4019, "1", 0), "", "TEXT", M, concept=c.ALGORITHM_NAME),
    entry((4019, "1b", 0), "", "CODE", U, concept=c.ALGORITHM_NAME),
    entry((4019, "2", 0), "", "TEXT", M, concept=c.ALGORITHM_VERSION),
    entry((4019, "2b", 0), "", "TEXT", U, concept=dcm("122405")),
    entry((4019, "3", 0), "", "TEXT", U, "1-n", concept=c.ALGORITHM_PARAMETERS),
    entry((4019, "4", 0), "", "CODE", U, concept=dcm("111000")),
    # TID 4020 CAD Image Library Entry, with the parameters of TID 4000 row 4
    entry((4020, "1", 0), "", "IMAGE", M),
    entry(
        (4020, "2", 1),
        ACQ,
        "CODE",
        MC,
        "1",
        attribute("ImageLaterality"),
        concept=c.IMAGE_LATERALITY,
        value_sets=(6022,),
    ),
    entry(
        (4020, "3", 1), ACQ, "CODE", MC, "1", attribute("ViewCodeSequence"), concept=c.IMAGE_VIEW, value_sets=(4014,)
    ),
    entry(
        (4020, "4", 2),
        MOD,
        "CODE",
        MC,
        "1-n",
        attribute("ViewModifierCodeSequence"),
        concept=c.IMAGE_VIEW_MODIFIER,
        value_sets=(4015,),
    ),
    entry((4020, "5", 1), ACQ, "TEXT", MC, "1", attribute("PatientOrientation"), concept=c.ORIENTATION_ROW),
    entry((4020, "6", 1), ACQ, "TEXT", MC, "1", attribute("PatientOrientation"), concept=c.ORIENTATION_COLUMN),
    entry((4020, "7", 1), ACQ, "DATE", MC, "1", attribute("StudyDate"), concept=c.STUDY_DATE),
    entry((4020, "8", 1), ACQ, "TIME", MC, "1", attribute("StudyTime"), concept=c.STUDY_TIME),
    entry((4020, "9", 1), ACQ, "DATE", MC, "1", attribute("ContentDate"), concept=c.CONTENT_DATE),
    entry((4020, "10", 1), ACQ, "TIME", MC, "1", attribute("ContentTime"), concept=c.CONTENT_TIME),
    entry(
        (4020, "11", 1),
        ACQ,
        "NUM",
        MC,
        "1",
        attribute("ImagerPixelSpacing", "PixelSpacing"),
        concept=c.HORIZONTAL_SPACING,
        units=_SPACING,
        above=0,
    ),
    entry(
        (4020, "12", 1),
        ACQ,
        "NUM",
        MC,
        "1",
        attribute("ImagerPixelSpacing", "PixelSpacing"),
        concept=c.VERTICAL_SPACING,
        units=_SPACING,
        above=0,
    ),
    entry(
        (4020, "13", 1),
        ACQ,
        "NUM",
        UC,
        "1",
        _optional("PositionerPrimaryAngle"),
        concept=dcm("112011"),
        units=(DEGREES,),
    ),
    entry(
        (4020, "14", 1),
        ACQ,
        "NUM",
        UC,
        "1",
        _optional("PositionerSecondaryAngle"),
        concept=dcm("112012"),
        units=(DEGREES,),
    ),
    entry(
        (4020, "15", 1),
        ACQ,
        "NUM",
        UC,
        "1",
        _optional("ImagePositionPatient"),
        concept=dcm("112226"),
        units=(c.MILLIMETER,),
    ),
    entry(
        (4020, "16", 1), ACQ, "NUM", UC, "1", _optional("SliceThickness"), concept=dcm("112225"), units=(c.MILLIMETER,)
    ),
    entry((4020, "17", 1), ACQ, "UIDREF", UC, "1", _optional("FrameOfReferenceUID"), concept=dcm("112227")),
    _plane(18, "110901", c.MILLIMETER, _optional("ImagePositionPatient"), first=True),
    _plane(19, "110902", c.MILLIMETER, _PLACED, first=False),
    _plane(20, "110903", c.MILLIMETER, _PLACED, first=False),
    _plane(21, "110904", COSINE, _optional("ImageOrientationPatient"), first=True),
    _plane(22, "110905", COSINE, _ORIENTED, first=False),
    _plane(23, "110906", COSINE, _ORIENTED, first=False),
    _plane(24, "110907", COSINE, _ORIENTED, first=False),
    _plane(25, "110908", COSINE, _ORIENTED, first=False),
    _plane(26, "110909", COSINE, _ORIENTED, first=False),
    entry(
        (4020, "27", 1),
        ACQ,
        "NUM",
        UC,
        "1",
        _optional("Rows"),
        concept=dcm("110910"),
        units=(PIXELS,),
        lowest=1,
        integer=True,
    ),
    entry(
        (4020, "28", 1),
        ACQ,
        "NUM",
        MC,
        "1",
        when(Kind.IF, "parent_has_rows", "the number of rows is given (row 27)"),
        concept=dcm("110911"),
        units=(PIXELS,),
        lowest=1,
        integer=True,
    ),
    # TID 4022 CAD Observation Context
    entry(
        (4022, "1", 0),
        "",
        "COMPOSITE",
        MC,
        "1",
        Condition(Kind.ELSEWHERE, sentence="the original source is a DICOM object"),
        concept=dcm("111040"),
    ),
    entry((4022, "2", 1), MOD, "", M, includes=1204),
    entry((4022, "3", 0), "", "", M, includes=1001),
    # TID 4023 CAD Operating Points; the units of its points are {0:n}, n being the maximum
    entry(
        (4023, "1", 0),
        HAS,
        "NUM",
        M,
        concept=c.MAXIMUM_OPERATING_POINT,
        units=(ARBITRARY_UNIT,),
        units_open=True,
        lowest=0,
        integer=True,
    ),
    entry(
        (4023, "2", 0),
        HAS,
        "NUM",
        U,
        concept=c.RECOMMENDED_OPERATING_POINT,
        units=(c.ZERO_TO_TWO,),
        units_open=True,
        lowest=0,
        integer=True,
    ),
    entry((4023, "3", 0), HAS, "CONTAINER", U, concept=c.OPERATING_POINT_TABLE),
    entry((4023, "4", 1), CONTAINS, "CODE", M, concept=c.X_CONCEPT, value_sets=(6048,)),
    entry((4023, "5", 1), CONTAINS, "CODE", M, concept=c.Y_CONCEPT, value_sets=(6048,)),
    entry(
        (4023, "6", 1),
        CONTAINS,
        "NUM",
        M,
        "1-n",
        concept=c.OPERATING_POINT,
        units=(c.ZERO_TO_TWO,),
        units_open=True,
        lowest=0,
        integer=True,
    ),
    entry((4023, "7", 2), HAS, "TEXT", U, concept=c.OPERATING_POINT_DESCRIPTION),
    entry((4023, "8", 2), HAS, "NUM", U, concept_of="4"),
    entry((4023, "9", 2), HAS, "NUM", U, concept_of="5"),
    # TID 4108 Tracking Identifier
    entry((4108, "1", 0), "", "TEXT", MC, "1", _EITHER, concept=dcm("112039")),
    entry((4108, "2", 0), "", "UIDREF", MC, "1", _EITHER, concept=dcm("112040")),
)
