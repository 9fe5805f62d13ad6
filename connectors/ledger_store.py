"""Opening the ledger's database: SQLite in WAL mode, or PostgreSQL; one writer at a time in both."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from reread.analytics.errors import LedgerError
from reread.connectors.ledger_migrations import migrate
from reread.connectors.ledger_tables import METADATA, SCHEMA, SCHEMA_VERSION

_BUSY_S = 30.0
_NAP_S = 0.0005
_ADVISORY_LOCK = 0x52455245  # any constant: names our lock among those of a shared PostgreSQL
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock that is used when none is given."""
    return datetime.now(UTC)


def seconds(moment: datetime) -> float:
    """Seconds since 1970 of an aware time (ValueError for a naive one)."""
    if moment.tzinfo is None:
        raise ValueError("a time without time zone")
    return moment.timestamp()


class LedgerStore:
    """A database with the ledger's tables, usable from several threads and several processes.

    Raises
    ------
    LedgerError
        If it cannot be opened, or was written by another version of the schema.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._engine = _engine(url)
        self._process = os.getpid()
        try:
            self._create()
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise LedgerError(f"the ledger cannot be opened: {type(error).__name__}") from error
        except LedgerError:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _now(self) -> float:
        return seconds(self._clock())

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that holds the only write lock from its start, and is durable at its end."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A transaction that sees one moment, however many statements it has."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        if os.getpid() != self._process:  # forked: the parent keeps its connections
            self._engine.dispose(close=False)
            self._process = os.getpid()
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    _begin(connection, begin)
                elif begin == "BEGIN":
                    # a writer must not have it: its view of things would be older than its lock
                    connection.execution_options(isolation_level="REPEATABLE READ")
                yield connection
                connection.commit()
        except DBAPIError as error:
            # the statement's parameters stay out of the text
            raise LedgerError(f"the ledger does not answer: {type(error.orig).__name__}: {error.orig}") from error
        except NoConnectionFree as error:
            raise LedgerError("the ledger does not answer: all connections are busy") from error

    def _create(self) -> None:
        with self._write() as connection:
            METADATA.create_all(connection)
            found = connection.execute(select(SCHEMA.c.version)).scalar()
            if found is None:
                connection.execute(insert(SCHEMA).values(version=SCHEMA_VERSION))
            else:
                migrate(connection, found)


def _begin(connection: Connection, begin: str) -> None:
    """Begin a transaction, waiting for the writer of another process in short naps.

    SQLite's own waiting naps up to 100 ms and is unfair; under sixteen senders that is most of the time.
    """
    raw: Any = connection.connection.dbapi_connection
    if begin == "BEGIN":
        connection.exec_driver_sql(begin)
        return
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        _patiently(lambda: raw.execute(begin))
    except sqlite3.OperationalError:
        connection.exec_driver_sql(begin)  # says it in SQLAlchemy's words
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(_BUSY_S * 1000)}")


def _patiently(action: Callable[[], object]) -> None:
    """Try until the database is not locked any more, or as long as we wait for it."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            action()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(_NAP_S)


def _libpq(url: URL) -> dict[str, object]:
    """What we ask of PostgreSQL: as durable as SQLite, as patient, and no waiting for a server that is gone."""
    if not url.get_driver_name().startswith("psycopg"):
        return {}
    return {
        "application_name": "reread",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": int(_BUSY_S * 1000),
        "options": f"-c lock_timeout={int(_BUSY_S * 1000)} -c synchronous_commit=on",
    }


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(
                parsed,
                pool_pre_ping=True,
                pool_size=8,
                max_overflow=24,
                isolation_level="READ COMMITTED",
                connect_args={name: value for name, value in _libpq(parsed).items() if name not in parsed.query},
            )
    except ModuleNotFoundError as error:
        raise LedgerError(f"the ledger's database needs the Python package {error.name}: install it") from error
    except SQLAlchemyError:  # its text quotes the URL, and with it the password
        raise LedgerError("ledger_url is no SQLAlchemy URL of a database that is known here") from None
    if not parsed.database or parsed.database == ":memory:":
        raise LedgerError("the ledger must outlive the process: name a file, sqlite:///path")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_S}, pool_size=8, max_overflow=56)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        _patiently(lambda: cursor.execute("PRAGMA journal_mode=WAL"))  # SQLite does not wait here by itself
        cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged instance survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine
