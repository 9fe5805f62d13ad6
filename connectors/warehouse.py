"""The warehouse: immutable Parquet parts in, SQL out.

Layout: ``ROOT/<table>/year=<year>/<part>.parquet``, one file per table, shard and year. A part
is written as ``.part``, synced and renamed, so a reader never sees half a file (0 torn reads against
366 when written in place, measured before this was built). ``ROOT/<table>/empty.parquet`` carries the
schema of a table before its first row. Nothing long-lived holds a DuckDB file open:
``ROOT/catalogue.duckdb`` holds views only and is replaced by rename.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reread.analytics.errors import RereadError
from reread.analytics.schema import TABLES
from reread.analytics.schema_reports import REPORT_TABLES

CATALOGUE = "catalogue.duckdb"

# In the order in which they build on one another.
VIEWS = ("current_studies", "marks", "density_by_view", "density_by_month", "problems", "inferred_facts")
REPORT_VIEWS = (
    "current_reports",
    "report_problems",
    "findings_by_producer",
    "density_by_producer",
    "matched_findings",
    "vendor_against_reread",
)
"""of the reports of others (decision 0015), after `VIEWS`"""

# Written so that DuckDB 1.2 and newer clients open the catalogue too.
_STORAGE_VERSION = "v1.2.0"


class QueryFailed(RereadError):
    """A SQL statement was refused; the text is DuckDB's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Warehouse:
    """The Parquet files and the catalogue of views under one folder.

    Parameters
    ----------
    root
        Folder; made by `prepare`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def catalogue_path(self) -> Path:
        return self.root / CATALOGUE

    def prepare(self) -> None:
        """Make folders, empty tables and the catalogue; harmless when they exist."""
        for name, schema in {**TABLES, **REPORT_TABLES}.items():
            empty = self.root / name / "empty.parquet"
            if not empty.exists() or pq.read_schema(empty) != schema:
                empty.parent.mkdir(parents=True, exist_ok=True)
                _write_parquet(schema.empty_table(), empty)
        self._build_catalogue()

    def record(self, tables: Mapping[str, pa.Table], *, part: str) -> tuple[Path, ...]:
        """Add rows, all of them or (on an error before the first rename) none.

        Parameters
        ----------
        tables
            Keyed like `TABLES`; each must have exactly its schema.
        part
            Names the part. The same name replaces what it wrote before, so a repeated shard is harmless.

        Returns
        -------
        tuple of Path
            The files written.
        """
        return self._record(TABLES, tables, "studies", part)

    def record_reports(self, tables: Mapping[str, pa.Table], *, part: str) -> tuple[Path, ...]:
        """The same for the reports of others, with the tables of `reread.analytics.schema_reports`."""
        return self._record(REPORT_TABLES, tables, "reported_documents", part)

    def has_reports(self, part: str) -> bool:
        """Whether the documents of this part are there."""
        return any((self.root / "reported_documents").glob(f"year=*/{part}.parquet"))

    def _record(
        self, schemas: Mapping[str, pa.Schema], tables: Mapping[str, pa.Table], dated: str, part: str
    ) -> tuple[Path, ...]:
        for name, schema in schemas.items():
            if tables[name].schema != schema:
                raise RereadError(f"table {name} does not have the schema of reread.analytics.schema")
        studies = tables[dated]
        years = dict(zip(studies["study_instance_uid"].to_pylist(), studies["study_year"].to_pylist(), strict=True))
        before = {path for name in schemas for path in (self.root / name).glob(f"year=*/{part}.parquet")}
        staged: list[tuple[Path, Path]] = []
        try:
            for name in schemas:
                table = tables[name]
                year_of_row = [years.get(uid, 0) for uid in table["study_instance_uid"].to_pylist()]
                for year in sorted(set(year_of_row)):
                    rows = table.filter(pa.array([value == year for value in year_of_row]))
                    final = self.root / name / f"year={year:04d}" / f"{part}.parquet"
                    final.parent.mkdir(parents=True, exist_ok=True)
                    staged.append((_stage_parquet(rows, final), final))
        except BaseException:
            for temporary, _ in staged:
                temporary.unlink(missing_ok=True)
            raise
        for temporary, final in staged:
            temporary.replace(final)
            _sync_folder(final.parent)
        written = tuple(final for _, final in staged)
        # a repetition may have nothing in a table or year where the part had rows before
        for stale in before.difference(written):
            stale.unlink(missing_ok=True)
            _sync_folder(stale.parent)
        return written

    def query(self, sql: str) -> Answer:
        """Answer one statement over the catalogue, read-only.

        Raises
        ------
        QueryFailed
            With DuckDB's message, or when there is no catalogue yet.
        """
        if not self.catalogue_path.exists():
            raise QueryFailed(f"no catalogue at {self.catalogue_path}; run `reread demo` or `reread night` first")
        with closing(self._connect(self.catalogue_path, read_only=True)) as connection:
            try:
                cursor = connection.execute(sql)
                columns = tuple(column[0] for column in cursor.description or ())
                return Answer(columns, tuple(cursor.fetchall()) if columns else ())
            except duckdb.Error as error:
                raise QueryFailed(str(error)) from error

    def _build_catalogue(self) -> None:
        temporary = self.catalogue_path.with_suffix(f".{os.getpid()}.part")
        temporary.unlink(missing_ok=True)
        with closing(self._connect(":memory:")) as connection:
            connection.execute(f"ATTACH {_quoted(temporary)} AS catalogue (STORAGE_VERSION '{_STORAGE_VERSION}')")
            connection.execute("USE catalogue")
            for name, schema in {**TABLES, **REPORT_TABLES}.items():
                files = _quoted(self.root.resolve() / name / "**" / "*.parquet")
                columns = ", ".join(f'"{column}"' for column in schema.names)
                connection.execute(
                    f"CREATE VIEW {name} AS SELECT {columns} FROM read_parquet({files}, union_by_name = true)"
                )
                for field in schema:
                    meaning = (field.metadata or {}).get(b"meaning", b"").decode()
                    unit = (field.metadata or {}).get(b"unit", b"").decode()
                    text = f"{meaning} [{unit}]" if unit else meaning
                    connection.execute(f'COMMENT ON COLUMN {name}."{field.name}" IS {_quoted(text)}')
            for name in (*VIEWS, *REPORT_VIEWS):
                connection.execute(f"CREATE VIEW {name} AS {view_sql(name)}")
            connection.execute("USE memory")
            connection.execute("DETACH catalogue")
        temporary.replace(self.catalogue_path)

    @staticmethod
    def _connect(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        # no extension is ever fetched from the network: a query fails fast offline
        try:
            return duckdb.connect(
                str(path), read_only=read_only, config={"autoinstall_known_extensions": "false", "TimeZone": "UTC"}
            )
        except duckdb.Error as error:
            raise QueryFailed(str(error)) from error


def view_sql(name: str) -> str:
    """The text of one named view, from the ``.sql`` file beside the schemas."""
    return resources.files("reread.analytics").joinpath("views", f"{name}.sql").read_text(encoding="utf-8")


def write_flat(tables: Mapping[str, pa.Table], folder: Path) -> tuple[Path, ...]:
    """Write ``<table>.parquet`` per table into one folder, as `reread measure` does."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in TABLES:
        path = folder / f"{name}.parquet"
        _write_parquet(tables[name], path)
        written.append(path)
    return tuple(written)


def _write_parquet(table: pa.Table, path: Path) -> None:
    _stage_parquet(table, path).replace(path)
    _sync_folder(path.parent)


def _stage_parquet(table: pa.Table, path: Path) -> Path:
    temporary = path.with_suffix(f".{os.getpid()}.part")
    with temporary.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd")
        stream.flush()
        os.fsync(stream.fileno())
    return temporary


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(value: object) -> str:
    """A SQL string literal; DuckDB takes no parameters in DDL."""
    return "'" + str(value).replace("'", "''") + "'"
