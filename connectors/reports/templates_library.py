"""TID 1600 to 1604 as rows: the images of a measurement report (PS3.16 Annex A).

The descriptors of CT, MR and PET (TID 1605 to 1607) are left to the extension that TID 1602 allows.
"""

from __future__ import annotations

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.templates_rows import (
    ACQ,
    CONTAINS,
    MC,
    MOD,
    Kind,
    M,
    Row,
    U,
    entry,
    when,
)
from reread.connectors.reports.value_sets import dcm

_PIXELS = (Code("{pixels}", "UCUM", "pixels"),)
_COSINE = (Code("{-1:1}", "UCUM", "{-1:1}"),)
_MM, _DEG = (c.MILLIMETER,), (c.DEGREE,)
_PROJECTION = when(Kind.IFF, "modality_is_projection", "the modality is one of projection radiography")
_SECTIONS = when(Kind.IFF, "modality_is_sectional", "the modality is CT, MR or PT")


def _said(template: int, number: int, value_type: str, concept: str) -> Row:
    return entry((template, str(number), 0), ACQ, value_type, U, concept=dcm(concept))


def _measured(template: int, number: int, concept: str, units: tuple[Code, ...]) -> Row:
    return entry((template, str(number), 0), ACQ, "NUM", U, concept=dcm(concept), units=units)


TABLE: tuple[Row, ...] = (
    # TID 1600 Image Library
    entry((1600, "1", 0), "", "CONTAINER", M, concept=c.IMAGE_LIBRARY),
    entry((1600, "2", 1), CONTAINS, "CONTAINER", U, "1-n", concept=dcm("126200")),
    entry((1600, "3", 2), ACQ, "", U, includes=1602),
    entry((1600, "4", 2), CONTAINS, "", U, "1-n", includes=1601),
    # TID 1601 Image Library Entry
    entry((1601, "1", 0), "", "IMAGE", M),
    entry((1601, "2", 1), ACQ, "", U, includes=1602),
    # TID 1602 Image Library Entry Descriptors
    entry((1602, "1", 0), ACQ, "CODE", U, concept=dcm("121139"), value_sets=(29,)),
    entry((1602, "2", 0), ACQ, "CODE", U, concept=dcm("123014"), value_sets=(4031,)),
    entry((1602, "3", 0), ACQ, "CODE", U, concept=c.IMAGE_LATERALITY, value_sets=(244,)),
    _said(1602, 4, "DATE", "111060"),
    _said(1602, 5, "TIME", "111061"),
    _said(1602, 6, "DATE", "111018"),
    _said(1602, 7, "TIME", "111019"),
    _said(1602, 8, "DATE", "126201"),
    _said(1602, 9, "TIME", "126202"),
    _said(1602, 10, "UIDREF", "112227"),
    _measured(1602, 11, "110910", _PIXELS),
    _measured(1602, 12, "110911", _PIXELS),
    entry((1602, "13", 0), ACQ, "", MC, "1", _PROJECTION, includes=1603),
    entry((1602, "14", 0), ACQ, "", MC, "1", _SECTIONS, includes=1604),
    # TID 1603 Image Library Entry Descriptors for Projection Radiography
    entry((1603, "1", 0), ACQ, "CODE", U, concept=c.IMAGE_VIEW),
    entry((1603, "2", 1), MOD, "CODE", U, "1-n", concept=c.IMAGE_VIEW_MODIFIER),
    _said(1603, 3, "TEXT", "111044"),
    _said(1603, 4, "TEXT", "111043"),
    _measured(1603, 5, "111026", _MM),
    _measured(1603, 6, "111066", _MM),
    _measured(1603, 7, "112011", _DEG),
    _measured(1603, 8, "112012", _DEG),
    # TID 1604 Image Library Entry Descriptors for Cross-Sectional Modalities
    _measured(1604, 1, "111026", _MM),
    _measured(1604, 2, "111066", _MM),
    _measured(1604, 3, "112226", _MM),
    _measured(1604, 4, "112225", _MM),
    *(_measured(1604, number, str(110896 + number), _MM) for number in (5, 6, 7)),
    *(_measured(1604, number, str(110896 + number), _COSINE) for number in range(8, 14)),
)
