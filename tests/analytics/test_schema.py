"""Every column is defined once, with a meaning and, where it has one, a unit."""

from __future__ import annotations

import pyarrow as pa
import pytest

from reread.analytics.schema import TABLES
from reread.analytics.schema_reports import REPORT_TABLES

ALL = {**TABLES, **REPORT_TABLES}

UNITS = {"_mm": "mm", "_mm2": "mm2", "_px": "px", "_deg": "degree", "seconds": "s"}
COLUMNS = [pytest.param(field, id=f"{name}.{field.name}") for name, schema in ALL.items() for field in schema]


def unit_of(field: pa.Field) -> str:
    return field.metadata[b"unit"].decode()


@pytest.mark.parametrize("field", COLUMNS)
def test_a_column_says_what_it_means(field):
    meaning = field.metadata[b"meaning"].decode()
    assert len(meaning) > 2
    assert meaning == meaning.strip()
    assert not meaning.endswith(".")


@pytest.mark.parametrize("field", COLUMNS)
def test_a_unit_in_the_name_is_the_unit_of_the_column(field):
    ending = next((ending for ending in sorted(UNITS, key=len, reverse=True) if field.name.endswith(ending)), None)
    if ending is not None:
        assert unit_of(field) == UNITS[ending]
    if field.name.startswith("percent_"):
        assert unit_of(field) == "%"


@pytest.mark.parametrize("field", COLUMNS)
def test_only_numbers_have_a_unit(field):
    if unit_of(field):
        assert pa.types.is_floating(field.type) or pa.types.is_integer(field.type)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_says_where_it_comes_from(name):
    required = {field.name for field in TABLES[name] if not field.nullable}
    assert {"study_instance_uid", "study_revision"} <= required
    assert {"algorithm", "version", "parameters_digest", "run_id", "recorded_at"} <= required
    assert len(set(TABLES[name].names)) == len(TABLES[name].names)


@pytest.mark.parametrize("name", REPORT_TABLES)
def test_every_row_of_a_report_says_who_wrote_it_and_which_run_read_it(name):
    required = {field.name for field in REPORT_TABLES[name] if not field.nullable}
    assert {"report_uid", "study_instance_uid", "producer", "model", "run_id", "recorded_at"} <= required
    assert len(set(REPORT_TABLES[name].names)) == len(REPORT_TABLES[name].names)


def test_a_column_of_several_tables_has_one_type():
    kinds: dict[str, set[str]] = {}
    for schema in ALL.values():
        for field in schema:
            kinds.setdefault(field.name, set()).add(str(field.type))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_no_column_holds_patient_data():
    names = {field.name for schema in ALL.values() for field in schema}
    assert not {name for name in names if "patient" in name or "birth" in name or "accession" in name}
