"""The catalogue: patients, studies, series and objects with all that a query may ask for, derived from headers.

An SQLite file in the spool folder (it holds patient data), readable by its owner only. Nothing in it is the
only copy: it is made of what its feeds list, catches up before each query, and makes itself anew when it is
lost, damaged, or of another version. Several processes may use one file.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from reread.analytics.errors import CatalogueBehind, CatalogueError
from reread.connectors.catalogue_feeds import Feed
from reread.connectors.catalogue_header import codes_of, read_header
from reread.connectors.catalogue_search import find_statement, objects_statement
from reread.connectors.catalogue_tables import INSTANCES, MARKS, METADATA, fingerprint
from reread.connectors.catalogue_writing import CatalogueWriter
from reread.connectors.query_keys import Level
from reread.connectors.query_matching import Query

LOG = logging.getLogger(__name__)

_BATCH = 200
"""objects in one transaction, about half a second of reading"""
_BUSY_S = 30.0


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object that can be sent."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: Path


class CatalogueDamaged(CatalogueBehind):
    """The file is no database any more; it has been removed."""


class Catalogue:
    """Open it with the feeds that it is made of; close it.

    Parameters
    ----------
    file
        The SQLite file; made with mode 0600 if it is not there.
    feeds
        Where objects are listed.

    Raises
    ------
    CatalogueError
        The file cannot be made.
    """

    def __init__(self, file: Path, feeds: Sequence[Feed]) -> None:
        self._file = file
        self._feeds = {feed.name: feed for feed in feeds}
        self._process = os.getpid()
        self._broken = False
        self._engine = _engine(file)
        try:
            self._prepare()
        except CatalogueDamaged:  # it has been removed: make it anew
            self._prepare()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def catch_up(self, patience_s: float | None = None) -> int:
        """Read the headers of everything that is new; how many objects were added.

        Costs two short questions to each feed when there is nothing new.

        Raises
        ------
        CatalogueBehind
            There is more than could be read within `patience_s`, or another process is at it; what was read stays.
        """
        deadline = None if patience_s is None else time.monotonic() + patience_s
        added = 0
        try:
            for feed in self._feeds.values():
                self._withdraw(feed)
                while self._mark(feed.name) != feed.last():
                    if deadline is not None and time.monotonic() > deadline:
                        raise CatalogueBehind("the index is still being made: ask again later")
                    added += self._read_on(feed)
        except CatalogueError as error:
            if isinstance(error.__cause__, OperationalError) and "locked" in str(error.__cause__):
                raise CatalogueBehind("another process is making the index: ask again later") from error
            raise
        return added

    def find(self, query: Query) -> Iterator[tuple[Mapping[str, str], Sequence[Mapping[str, str]]]]:
        """Entities of the query's level that match: values by keyword, and items of Procedure Code Sequence."""
        with self._read() as connection:
            last = None
            for row in connection.execution_options(yield_per=500).execute(find_statement(query)):
                values = {name: "" if value is None else str(value) for name, value in row._mapping.items()}
                if query.level is Level.PATIENT and values["patient_key"] == last:
                    continue  # found by another of her studies
                codes = codes_of(values["ProcedureCodeSequence"]) if query.codes is not None else []
                if query.is_answered_by(values, codes):
                    last = values.get("patient_key")
                    yield values, codes

    def objects(self, query: Query) -> list[HeldObject]:
        """Objects below the entities that the unique keys of the query name."""
        with self._read() as connection:
            rows = connection.execute(objects_statement(query)).all()
        return [self._held(row) for row in rows]

    def object(self, sop_instance_uid: str) -> HeldObject | None:
        """The object of that UID."""
        query = select(INSTANCES).where(INSTANCES.c.SOPInstanceUID == sop_instance_uid)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._held(row)

    def all_objects(self) -> list[HeldObject]:
        """Everything, in the order in which it came."""
        with self._read() as connection:
            rows = connection.execute(select(INSTANCES).order_by(INSTANCES.c.id)).all()
        return [self._held(row) for row in rows]

    def _held(self, row: Any) -> HeldObject:
        feed = self._feeds[row.feed]
        path = feed.root / row.path
        if not path.is_file():  # lost, and perhaps received again under another name
            path = feed.root / (feed.path_now(row.number) or row.path)
        return HeldObject(row.SOPInstanceUID, row.SOPClassUID, row.transfer_syntax_uid, path)

    def _read_on(self, feed: Feed) -> int:
        """One batch, in one transaction that no other process can be in at the same time."""
        with self._write() as connection:
            mark, last = _mark(connection, feed.name), feed.last()
            writer = CatalogueWriter(connection, feed.name)
            if mark > last:  # another ledger than the one that this was made of
                writer.remove_all()
                mark = 0
            holdings, mark = feed.after(mark, _BATCH)
            for holding in holdings:
                header = read_header(feed.root / holding.path)
                if header is None:
                    LOG.warning("%s object %d has no readable header and cannot be queried", feed.name, holding.number)
                else:
                    writer.add(holding, header)
            _set_mark(connection, feed.name, mark)
            return len(holdings)

    def _withdraw(self, feed: Feed) -> None:
        count, name = feed.withdrawn_count(), f"{feed.name} withdrawn"
        if count == self._mark(name):
            return
        with self._write() as connection:
            CatalogueWriter(connection, feed.name).remove(feed.withdrawn())
            _set_mark(connection, name, count)

    def _mark(self, name: str) -> int:
        with self._read() as connection:
            return _mark(connection, name)

    def _prepare(self) -> None:
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
        except OSError as error:
            raise CatalogueError(f"the catalogue cannot be made: {error.strerror}") from error
        with self._write() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar()
            if found != fingerprint():
                METADATA.drop_all(connection)
                METADATA.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {fingerprint()}")

    def _remove_file(self) -> None:
        """Other processes go on with the file that they have open until they meet the damage themselves."""
        self._engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        self._broken = True

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        if os.getpid() != self._process:  # forked: the parent keeps its connections
            self._engine.dispose(close=False)
            self._process = os.getpid()
        if self._broken:
            self._broken = False
            self._prepare()
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except DBAPIError as error:
            if type(error.orig) is sqlite3.DatabaseError:
                self._remove_file()
                raise CatalogueDamaged("the index was damaged and is being made anew: ask again later") from error
            # neither statement nor parameters: they hold patient data
            raise CatalogueError(f"the catalogue does not answer: {type(error.orig).__name__}") from error


def _engine(file: Path) -> Any:
    engine = create_engine(
        f"sqlite:///{file}", connect_args={"timeout": _BUSY_S}, pool_size=8, max_overflow=56, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")  # after a power cut it may be behind, never wrong
        cursor.close()

    return engine


def _mark(connection: Connection, name: str) -> int:
    return connection.execute(select(MARKS.c.number).where(MARKS.c.name == name)).scalar() or 0


def _set_mark(connection: Connection, name: str, number: int) -> None:
    changed = connection.execute(update(MARKS).where(MARKS.c.name == name).values(number=number))
    if not changed.rowcount:
        connection.execute(insert(MARKS).values(name=name, number=number))
