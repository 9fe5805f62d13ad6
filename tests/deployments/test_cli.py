"""The command line as a person meets it: every command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_nights import PATIENT_ID, PATIENT_NAME, phantom_file, phantom_study
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from phantoms import phantom

from reread.analytics.reasons import Reason
from reread.analytics.schema import TABLES
from reread.analytics.tables import tables
from reread.connectors.warehouse import Warehouse

COMMANDS = ("demo", "measure", "simulate", "evaluate", "listen", "poll", "import", "night", "sql", "status", "doctor")
COMMANDS += ("conformance", "config", "requeue")


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


def reread(*arguments: object, cwd: Path, **environment: str) -> Said:
    """Run the command line; no setting of this process or of the developer gets in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "REREAD"))}
    done = subprocess.run(
        [sys.executable, "-m", "reread.deployments.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**kept, "COLUMNS": "160", **environment},
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr[-3000:]
    return Said(done.returncode, done.stdout, done.stderr)


def test_help_lists_every_command(tmp_path):
    said = reread("--help", cwd=tmp_path)
    assert said.status == 0
    assert all(f" {name} " in said.out for name in COMMANDS)
    assert "not a medical device" in said.out
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_starts_without_the_heavy_libraries(tmp_path):
    look = "import sys, reread.deployments.cli; print(sorted(sys.modules.keys() & set(sys.argv[1:])))"
    heavy = ["prefect", "distributed", "dask", "pydicom", "pynetdicom", "cv2", "duckdb", "pyarrow", "scipy"]
    done = subprocess.run(
        [sys.executable, "-c", look, *heavy], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


def variant(path: Path, number: int, **changes: object) -> Path:
    """A mammogram of study 2.25.1001 with wrong or missing values."""
    ds = mammogram_dataset(number=number)
    save(ds, path)
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.save_as(path)
    return path


@dataclass(frozen=True)
class Measured:
    said: Said
    out: Path
    expected: dict[str, Reason]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Measured:
    """`reread measure` on a folder with good studies and every kind of bad input between them."""
    root = tmp_path_factory.mktemp("measure")
    folder = root / "in"
    phantom_study(folder, "2.25.1001", 4)
    phantom_study(folder / "deeper" / "down", "2.25.1002", 2)
    (folder / "notes.txt").write_text("not an image")
    (folder / "empty.dcm").touch()
    truncated = phantom_file(folder / "truncated.dcm", 51)
    truncated.write_bytes(truncated.read_bytes()[:100_000])
    variant(folder / "no-pixels.dcm", 52, PixelData=None)
    variant(folder / "size.dcm", 53, Rows=50_000, Columns=50_000)
    syntax = variant(folder / "syntax.dcm", 54)
    syntax.write_bytes(syntax.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0"))
    variant(folder / "laterality.dcm", 55, ImageLaterality=None, PatientOrientation=None)
    variant(folder / "view.dcm", 56, ViewPosition=None, ViewCodeSequence=None)
    variant(folder / "ct.dcm", 57, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    (folder / "zz-again.dcm").write_bytes((folder / "2.25.1001-1.dcm").read_bytes())
    phantom_file(folder / "two-a.dcm", 1, study="2.25.1003")
    phantom_file(folder / "two-b.dcm", 2, study="2.25.1003", patient="T-2")
    expected = {
        "notes.txt": Reason.NOT_DICOM,
        "empty.dcm": Reason.EMPTY,
        "truncated.dcm": Reason.TRUNCATED,
        "no-pixels.dcm": Reason.NO_PIXEL_DATA,
        "size.dcm": Reason.IMPOSSIBLE_SIZE,
        "syntax.dcm": Reason.UNKNOWN_TRANSFER_SYNTAX,
        "laterality.dcm": Reason.MISSING_LATERALITY,
        "view.dcm": Reason.MISSING_VIEW,
        "ct.dcm": Reason.WRONG_MODALITY,
        "zz-again.dcm": Reason.DUPLICATE,
        "two-a.dcm": Reason.TWO_PATIENTS,
        "two-b.dcm": Reason.TWO_PATIENTS,
    }
    said = reread("measure", folder, "--out", root / "out", "--workers", 2, cwd=root)
    return Measured(said, root / "out", expected)


@pytest.mark.slow
class TestMeasure:
    def test_neighbours_are_measured(self, measured):
        assert measured.said.status == 0, measured.said
        rows = pq.read_table(measured.out / "images.parquet").to_pylist()
        assert sorted(row["source"] for row in rows if row["status"] == "measured") == [
            *(f"2.25.1001-{number}.dcm" for number in range(1, 5)),
            *(f"2.25.1002-{number}.dcm" for number in range(1, 3)),
        ]
        studies = pq.read_table(measured.out / "studies.parquet").to_pylist()
        assert {row["study_instance_uid"]: row["views"] for row in studies} == {
            "2.25.1001": "R CC, L CC, R MLO, L MLO",
            "2.25.1002": "R CC, L CC",
        }
        for views in ("R CC, L CC, R MLO, L MLO", "R CC, L CC "):
            assert views in measured.said.out

    def test_every_bad_file_has_its_reason_in_the_table(self, measured):
        rows = pq.read_table(measured.out / "images.parquet").to_pylist()
        found = {row["source"]: row["reason"] for row in rows if row["status"] != "measured"}
        assert found == {name: reason.value for name, reason in measured.expected.items()}

    def test_every_bad_file_is_named_on_the_terminal(self, measured):
        lines = [line for line in measured.said.out.splitlines() if line.startswith("not measured ")]
        assert len(lines) == len(measured.expected)
        for name, reason in measured.expected.items():
            (line,) = (line for line in lines if f"/{name}: " in line)
            assert reason.sentence in line

    def test_the_tables_are_complete(self, measured):
        for name, schema in TABLES.items():
            table = pq.read_table(measured.out / f"{name}.parquet")
            assert table.schema == schema
            assert table.num_rows > 0
            for field in schema:
                if not field.nullable:
                    assert table[field.name].null_count == 0, (name, field.name)
        findings = pq.read_table(measured.out / "findings.parquet")
        for column in ("laterality", "view", "x_px", "y_px", "score", "kind", "size_mm", "operating_point"):
            assert column in findings.column_names
        density = pq.read_table(measured.out / "density.parquet").to_pylist()
        assert len(density) == 6
        assert all(0 < row["percent_density"] < 100 and row["category"] in "abcd" for row in density)

    def test_results_are_written_and_nobody_is_named(self, measured):
        # a report, a sheet and a density page of each
        assert len(list((measured.out / "dicom").rglob("*.dcm"))) == 6
        for path in measured.out.glob("*.parquet"):
            assert PATIENT_NAME.encode() not in path.read_bytes()
        assert PATIENT_NAME not in measured.said.out
        assert PATIENT_ID not in measured.said.out


def test_measuring_nothing_usable_fails(tmp_path):
    (tmp_path / "a.txt").write_text("no")
    said = reread("measure", tmp_path / "a.txt", "--out", tmp_path / "out", cwd=tmp_path)
    assert said.status == 1
    assert "a.txt: not a DICOM file" in said.out


@pytest.fixture
def asked(tmp_path) -> Path:
    store = Warehouse(tmp_path / "data" / "warehouse")
    store.prepare()
    header = phantom(rows=100, columns=80, spacing_mm=2.0).mammogram.header
    store.record(tables((study_result(image_result(header)),), PROVENANCE), part="a")
    return tmp_path / "data"


def test_sql_shows_a_table_or_csv(asked, tmp_path):
    query = "SELECT kind, operating_point, score FROM findings ORDER BY score DESC LIMIT 2"
    said = reread("sql", query, "--data", asked, cwd=tmp_path)
    assert said.status == 0
    assert "│ mass" in said.out
    said = reread("sql", query, "--data", asked, "--csv", cwd=tmp_path)
    assert said.out.splitlines() == ["kind,operating_point,score", "mass,0,0.9", "calcification,1,0.8"]


def test_import_then_status(tmp_path):
    files = phantom_study(tmp_path / "in", count=2)
    (tmp_path / "in" / "x.pdf").write_bytes(b"%PDF")
    before = {path: path.read_bytes() for path in files}
    said = reread("import", tmp_path / "in", cwd=tmp_path, REREAD_DATA=str(tmp_path / "data"))
    assert said.status == 0
    assert "3 files: 2 queued, 1 rejected" in said.out
    assert "x.pdf: not a DICOM file" in said.out
    assert {path: path.read_bytes() for path in files} == before
    said = reread("import", tmp_path / "in", cwd=tmp_path, REREAD_DATA=str(tmp_path / "data"))
    assert "2 duplicate, 1 rejected" in said.out
    said = reread("status", "--data", tmp_path / "data", cwd=tmp_path)
    assert said.status == 0
    lines = [[word.strip() for word in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line]
    assert ["instances", "received", "2"] in lines
    assert ["studies", "closed", "1"] in lines
    assert ["instances", "received again", "2"] in lines


def test_config_check_prints_what_is_in_force(tmp_path):
    (tmp_path / "site.toml").write_text('ae_title = "FILED"\nledger_url = "postgresql://u:geheim@db/l"\n')
    said = reread("config", "check", cwd=tmp_path, REREAD_LISTENER__PORT="11999")
    assert said.status == 0
    assert 'ae_title = "FILED"' in said.out
    assert "port = 11999" in said.out
    assert "geheim" not in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("measure", "--out", "out"), "name at least one"),
        (("measure", "nowhere", "--out", "out"), "no such file or folder: nowhere"),
        (("measure", "file", "--out", "file"), "File exists"),
        (("import",), "name at least one"),
        (("import", "nowhere"), "no such file or folder"),
        (("sql", "SELECT 1", "--data", "empty"), "no catalogue at"),
        (("sql", "SELECT [/red] FROM [bold]", "--data", "data"), "[/red]"),
        (("status", "--data", "empty"), "no ledger in"),
        (("doctor", "--settings", "none.toml"), "no settings file at none.toml"),
        (("config", "check", "--settings", "bad.toml"), "listener.port"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(tmp_path, asked, arguments, words):
    (tmp_path / "file").touch()
    (tmp_path / "bad.toml").write_text("[listener]\nport = 99999\n")
    said = reread(*arguments, cwd=tmp_path)
    assert said.status == 2, said
    assert said.err.startswith("reread: ")
    assert words in said.err
    if arguments[0] != "sql":  # DuckDB points at the place in the query, below it
        assert said.err.count("\n") == 1
    assert said.out.strip() == ""


@pytest.mark.parametrize("arguments", [("nonsense",), ("sql",), ("measure", "x", "--out", "y", "--workers", "many")])
def test_wrong_usage_is_explained(tmp_path, arguments):
    said = reread(*arguments, cwd=tmp_path)
    assert said.status != 0
    assert "Error" in said.out + said.err
