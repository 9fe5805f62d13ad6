"""The part of the ledger that books arriving objects.

Each must be durable before its sender is answered, and a commit to the disk costs more than the row. So all
that wait at the same time are booked in one transaction: whoever gets the turn books for the others too.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update
from sqlalchemy.exc import OperationalError

from reread.analytics.errors import LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.ledger_cases import collect
from reread.connectors.ledger_records import CohortKey, Instance, Outcome
from reread.connectors.ledger_store import Clock, LedgerStore, utc_now
from reread.connectors.ledger_tables import INSTANCES, REJECTIONS, STUDIES
from reread.connectors.states import InstanceState, StudyState, move_instance, move_study

_I = INSTANCES.c
_S = STUDIES.c

# made once: building a statement costs as much as executing it
_SAME_UID = select(_I.number, _I.dataset_digest, _I.state).where(_I.sop_instance_uid == bindparam("uid"))
_AGAIN = update(INSTANCES).where(_I.number == bindparam("this")).values(times_received=_I.times_received + 1)
_REVISIONS = select(STUDIES).where(_S.study_instance_uid == bindparam("uid")).order_by(_S.revision.desc())
_TOUCH = (
    update(STUDIES)
    .where(_S.study_instance_uid == bindparam("uid"), _S.revision == bindparam("this"))
    .values(last_arrival_at=bindparam("now"))
)
_NEW_INSTANCE, _NEW_REVISION = insert(INSTANCES), insert(STUDIES)


@dataclass(slots=True)
class _Booking:
    """One object that waits to be booked."""

    instance: Instance
    cohort: CohortKey | None
    outcome: Outcome | None = None
    error: Exception | None = None


class ArrivalBook(LedgerStore):
    """Objects that arrive, and files that cannot be used."""

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        super().__init__(url, clock)
        self._waiting: list[_Booking] = []
        self._waiting_lock = threading.Lock()
        self._turn = threading.Lock()

    def add_instance(self, instance: Instance, cohort: CohortKey | None = None) -> Outcome:
        """Book one stored object; when this returns, the row is durable.

        A queued object opens the next revision of its study unless one is open. A rejected predecessor under
        the same UID does not stand in the way of a better copy. With `cohort` it joins the open cohort of
        these AE titles, and so does its revision (R4.37).

        Raises
        ------
        LedgerError
            It was not booked.
        """
        booking = _Booking(instance, cohort)
        with self._waiting_lock:
            self._waiting.append(booking)
        with self._turn:
            if booking.outcome is None and booking.error is None:
                with self._waiting_lock:
                    batch, self._waiting = self._waiting, []
                self._book(batch)
        if booking.error is not None:
            raise LedgerError(str(booking.error)) from booking.error
        assert booking.outcome is not None
        return booking.outcome

    def instance_path(self, sop_instance_uid: str, dataset_digest: str) -> str | None:
        """Where the bytes of a booked object are, relative to the spool; None if it is not booked."""
        this = and_(_I.sop_instance_uid == sop_instance_uid, _I.dataset_digest == dataset_digest)
        with self._read() as connection:
            found: str | None = connection.execute(select(_I.path).where(this)).scalar()
            return found

    def move_instance_file(self, sop_instance_uid: str, dataset_digest: str, path: str) -> None:
        """The bytes were lost and came again: book the new place."""
        this = and_(_I.sop_instance_uid == sop_instance_uid, _I.dataset_digest == dataset_digest)
        with self._write() as connection:
            connection.execute(update(INSTANCES).where(this).values(path=path))

    def reject(
        self,
        path: str,
        reason: Reason,
        detail: str,
        *,
        sop_instance_uid: str = "",
        study_instance_uid: str = "",
        digest: str = "",
        source: str = "",
    ) -> bool:
        """Book a file that cannot be used; False if the same file was booked for the same reason before."""
        with self._write() as connection:
            r = REJECTIONS.c
            same = and_(r.reason == reason.value, r.digest == digest if digest else r.path == path)
            if connection.execute(select(r.number).where(same)).first() is not None:
                return False
            connection.execute(
                insert(REJECTIONS).values(
                    path=path,
                    reason=reason.value,
                    detail=detail,
                    sop_instance_uid=sop_instance_uid,
                    study_instance_uid=study_instance_uid,
                    digest=digest,
                    source=source,
                    rejected_at=self._now(),
                )
            )
            return True

    def reject_instance(self, sop_instance_uid: str, reason: Reason, detail: str) -> None:
        """A queued instance turned out unusable (LedgerError if it is not queued); again: no change."""
        with self._write() as connection:
            row = connection.execute(
                select(_I.number, _I.state, _I.reason).where(
                    _I.sop_instance_uid == sop_instance_uid, _I.state != InstanceState.CONFLICT
                )
            ).first()
            if row is None:
                raise LedgerError(f"no instance {sop_instance_uid}")
            if (row.state, row.reason) == (InstanceState.REJECTED, reason.value):
                return
            state = move_instance(InstanceState(row.state), InstanceState.REJECTED)
            connection.execute(
                update(INSTANCES)
                .where(_I.number == row.number)
                .values(state=state.value, reason=reason.value, detail=detail)
            )

    def _book(self, batch: list[_Booking]) -> None:
        """Book all, each with its outcome or its error; must not raise."""
        try:
            with self._write() as connection:
                now = self._now()
                outcomes = [_add(connection, booking.instance, booking.cohort, now) for booking in batch]
        except Exception as error:
            if len(batch) > 1 and not isinstance(error.__cause__, OperationalError):
                for booking in batch:  # one of them spoils it for the others
                    self._book([booking])
                return
            for booking in batch:
                booking.error = error
        else:
            for booking, outcome in zip(batch, outcomes, strict=True):
                booking.outcome = outcome


def move_revision(connection: Connection, row: Row[Any], to: StudyState, now: float, **values: object) -> None:
    """Move a revision to another state, or raise `LedgerError` if the table forbids the step."""
    move_study(StudyState(row.state), to)
    this = and_(_S.study_instance_uid == row.study_instance_uid, _S.revision == row.revision)
    connection.execute(update(STUDIES).where(this).values(state=to.value, changed_at=now, **values))


def _add(connection: Connection, instance: Instance, cohort: CohortKey | None, now: float) -> Outcome:
    rows = connection.execute(_SAME_UID, {"uid": instance.sop_instance_uid}).all()
    for row in rows:
        if row.dataset_digest == instance.dataset_digest:
            connection.execute(_AGAIN, {"this": row.number})
            return Outcome.DUPLICATE
    conflict = any(row.state != InstanceState.REJECTED for row in rows)
    state = InstanceState.CONFLICT if conflict else instance.state
    reason = Reason.CONFLICT if conflict else instance.reason
    collected = None if cohort is None else collect(connection, cohort, instance.source, now)
    revision, two_patients = None, False
    if state is InstanceState.RECEIVED:
        revision, two_patients = _arrive(connection, instance, now, collected)
    connection.execute(
        _NEW_INSTANCE,
        {
            "sop_instance_uid": instance.sop_instance_uid,
            "dataset_digest": instance.dataset_digest,
            "sop_class_uid": instance.sop_class_uid,
            "series_instance_uid": instance.series_instance_uid,
            "study_instance_uid": instance.study_instance_uid,
            "revision": revision,
            "woman": instance.woman,
            "study_date": instance.study_date[:8],
            "modality": instance.modality[:16],
            "transfer_syntax_uid": instance.transfer_syntax_uid,
            "path": instance.path,
            "size_bytes": instance.size_bytes,
            "source": instance.source,
            "state": state.value,
            "reason": reason.value if reason else (Reason.TWO_PATIENTS.value if two_patients else ""),
            "detail": instance.detail,
            "received_at": now,
            "cohort": collected,
        },
    )
    return Outcome.CONFLICT if conflict else Outcome.NEW


def _arrive(connection: Connection, instance: Instance, now: float, cohort: int | None) -> tuple[int, bool]:
    """The revision that a new image belongs to (opened if needed), and whether the study has two patients."""
    uid = instance.study_instance_uid
    rows = connection.execute(_REVISIONS, {"uid": uid}).all()
    two_patients = any(row.woman != instance.woman for row in rows)
    if two_patients:
        connection.execute(update(STUDIES).where(_S.study_instance_uid == uid).values(two_patients=True))
        unflagged = and_(_I.study_instance_uid == uid, _I.state == InstanceState.RECEIVED, _I.reason == "")
        connection.execute(update(INSTANCES).where(unflagged).values(reason=Reason.TWO_PATIENTS.value))
    latest = next((row for row in rows if row.woman == instance.woman), None)
    if latest is not None and latest.state == StudyState.OPEN:
        connection.execute(_TOUCH, {"uid": uid, "this": latest.revision, "now": now})
        if cohort is not None and latest.cohort is None:
            this = and_(_S.study_instance_uid == uid, _S.revision == latest.revision)
            connection.execute(update(STUDIES).where(this).values(cohort=cohort))
        return latest.revision, two_patients
    if latest is not None and latest.state == StudyState.CLOSED:
        move_revision(connection, latest, StudyState.SUPERSEDED, now)
    revision = rows[0].revision + 1 if rows else 1
    connection.execute(
        _NEW_REVISION,
        {
            "study_instance_uid": uid,
            "revision": revision,
            "woman": instance.woman,
            "study_date": instance.study_date[:8],
            "state": StudyState.OPEN.value,
            "two_patients": two_patients,
            "opened_at": now,
            "last_arrival_at": now,
            "changed_at": now,
            "cohort": cohort,
        },
    )
    return revision, two_patients
