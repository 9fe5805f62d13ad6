"""The part of the ledger that knows what there is to find and to fetch: objects received and objects written.

Rows are numbered in the order in which they become visible, because the ledger has one writer at a time; a
reader that knows the last number which it has seen misses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, insert, select, update

from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import INSTANCES, MARKS, RESULTS
from reread.connectors.states import InstanceState

_I, _R = INSTANCES.c, RESULTS.c
_HELD = _I.state.not_in((InstanceState.REJECTED, InstanceState.CONFLICT))
_AT_A_TIME = 500
# a rejected instance always has a reason, and that column has an index
_TURNED_DOWN = and_(_I.reason > "", _I.state == InstanceState.REJECTED)


@dataclass(frozen=True, slots=True)
class Holding:
    """One object that we have."""

    number: int
    path: str
    """relative to the spool, or to the data folder for our own results"""


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object that is kept and not measured."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    woman: str
    study_date: str
    dataset_digest: str
    path: str
    """relative to the spool"""
    number: int = 0
    """in order of arrival"""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far somebody who follows the numbers has come."""

    number: int = 0
    note: str = ""


class Holdings(LedgerStore):
    """Reads, and notes what was written."""

    def add_result(self, sop_instance_uid: str, path: str) -> None:
        """Note an object that we wrote; a repetition changes nothing."""
        with self._write() as connection:
            known = select(_R.number).where(_R.sop_instance_uid == sop_instance_uid)
            if connection.execute(known).first() is None:
                connection.execute(
                    insert(RESULTS).values(sop_instance_uid=sop_instance_uid, path=path, written_at=self._now())
                )

    def last_instance(self) -> int:
        """The highest number of an instance; 0 if there is none."""
        with self._read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(_I.number), 0))).scalar_one())

    def instances_after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """Instances with the next numbers, and the number to go on from.

        Without conflicts, because a SOP Instance UID names one object (the first that came), and without what
        was rejected.
        """
        with self._read() as connection:
            rows = connection.execute(
                select(_I.number, _I.path, _HELD.label("held"))
                .where(_I.number > number)
                .order_by(_I.number)
                .limit(limit)
            ).all()
        return tuple(Holding(row.number, row.path) for row in rows if row.held), rows[-1].number if rows else number

    def instance_path_of(self, number: int) -> str | None:
        """Where the bytes of this instance are now; None when it is held no more."""
        with self._read() as connection:
            found: str | None = connection.execute(select(_I.path).where(_I.number == number, _HELD)).scalar()
            return found

    def count_rejected_instances(self) -> int:
        """How many were rejected after they had been stored."""
        with self._read() as connection:
            return int(connection.execute(select(func.count()).where(_TURNED_DOWN)).scalar_one())

    def rejected_instances(self) -> tuple[int, ...]:
        """Numbers of those."""
        with self._read() as connection:
            return tuple(connection.execute(select(_I.number).where(_TURNED_DOWN)).scalars())

    def last_result(self) -> int:
        """The highest number of an object that we wrote; 0 if there is none."""
        with self._read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(_R.number), 0))).scalar_one())

    def results_after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """Results with the next numbers, and the number to go on from."""
        query = select(_R.number, _R.path).where(_R.number > number).order_by(_R.number).limit(limit)
        with self._read() as connection:
            rows = connection.execute(query).all()
        return tuple(Holding(row.number, row.path) for row in rows), rows[-1].number if rows else number

    def held_of_classes(self, sop_class_uids: Collection[str], after: int = 0) -> tuple[HeldObject, ...]:
        """Objects of these SOP classes with higher numbers than `after`, in order of arrival."""
        columns = [_I[name] for name in HeldObject.__slots__]
        query = select(*columns).where(_I.number > after, _I.sop_class_uid.in_(sop_class_uids), _HELD)
        query = query.order_by(_I.number)
        with self._read() as connection:
            return tuple(HeldObject(*row) for row in connection.execute(query))

    def mark(self, name: str) -> Mark:
        """How far `name` has come; nowhere, if it never said so."""
        with self._read() as connection:
            row = connection.execute(select(MARKS).where(MARKS.c.name == name)).first()
        return Mark() if row is None else Mark(row.number, row.note)

    def set_mark(self, name: str, mark: Mark) -> None:
        """Note how far `name` has come, durably."""
        with self._write() as connection:
            values = {"number": mark.number, "note": mark.note}
            done = connection.execute(update(MARKS).where(MARKS.c.name == name).values(**values))
            if not done.rowcount:
                connection.execute(insert(MARKS).values(name=name, **values))

    def written_here(self, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """Those of these UIDs that name results of our own."""
        found: set[str] = set()
        uids = list(sop_instance_uids)
        with self._read() as connection:
            # a database takes so many parameters in one statement
            for at in range(0, len(uids), _AT_A_TIME):
                query = select(_R.sop_instance_uid).where(_R.sop_instance_uid.in_(uids[at : at + _AT_A_TIME]))
                found.update(connection.execute(query).scalars())
        return frozenset(found)
