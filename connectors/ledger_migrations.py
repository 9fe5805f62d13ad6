"""Bringing a ledger of an older schema version up to date, inside the transaction that opens it.

New tables are made by `create_all` before this; here are the columns and indexes that old tables lack. Old
rows get their values, so that nothing else has to know of versions.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Dialect, Index, Table, and_, or_, select, update
from sqlalchemy.schema import CreateColumn

from reread.analytics.errors import LedgerError
from reread.connectors.ledger_settling import settle_study
from reread.connectors.ledger_tables import DELIVERIES, INSTANCES, SCHEMA, SCHEMA_VERSION, STUDIES
from reread.connectors.states import DeliveryState

_NEW_COLUMNS: tuple[Column[object], ...] = (
    STUDIES.c.closed_by,
    STUDIES.c.cohort,
    INSTANCES.c.cohort,
    INSTANCES.c.view,
)
"""since version 2"""
_NEW_INDEXES = {"study_revisions_by_cohort"}


def migrate(connection: Connection, found: int) -> None:
    """Bring a ledger of version `found` to `SCHEMA_VERSION`.

    Raises
    ------
    LedgerError
        It was written by a newer program, or by one that is unknown.
    """
    if found == SCHEMA_VERSION:
        return
    if found not in (1, 2):
        raise LedgerError(f"the ledger has schema version {found}, this program needs {SCHEMA_VERSION}")
    if found == 1:
        _from_version_1(connection)
    _from_version_2(connection)
    connection.execute(update(SCHEMA).values(version=SCHEMA_VERSION))


def _from_version_1(connection: Connection) -> None:
    for statement in added_columns(connection.dialect):
        connection.exec_driver_sql(statement)
    # of the whole file; the digest of the data set says the same and is there
    connection.exec_driver_sql(f"ALTER TABLE {INSTANCES.name} DROP COLUMN digest")
    for index in _indexes(STUDIES):
        index.create(connection, checkfirst=True)
    s = STUDIES.c
    # version 1 had the sentence only; these four beginnings were all that it wrote
    for rule, beginnings in (
        ("quiet", ("quiet for ",)),
        ("import", ("import of ",)),
        ("archive_count", ("count of ", "instances of ")),
    ):
        which = or_(*(s.evidence.startswith(beginning) for beginning in beginnings))
        connection.execute(update(STUDIES).where(and_(which, s.closed_by == "")).values(closed_by=rule))


def _from_version_2(connection: Connection) -> None:
    """Version 2 left a study measured for ever when one of its deliveries was given up."""
    d = DELIVERIES.c
    given_up = select(d.study_instance_uid, d.revision).where(d.state == DeliveryState.GIVEN_UP).distinct()
    for row in connection.execute(given_up).all():
        settle_study(connection, row.study_instance_uid, row.revision, None)


def added_columns(dialect: Dialect) -> tuple[str, ...]:
    """The DDL that adds what came since version 1, in a dialect."""
    return tuple(
        f"ALTER TABLE {column.table.name} ADD COLUMN {str(CreateColumn(column).compile(dialect=dialect)).strip()}"
        for column in _NEW_COLUMNS
    )


def _indexes(table: Table) -> list[Index]:
    return [index for index in table.indexes if index.name in _NEW_INDEXES]
