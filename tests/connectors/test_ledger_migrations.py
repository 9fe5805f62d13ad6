"""A ledger of version 1 is brought up to date and loses nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects import postgresql, sqlite

from reread.analytics.errors import LedgerError
from reread.connectors.closing import CaseCloser
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_migrations import added_columns
from reread.connectors.ledger_tables import SCHEMA_VERSION
from reread.connectors.states import StudyState

EVERY_LEDGER = True
VERSION_1 = """
CREATE TABLE ledger_schema (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE study_revisions (
  study_instance_uid VARCHAR(64) NOT NULL, revision INTEGER NOT NULL, woman VARCHAR(64) NOT NULL,
  study_date VARCHAR(8) NOT NULL, state VARCHAR(16) NOT NULL, two_patients BOOLEAN NOT NULL, evidence TEXT NOT NULL,
  run_id VARCHAR(64) NOT NULL, reason VARCHAR(40) NOT NULL, detail TEXT NOT NULL, opened_at DOUBLE NOT NULL,
  last_arrival_at DOUBLE NOT NULL, closed_at DOUBLE, changed_at DOUBLE NOT NULL,
  PRIMARY KEY (study_instance_uid, revision));
CREATE INDEX study_revisions_by_state ON study_revisions (state, last_arrival_at);
CREATE TABLE instances (
  number INTEGER NOT NULL, sop_instance_uid VARCHAR(64) NOT NULL, dataset_digest VARCHAR(64) NOT NULL,
  sop_class_uid VARCHAR(64) NOT NULL, series_instance_uid VARCHAR(64) NOT NULL,
  study_instance_uid VARCHAR(64) NOT NULL, revision INTEGER, woman VARCHAR(64) NOT NULL,
  study_date VARCHAR(8) NOT NULL, modality VARCHAR(16) NOT NULL, transfer_syntax_uid VARCHAR(64) NOT NULL,
  path TEXT NOT NULL, size_bytes DOUBLE NOT NULL, digest VARCHAR(64) NOT NULL, source VARCHAR(64) NOT NULL,
  state VARCHAR(16) NOT NULL, reason VARCHAR(40) NOT NULL, detail TEXT NOT NULL, received_at DOUBLE NOT NULL,
  times_received INTEGER NOT NULL, PRIMARY KEY (number), UNIQUE (sop_instance_uid, dataset_digest));
CREATE INDEX instances_by_study ON instances (study_instance_uid, woman);
CREATE INDEX instances_by_reason ON instances (reason);
CREATE TABLE rejections (
  number INTEGER NOT NULL, path TEXT NOT NULL, reason VARCHAR(40) NOT NULL, detail TEXT NOT NULL,
  sop_instance_uid VARCHAR(64) NOT NULL, study_instance_uid VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL,
  source VARCHAR(64) NOT NULL, rejected_at DOUBLE NOT NULL, PRIMARY KEY (number));
CREATE INDEX rejections_by_digest ON rejections (digest);
CREATE INDEX rejections_by_study ON rejections (study_instance_uid);
CREATE TABLE deliveries (
  sop_instance_uid VARCHAR(64) NOT NULL, destination VARCHAR(64) NOT NULL, sop_class_uid VARCHAR(64) NOT NULL,
  study_instance_uid VARCHAR(64) NOT NULL, revision INTEGER NOT NULL, path TEXT NOT NULL, "commit" BOOLEAN NOT NULL,
  state VARCHAR(16) NOT NULL, attempts INTEGER NOT NULL, transaction_uid VARCHAR(64) NOT NULL, detail TEXT NOT NULL,
  first_attempt_at DOUBLE, next_attempt_at DOUBLE NOT NULL, changed_at DOUBLE NOT NULL,
  PRIMARY KEY (sop_instance_uid, destination));
CREATE INDEX deliveries_by_study ON deliveries (study_instance_uid, revision);
CREATE INDEX deliveries_by_state ON deliveries (state, next_attempt_at);
CREATE TABLE commitment_transactions (
  transaction_uid VARCHAR(64) NOT NULL, destination VARCHAR(64) NOT NULL, requested_at DOUBLE NOT NULL,
  answered_at DOUBLE, PRIMARY KEY (transaction_uid));
CREATE TABLE measurements (
  study_instance_uid VARCHAR(64) NOT NULL, revision INTEGER NOT NULL, algorithm VARCHAR(64) NOT NULL,
  version VARCHAR(64) NOT NULL, parameters_digest VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL,
  measured_at DOUBLE NOT NULL,
  PRIMARY KEY (study_instance_uid, revision, algorithm, version, parameters_digest),
  FOREIGN KEY(study_instance_uid, revision) REFERENCES study_revisions (study_instance_uid, revision));
INSERT INTO ledger_schema VALUES (1);
"""

EVIDENCE = {
    "1.1": ("quiet for 120 s", "quiet"),
    "1.2": ("import of 8 files", "import"),
    "1.3": ("count of pacs: 4 of 4", "archive_count"),
    "1.4": ("instances of pacs: 4 of 4", "archive_count"),
    "1.5": ("something that nobody wrote", ""),
}


def execute(url: str, *statements: str, **values: object) -> list[tuple[object, ...]]:
    """Run statements past the ledger; the rows of the last."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


@pytest.fixture
def old(ledger_url: str) -> str:
    script = VERSION_1
    if ledger_url.startswith("postgresql"):
        script = script.replace("DOUBLE", "DOUBLE PRECISION").replace("number INTEGER", "number SERIAL")
    execute(ledger_url, *(one for one in script.split(";") if one.strip()))
    studies = [(uid, "closed", sentence) for uid, (sentence, _) in EVIDENCE.items()] + [("1.6", "open", "")]
    for uid, state, sentence in studies:
        execute(
            ledger_url,
            "INSERT INTO study_revisions VALUES (:uid, 1, 'w', '20260102', :state, false, :sentence, '', '', '', 1.0, "
            "2.0, NULL, 3.0)",
            uid=uid,
            state=state,
            sentence=sentence,
        )
        execute(
            ledger_url,
            "INSERT INTO instances (sop_instance_uid, dataset_digest, sop_class_uid, series_instance_uid, "
            "study_instance_uid, revision, woman, study_date, modality, transfer_syntax_uid, path, size_bytes, digest, "
            "source, state, reason, detail, received_at, times_received) VALUES (:image, 'd', '1.9', '1.8', :uid, 1, "
            "'w', '20260102', 'MG', '1.2', 'p', 10, 'f', 'pacs', 'received', '', '', 2.0, 1)",
            image=f"{uid}.1",
            uid=uid,
        )
    return ledger_url


def test_an_old_ledger_is_used_on(old):
    with open_ledger(old) as ledger:
        for uid, (sentence, rule) in EVIDENCE.items():
            work = ledger.study_work(uid, 1)
            assert (work.evidence, work.closed_by, work.cohort) == (sentence, rule, None)
            assert [image.sop_instance_uid for image in work.instances] == [f"{uid}.1"]
        assert ledger.study_work("1.6", 1).state is StudyState.OPEN
        assert len(CaseCloser(ledger).close()) == 1
        assert ledger.counts().closed_by == {"quiet": 2, "import": 1, "archive_count": 2}
    with open_ledger(old) as ledger:
        assert ledger.study_work("1.6", 1).closed_by == "quiet"


def structure(url):
    engine = create_engine(url)
    found = inspect(engine)
    tables = {
        table: (
            {(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)},
            {(index["name"], tuple(index["column_names"])) for index in found.get_indexes(table)},
            {tuple(one["column_names"]) for one in found.get_unique_constraints(table)},
        )
        for table in found.get_table_names()
    }
    engine.dispose()
    return tables


def test_an_old_ledger_becomes_what_a_new_one_is(old, tmp_path, request):
    """Nothing that a table or an index got since version 1 is missing."""
    server = old.startswith("postgresql")
    new = request.getfixturevalue("postgres").database() if server else f"sqlite:///{tmp_path / 'new.sqlite'}"
    for url in (old, new):
        open_ledger(url).close()
    assert structure(old) == structure(new)


def test_a_study_that_version_2_left_measured_for_ever_is_partial(ledger_url):
    url = ledger_url
    endings = {
        "1.1": ("committed", "given_up"),
        "1.2": ("committed", "failed"),
        "1.3": ("given_up",),
        "1.4": ("committed",),
    }
    with open_ledger(url) as ledger:
        for study, states in endings.items():
            for number, _ in enumerate(states):
                ledger.add_delivery(
                    sop_instance_uid=f"{study}.{number}",
                    sop_class_uid="1.9",
                    study_instance_uid=study,
                    revision=1,
                    destination="pacs",
                    path="r.dcm",
                )
    for study, states in endings.items():
        execute(
            url,
            "INSERT INTO study_revisions VALUES (:study, 1, 'w', '20260102', :state, false, '', '', '', '', 1.0, 2.0, "
            "2.5, 3.0, 'quiet', NULL)",
            study=study,
            state="delivered" if states == ("committed",) else "measured",
        )
        for number, state in enumerate(states):
            execute(
                url,
                "UPDATE deliveries SET state = :state WHERE sop_instance_uid = :uid",
                state=state,
                uid=f"{study}.{number}",
            )
    execute(url, "DROP TABLE unwritten_results", "DROP TABLE events", "UPDATE ledger_schema SET version = 2")
    with open_ledger(url) as ledger:
        assert {study: ledger.study_work(study, 1).state for study in endings} == {
            "1.1": StudyState.PARTIAL,
            "1.2": StudyState.MEASURED,
            "1.3": StudyState.PARTIAL,
            "1.4": StudyState.DELIVERED,
        }
        assert ledger.unwritten() == ()
    assert set(execute(url, "SELECT changed_at FROM study_revisions")) == {(3.0,)}
    assert execute(url, "SELECT version FROM ledger_schema") == [(SCHEMA_VERSION,)]


def test_several_processes_open_it_at_once(old):
    def use(_: int) -> int:
        with open_ledger(old) as ledger:
            return ledger.counts().studies[StudyState.CLOSED]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == [5] * 4


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_other_versions_are_refused_and_not_touched(old, version):
    execute(old, "UPDATE ledger_schema SET version = :version", version=version)
    before = structure(old)
    with pytest.raises(LedgerError, match=f"schema version {version}, this program needs {SCHEMA_VERSION}"):
        open_ledger(old)
    assert structure(old) == before


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_the_statements_of_both_databases(dialect):
    assert "ALTER TABLE study_revisions ADD COLUMN closed_by VARCHAR(20) DEFAULT '' NOT NULL" in added_columns(dialect)
    assert "ALTER TABLE instances ADD COLUMN cohort INTEGER" in added_columns(dialect)
