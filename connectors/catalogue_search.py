"""From a query to SQL: a coarse selection by indexes; exact matching is the business of `query_matching`.

Patient ID, accession number, Study Date and every UID have an index. A name is looked for by a literal part
of it, in SQL, over the studies that are left.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, false, func, or_, select

from reread.connectors.catalogue_tables import INSTANCES, SERIES, STUDIES
from reread.connectors.query_keys import KEYS, LEVELS, UNIQUE, Key, Level, Matching
from reread.connectors.query_matching import (
    Query,
    date_span,
    fold,
    fold_name,
    has_wildcard,
    is_universal,
    literal_prefix,
)

_LAST_LETTER = "\U0010ffff"
_TABLES: dict[Level, Table] = {
    Level.PATIENT: STUDIES,
    Level.STUDY: STUDIES,
    Level.SERIES: SERIES,
    Level.IMAGE: INSTANCES,
}
_FOLDED = {"PatientID": STUDIES.c.folded_patient_id, "AccessionNumber": STUDIES.c.folded_accession_number}


def fold_names(name: str) -> str:
    """A person name as the catalogue stores it for the coarse selection."""
    return "=".join(fold_name(name))


def find_statement(query: Query) -> Select[Any]:
    """Rows of the query's level, with all that it asks for, among them every one that matches."""
    table = _TABLES[query.level]
    columns: list[ColumnElement[Any]] = [
        _COMPUTED[keyword].label(keyword) if KEYS[keyword].computed else _column(KEYS[keyword])
        for keyword in query.keys
    ]
    if query.codes is not None:
        columns.append(STUDIES.c.ProcedureCodeSequence)
    statement = select(*columns)
    if query.level is Level.PATIENT:
        # one without Patient ID is no patient that anybody could ask for
        statement = statement.add_columns(STUDIES.c.patient_key).where(STUDIES.c.PatientID != "")
        statement = statement.order_by(STUDIES.c.patient_key, STUDIES.c.id)
    else:
        # a query may have no key that is known here; then this is its only column
        statement = statement.add_columns(table.c.id).order_by(table.c.id)
    conditions = [_coarse(KEYS[keyword], asked) for keyword, asked in query.keys.items()]
    return _from(statement, query.level).where(*(item for item in conditions if item is not None))


def objects_statement(query: Query) -> Select[Any]:
    """The objects below what the unique keys name; values are compared as they are."""
    conditions: list[ColumnElement[bool]] = []
    for level in LEVELS:
        asked = query.keys.get(UNIQUE[level], "")
        if not asked:
            continue
        if level is Level.PATIENT:
            conditions += [STUDIES.c.folded_patient_id == fold(asked), STUDIES.c.PatientID == asked.strip()]
        else:
            conditions.append(_among(_column(KEYS[UNIQUE[level]]), asked))
    if not conditions:
        conditions = [false()]
    statement = _from(select(INSTANCES), Level.IMAGE)
    return statement.where(*conditions).order_by(INSTANCES.c.series, INSTANCES.c.id)


def _from(statement: Select[Any], level: Level) -> Select[Any]:
    if level is Level.IMAGE:
        joined = INSTANCES.join(SERIES, SERIES.c.id == INSTANCES.c.series).join(STUDIES, STUDIES.c.id == SERIES.c.study)
        return statement.select_from(joined)
    if level is Level.SERIES:
        return statement.select_from(SERIES.join(STUDIES, STUDIES.c.id == SERIES.c.study))
    return statement.select_from(STUDIES)


def _column(key: Key) -> ColumnElement[str]:
    column: ColumnElement[str] = _TABLES[key.level].c[key.keyword]
    return column


def _coarse(key: Key, asked: str) -> ColumnElement[bool] | None:
    """A condition that every match fulfils; None where there is none that an index would help."""
    if key.computed or is_universal(asked):
        return None
    if key.matching is Matching.UID:
        return _among(_column(key), asked)
    if key.matching is Matching.DATE:
        span = date_span(asked)
        if span is None:
            return false()
        ends = [_column(key) >= span.first if span.first else None, _column(key) <= span.last if span.last else None]
        return and_(*(end for end in ends if end is not None))
    if key.keyword == "PatientName":
        literal = max(re.split(r"[*? =]", "=".join(fold_name(asked))), key=len)
        return func.instr(STUDIES.c.folded_patient_name, literal) > 0 if literal else None
    if key.keyword in _FOLDED:
        return _folded(_FOLDED[key.keyword], asked)
    return None


def _folded(column: ColumnElement[str], asked: str) -> ColumnElement[bool] | None:
    conditions = []
    for choice in asked.split("\\"):
        prefix = literal_prefix(choice)
        if not has_wildcard(choice):
            conditions.append(column == fold(choice))
        elif prefix:
            conditions.append(and_(column >= prefix, column < prefix + _LAST_LETTER))
        else:
            return None
    return or_(*conditions)


def _among(column: ColumnElement[str], asked: str) -> ColumnElement[bool]:
    """Equal to one of the values; through JSON, because a list of UIDs may be longer than SQL has parameters."""
    uids = [uid.strip(" \0") for uid in asked.split("\\")]
    if len(uids) == 1:
        return column == uids[0]
    listed = func.json_each(json.dumps(uids)).table_valued("value")
    return column.in_(select(listed.c.value))


_S, _I, _T = SERIES.alias("below"), INSTANCES.alias("objects"), STUDIES.alias("hers")
_OBJECTS = _I.join(_S, _S.c.id == _I.c.series)

_COMPUTED: dict[str, ColumnElement[Any]] = {
    "NumberOfPatientRelatedStudies": select(func.count())
    .select_from(_T)
    .where(_T.c.patient_key == STUDIES.c.patient_key)
    .scalar_subquery(),
    "NumberOfPatientRelatedSeries": select(func.count())
    .select_from(_S.join(_T, _T.c.id == _S.c.study))
    .where(_T.c.patient_key == STUDIES.c.patient_key)
    .scalar_subquery(),
    "NumberOfPatientRelatedInstances": select(func.count())
    .select_from(_OBJECTS.join(_T, _T.c.id == _S.c.study))
    .where(_T.c.patient_key == STUDIES.c.patient_key)
    .scalar_subquery(),
    "NumberOfStudyRelatedSeries": select(func.count())
    .select_from(_S)
    .where(_S.c.study == STUDIES.c.id)
    .scalar_subquery(),
    "NumberOfStudyRelatedInstances": select(func.count())
    .select_from(_OBJECTS)
    .where(_S.c.study == STUDIES.c.id)
    .scalar_subquery(),
    "NumberOfSeriesRelatedInstances": select(func.count())
    .select_from(_I)
    .where(_I.c.series == SERIES.c.id)
    .scalar_subquery(),
    "ModalitiesInStudy": select(func.replace(func.group_concat(_S.c.Modality.distinct()), ",", "\\"))
    .select_from(_S)
    .where(_S.c.study == STUDIES.c.id, _S.c.Modality != "")
    .scalar_subquery(),
    "SOPClassesInStudy": select(func.replace(func.group_concat(_I.c.SOPClassUID.distinct()), ",", "\\"))
    .select_from(_OBJECTS)
    .where(_S.c.study == STUDIES.c.id)
    .scalar_subquery(),
}
