"""The part of the ledger that knows what goes out: deliveries and storage commitment transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from reread.analytics.errors import LedgerError
from reread.connectors.ledger_records import Delivery
from reread.connectors.ledger_settling import is_unwritten, settle_study
from reread.connectors.ledger_store import LedgerStore, seconds
from reread.connectors.ledger_tables import DELIVERIES, TRANSACTIONS
from reread.connectors.states import DeliveryState, move_delivery

_D = DELIVERIES.c


class DeliveryBook(LedgerStore):
    """Deliveries, one row for each (SOP Instance UID, destination)."""

    def add_delivery(
        self,
        *,
        sop_instance_uid: str,
        sop_class_uid: str,
        study_instance_uid: str,
        revision: int,
        destination: str,
        path: str,
        commit: bool = True,
    ) -> bool:
        """Plan one delivery; False if it was planned before (then nothing changes)."""
        with self._write() as connection:
            known = connection.execute(
                select(_D.state).where(_D.sop_instance_uid == sop_instance_uid, _D.destination == destination)
            ).first()
            if known is not None:
                return False
            connection.execute(
                insert(DELIVERIES).values(
                    sop_instance_uid=sop_instance_uid,
                    destination=destination,
                    sop_class_uid=sop_class_uid,
                    study_instance_uid=study_instance_uid,
                    revision=revision,
                    path=path,
                    commit=commit,
                    state=DeliveryState.PENDING.value,
                    changed_at=self._now(),
                )
            )
            return True

    def deliveries(self, study_instance_uid: str | None = None) -> tuple[Delivery, ...]:
        """All deliveries, or those of one study."""
        query = select(DELIVERIES).order_by(_D.destination, _D.study_instance_uid, _D.sop_instance_uid)
        if study_instance_uid is not None:
            query = query.where(_D.study_instance_uid == study_instance_uid)
        with self._read() as connection:
            return tuple(_delivery(row) for row in connection.execute(query))

    def pending_deliveries(self, now: datetime, destination: str | None = None) -> tuple[Delivery, ...]:
        """Deliveries that are due: never tried, or failed and their time has come again."""
        due = or_(
            _D.state == DeliveryState.PENDING,
            and_(_D.state == DeliveryState.FAILED, _D.next_attempt_at <= seconds(now)),
        )
        query = select(DELIVERIES).where(due).order_by(_D.destination, _D.study_instance_uid, _D.sop_instance_uid)
        if destination is not None:
            query = query.where(_D.destination == destination)
        with self._read() as connection:
            return tuple(_delivery(row) for row in connection.execute(query))

    def uncommitted_deliveries(self, destination: str) -> tuple[Delivery, ...]:
        """Sent ones whose commitment is wanted and was not asked for yet."""
        query = select(DELIVERIES).where(
            _D.destination == destination,
            _D.state == DeliveryState.SENT,
            _D.commit.is_(True),
            _D.transaction_uid == "",
        )
        with self._read() as connection:
            return tuple(_delivery(row) for row in connection.execute(query))

    def awaiting_commitments(self) -> int:
        """How many sent objects have asked for a storage commitment that is not answered."""
        asked = and_(_D.state == DeliveryState.SENT, _D.commit.is_(True), _D.transaction_uid != "")
        with self._read() as connection:
            return int(connection.execute(select(func.count()).where(asked)).scalar_one())

    def mark_sending(self, deliveries: Iterable[Delivery]) -> tuple[Delivery, ...]:
        """Claim deliveries for this process; those that another one took meanwhile are left out."""
        claimed = []
        with self._write() as connection:
            now = self._now()
            for delivery in deliveries:
                row = _row(connection, delivery.sop_instance_uid, delivery.destination)
                if row.state not in (DeliveryState.PENDING, DeliveryState.FAILED):
                    continue
                _set(
                    connection,
                    row,
                    now,
                    DeliveryState.SENDING,
                    attempts=row.attempts + 1,
                    first_attempt_at=now if row.first_attempt_at is None else row.first_attempt_at,
                    transaction_uid="",
                )
                claimed.append(_delivery(_row(connection, delivery.sop_instance_uid, delivery.destination)))
        return tuple(claimed)

    def mark_sent(self, sop_instance_uid: str, destination: str) -> None:
        """The peer answered the C-STORE with success or a warning (R0.104, R0.105)."""
        self._mark(sop_instance_uid, destination, DeliveryState.SENT, detail="")

    def mark_failed(
        self,
        sop_instance_uid: str,
        destination: str,
        detail: str,
        *,
        retry_interval_s: float,
        retry_duration_s: float,
    ) -> DeliveryState:
        """Note a failure: tried again after the interval, given up after the duration (R0.106 to R0.108).

        Returns
        -------
        DeliveryState
            FAILED (will be tried again) or GIVEN_UP (final).
        """
        with self._write() as connection:
            now = self._now()
            row = _row(connection, sop_instance_uid, destination)
            return _fail(connection, row, now, detail, retry_interval_s, retry_duration_s)

    def open_transaction(self, transaction_uid: str, destination: str, sop_instance_uids: Sequence[str]) -> None:
        """Note a storage commitment request before it is sent, so that its answer finds its objects (R4.237)."""
        with self._write() as connection:
            now = self._now()
            connection.execute(
                insert(TRANSACTIONS).values(
                    transaction_uid=transaction_uid, destination=destination, requested_at=now, answered_at=None
                )
            )
            for uid in sop_instance_uids:
                row = _row(connection, uid, destination)
                if row.state != DeliveryState.SENT:
                    raise LedgerError(f"commitment asked for a delivery that is {row.state}")
                connection.execute(
                    update(DELIVERIES)
                    .where(_D.sop_instance_uid == uid, _D.destination == destination)
                    .values(transaction_uid=transaction_uid)
                )

    def withdraw_transaction(self, transaction_uid: str) -> None:
        """The request never reached the peer: its objects may be asked for again."""
        with self._write() as connection:
            connection.execute(
                update(DELIVERIES)
                .where(_D.transaction_uid == transaction_uid, _D.state == DeliveryState.SENT)
                .values(transaction_uid="")
            )
            connection.execute(
                update(TRANSACTIONS)
                .where(TRANSACTIONS.c.transaction_uid == transaction_uid)
                .values(answered_at=self._now())
            )

    def apply_commitment(
        self,
        transaction_uid: str,
        committed: Iterable[str],
        failed: Mapping[str, str],
        *,
        retry_interval_s: float = 60.0,
        retry_duration_s: float = 86400.0,
    ) -> bool:
        """Book the answer to a storage commitment request.

        Parameters
        ----------
        committed
            SOP Instance UIDs that the peer has taken responsibility for.
        failed
            SOP Instance UID to cause of those that it has not; they are sent again.

        Returns
        -------
        bool
            False if no request has this Transaction UID; then nothing changes.
        """
        with self._write() as connection:
            now = self._now()
            transaction = connection.execute(
                select(TRANSACTIONS).where(TRANSACTIONS.c.transaction_uid == transaction_uid)
            ).first()
            if transaction is None:
                return False
            connection.execute(
                update(TRANSACTIONS).where(TRANSACTIONS.c.transaction_uid == transaction_uid).values(answered_at=now)
            )
            safe = set(committed)
            rows = connection.execute(select(DELIVERIES).where(_D.transaction_uid == transaction_uid)).all()
            for row in rows:
                uid = row.sop_instance_uid
                if uid in safe and DeliveryState(row.state) in (
                    DeliveryState.SENT,
                    DeliveryState.FAILED,
                    DeliveryState.GIVEN_UP,
                ):
                    _set(connection, row, now, DeliveryState.COMMITTED, detail="")
                elif uid in failed and row.state == DeliveryState.SENT:
                    _fail(connection, row, now, failed[uid], retry_interval_s, retry_duration_s)
            return True

    def fail_overdue_commitments(
        self, now: datetime, timeout_s: float, *, destination: str, retry_interval_s: float, retry_duration_s: float
    ) -> int:
        """Fail deliveries whose commitment was not answered within the timeout (R4.234); returns how many."""
        overdue = (
            select(DELIVERIES)
            .join(TRANSACTIONS, TRANSACTIONS.c.transaction_uid == _D.transaction_uid)
            .where(
                _D.destination == destination,
                _D.state == DeliveryState.SENT,
                TRANSACTIONS.c.requested_at <= seconds(now) - timeout_s,
            )
        )
        with self._write() as connection:
            rows = connection.execute(overdue).all()
            for row in rows:
                detail = "storage commitment was not answered in time"
                _fail(connection, row, seconds(now), detail, retry_interval_s, retry_duration_s)
            return len(rows)

    def _mark(self, sop_instance_uid: str, destination: str, to: DeliveryState, **values: object) -> None:
        with self._write() as connection:
            _set(connection, _row(connection, sop_instance_uid, destination), self._now(), to, **values)

    def _recover_deliveries(self, connection: Connection, now: float) -> int:
        rows = connection.execute(select(DELIVERIES).where(_D.state == DeliveryState.SENDING)).all()
        for row in rows:
            _set(connection, row, now, DeliveryState.PENDING)
        return len(rows)

    @staticmethod
    def _settle_deliveries(connection: Connection, study_instance_uid: str, revision: int, now: float) -> None:
        """A revision that was finished after the last of its deliveries has ended; one without any has not."""
        this = and_(_D.study_instance_uid == study_instance_uid, _D.revision == revision)
        planned = connection.execute(select(_D.state).where(this)).first() is not None
        if planned or is_unwritten(connection, study_instance_uid, revision):
            settle_study(connection, study_instance_uid, revision, now)


def _row(connection: Connection, sop_instance_uid: str, destination: str) -> Row[Any]:
    found = connection.execute(
        select(DELIVERIES).where(_D.sop_instance_uid == sop_instance_uid, _D.destination == destination)
    ).first()
    if found is None:
        raise LedgerError(f"no delivery of {sop_instance_uid} to {destination}")
    return found


def _set(connection: Connection, row: Row[Any], now: float, to: DeliveryState, **values: object) -> None:
    move_delivery(DeliveryState(row.state), to)
    connection.execute(
        update(DELIVERIES)
        .where(_D.sop_instance_uid == row.sop_instance_uid, _D.destination == row.destination)
        .values(state=to.value, changed_at=now, **values)
    )
    settle_study(connection, row.study_instance_uid, row.revision, now)


def _fail(
    connection: Connection,
    row: Row[Any],
    now: float,
    detail: str,
    retry_interval_s: float,
    retry_duration_s: float,
) -> DeliveryState:
    began = now if row.first_attempt_at is None else row.first_attempt_at
    spent = now - began >= retry_duration_s
    state = DeliveryState.GIVEN_UP if spent else DeliveryState.FAILED
    _set(connection, row, now, state, detail=detail, next_attempt_at=now + retry_interval_s)
    return state


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        study_instance_uid=row.study_instance_uid,
        revision=row.revision,
        destination=row.destination,
        path=row.path,
        commit=row.commit,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        transaction_uid=row.transaction_uid,
        detail=row.detail,
    )
