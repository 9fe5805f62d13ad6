"""The warehouse: parts that appear whole, a catalogue that anyone may open at any time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_studies import PROVENANCE, failed, image_result, study_result
from phantoms import phantom

from reread.analytics.errors import RereadError
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage, View
from reread.analytics.schema import TABLES
from reread.analytics.schema_reports import REPORT_TABLES
from reread.analytics.tables import tables
from reread.connectors.warehouse import REPORT_VIEWS, VIEWS, QueryFailed, Warehouse, view_sql, write_flat


def study(uid: str = "2.25.7", study_date: str = "20250304", revision: int = 1):
    images = []
    for view in (View.CC, View.MLO):
        header = phantom(view, rows=100, columns=80, spacing_mm=2.0).mammogram.header
        header = replace(header, study_instance_uid=uid, study_date=study_date, inferred=("view: guessed",))
        images.append(image_result(header))
    return study_result(*images, revision=revision)


@pytest.fixture
def store(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.prepare()
    return warehouse


def scalar(store: Warehouse, sql: str) -> object:
    return store.query(sql).rows[0][0]


def test_an_empty_warehouse_answers_and_preparing_twice_is_harmless(store):
    store.prepare()
    for name in (*TABLES, *VIEWS, *REPORT_TABLES, *REPORT_VIEWS):
        assert store.query(f"SELECT * FROM {name}").rows == (), name
    assert store.query("SELECT * FROM studies").columns == tuple(TABLES["studies"].names)
    store.record(tables((study(),), PROVENANCE), part="a")
    store.prepare()
    assert scalar(store, "SELECT count(*) FROM studies") == 1


def test_what_is_recorded_comes_back(store):
    made = tables((study(), study("2.25.8", "20240101")), PROVENANCE)
    written = store.record(made, part="a")
    assert {path.relative_to(store.root).as_posix() for path in written} == {
        f"{name}/year={year}/a.parquet" for name in TABLES for year in (2024, 2025)
    }
    for name, table in made.items():
        found = store.query(f"SELECT * FROM {name} ORDER BY study_instance_uid")
        expected = [tuple(row.values()) for row in table.to_pylist()]
        assert len(found.rows) == len(expected), name
        assert all(row in expected for row in found.rows), name
    assert not list(store.root.rglob("*.part"))


def test_the_same_part_replaces_its_rows(store):
    store.record(tables((study(),), PROVENANCE), part="a")
    store.record(tables((study(),), replace(PROVENANCE, run_id="again")), part="a")
    assert store.query("SELECT DISTINCT run_id FROM findings").rows == (("again",),)
    store.record(tables((study("2.25.8"),), PROVENANCE), part="b")
    assert scalar(store, "SELECT count(*) FROM studies") == 2


def test_a_part_that_has_fewer_rows_now_leaves_none_of_the_old(store):
    orphan = RejectedImage("x.bin", Reason.NOT_DICOM, "")
    store.record(tables((), PROVENANCE, orphans=(orphan,)), part="list")
    store.record(tables((study(),), PROVENANCE, orphans=(orphan,)), part="mixed")
    assert scalar(store, "SELECT count(*) FROM images WHERE study_revision = 0") == 2
    store.record(tables((), PROVENANCE), part="list")
    store.record(tables((study(),), PROVENANCE), part="mixed")
    assert scalar(store, "SELECT count(*) FROM images WHERE study_revision = 0") == 0


def test_a_wrong_schema_writes_nothing(store):
    made = tables((study(),), PROVENANCE)
    made["findings"] = made["findings"].drop_columns(["score"])
    before = sorted(store.root.rglob("*"))
    with pytest.raises(RereadError, match="findings"):
        store.record(made, part="a")
    assert [path for path in sorted(store.root.rglob("*")) if path.is_file() and path not in before] == []
    assert scalar(store, "SELECT count(*) FROM studies") == 0


def test_rows_without_a_study_are_of_year_0(store):
    orphan = RejectedImage("x.bin", Reason.NOT_DICOM, "")
    (written,) = store.record(tables((), PROVENANCE, orphans=(orphan,)), part="lost")
    assert written.parent.name == "year=0000"


def test_current_studies_are_the_newest(store):
    for revision, run_id, at in ((1, "r1", "05:00"), (2, "r2", "06:00"), (2, "r3", "07:00"), (1, "r4", "09:00")):
        stamp = replace(PROVENANCE, run_id=run_id, recorded_at=f"2026-11-21T{at}:00Z")
        store.record(tables((study(revision=revision),), stamp), part=run_id)
    assert store.query("SELECT study_revision, run_id FROM current_studies").rows == ((2, "r3"),)
    assert store.query("SELECT DISTINCT run_id FROM marks").rows == (("r3",),)
    assert store.query("SELECT DISTINCT run_id FROM density_by_view").rows == (("r3",),)
    other = replace(PROVENANCE, algorithm="another")
    store.record(tables((study(),), other), part="other")
    assert scalar(store, "SELECT count(*) FROM current_studies") == 2


def test_every_view_answers(store):
    made = study()
    broken = replace(made, images=(made.images[0], failed(made.images[1])))
    store.record(tables((broken,), PROVENANCE), part="a")
    rows = {name: store.query(f"SELECT * FROM {name}") for name in VIEWS}
    assert all(answer.rows for answer in rows.values()), {name: len(answer.rows) for name, answer in rows.items()}
    assert len(rows["marks"].rows) == 3  # three of four candidates reach an operating point
    assert len(rows["density_by_view"].rows) == 1
    assert rows["inferred_facts"].rows == (("view: guessed", 1),)
    (problem,) = store.query("SELECT status, reason, detail FROM problems").rows
    assert problem == ("failed", "measurement_failed", "made to fail")
    (month,) = store.query("SELECT month, study_count, median_percent_density FROM density_by_month").rows
    assert (str(month[0])[:10], *month[1:]) == ("2025-03-01", 1, pytest.approx(23.4))


def test_every_view_file_is_in_the_catalogue():
    folder = Path(__file__).parents[2] / "analytics" / "views"
    assert {path.stem for path in folder.glob("*.sql")} == {*VIEWS, *REPORT_VIEWS}
    assert all(view_sql(name).startswith("--") for name in (*VIEWS, *REPORT_VIEWS))


def test_columns_carry_their_meaning(store):
    for name, schema in {**TABLES, **REPORT_TABLES}.items():
        said = dict(store.query(f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{name}'").rows)
        for field in schema:
            meaning, unit = (field.metadata[key].decode() for key in (b"meaning", b"unit"))
            assert said[field.name] == (f"{meaning} [{unit}]" if unit else meaning)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE mine (x INTEGER)",
        "DROP VIEW studies",
        "INSERT INTO studies SELECT * FROM studies",
        "CREATE OR REPLACE VIEW studies AS SELECT 1",
    ],
)
def test_the_catalogue_cannot_be_written_through_a_query(store, sql):
    before = store.catalogue_path.read_bytes()
    with pytest.raises(QueryFailed) as caught:
        store.query(sql)
    assert any(word in str(caught.value) for word in ("read-only", "is not an table", "is not a table"))
    assert store.catalogue_path.read_bytes() == before


def test_a_bad_statement_and_a_missing_catalogue_are_clear(store, tmp_path):
    with pytest.raises(QueryFailed, match="nonsense"):
        store.query("SELECT nonsense FROM studies")
    with pytest.raises(QueryFailed, match="no catalogue at"):
        Warehouse(tmp_path / "nowhere").query("SELECT 1")


def test_a_second_reader_and_a_rebuild_do_not_disturb_an_open_one(store):
    store.record(tables((study(),), PROVENANCE), part="a")
    other = duckdb.connect(str(store.catalogue_path), read_only=True)
    try:
        count = "SELECT count(*) FROM findings"
        assert other.execute(count).fetchone() == (8,)
        store.prepare()  # replaces the catalogue under the open reader
        store.record(tables((study("2.25.8"),), PROVENANCE), part="b")
        assert other.execute(count).fetchone() == (16,)
    finally:
        other.close()
    assert scalar(store, "SELECT count(*) FROM studies") == 2


def test_another_process_reads_the_catalogue_while_ours_is_open(store):
    store.record(tables((study(),), PROVENANCE), part="a")
    ask = f"import duckdb; print(duckdb.connect({str(store.catalogue_path)!r}, read_only=True).sql('FROM studies'))"
    ours = duckdb.connect(str(store.catalogue_path), read_only=True)
    try:
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60)
    finally:
        ours.close()
    assert done.returncode == 0, done.stderr
    assert "2.25.7" in done.stdout


WRITER = dedent("""
    import sys
    from pathlib import Path
    import pyarrow.parquet as pq
    from reread.analytics.schema import TABLES
    from reread.connectors.warehouse import Warehouse

    source, root = Path(sys.argv[1]), Path(sys.argv[2])
    made = {name: pq.read_table(source / f"{name}.parquet", schema=schema) for name, schema in TABLES.items()}
    for round in range(60):
        Warehouse(root).record(made, part=f"p{round % 3}")
        if round == 0:
            print("started", flush=True)
""")


@pytest.mark.slow
def test_a_reader_never_sees_a_torn_part(store, tmp_path):
    """Another process replaces parts all the time; every answer holds whole parts only."""
    many = [study(f"2.25.{number}") for number in range(40)]
    write_flat(tables(many, PROVENANCE), tmp_path / "flat")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "flat"), str(store.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "started\n"
        reads = 0
        while writer.poll() is None:
            count, parts = store.query("SELECT count(*), count(*) // 320 FROM findings").rows[0]
            assert count == parts * 320
            assert 1 <= parts <= 3
            reads += 1
    finally:
        writer.wait(timeout=60)
        writer.stdout.close()
    assert writer.returncode == 0
    assert reads > 3
    assert scalar(store, "SELECT count(*) FROM findings") == 3 * 320


def test_flat_files_have_the_schemas(tmp_path):
    made = tables((study(),), PROVENANCE)
    for path in write_flat(made, tmp_path / "out"):
        read = pq.read_table(path)
        assert read.schema == TABLES[path.stem]
        assert [field.metadata[b"meaning"] for field in read.schema] == [
            field.metadata[b"meaning"] for field in TABLES[path.stem]
        ]
        assert read.equals(made[path.stem])
    assert isinstance(read, pa.Table)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.parquet" for name in TABLES}
