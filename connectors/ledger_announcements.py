"""The part of the ledger that knows what modalities said of their cases: end-of-case messages, procedure steps.

UIDs, status and times only; what else a message holds is patient data and is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from reread.connectors.completeness import AnnouncementKind
from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import ANNOUNCED_INSTANCES, ANNOUNCED_STUDIES, ANNOUNCEMENTS, INSTANCES
from reread.connectors.states import StepStatus

_A = ANNOUNCEMENTS.c
_AS = ANNOUNCED_STUDIES.c
_AI = ANNOUNCED_INSTANCES.c


@dataclass(frozen=True, slots=True)
class ProcedureStep:
    """A Modality Performed Procedure Step, as far as Reread needs it."""

    sop_instance_uid: str
    status: StepStatus
    studies: tuple[str, ...]
    source: str
    """name of the peer"""
    started: str = ""
    """Performed Procedure Step Start Date and Time, together, as given"""
    ended: str = ""
    series_count: int = 0
    """items of the Performed Series Sequence"""
    instances: frozenset[str] = frozenset()
    """SOP Instance UIDs that it names"""


@dataclass(frozen=True, slots=True)
class Held:
    """How much of what a message names is here."""

    named: int
    held: int
    study_known: bool
    """at least one instance of the study is here, named or not"""


class AnnouncementBook(LedgerStore):
    """Announcements; a repeated message takes the place of the first."""

    def announce_study_content(
        self, notification_uid: str, study_instance_uid: str, instances: Iterable[str], source: str
    ) -> Held:
        """Book an end-of-case message and compare it with what is here (R1.75); durable when this returns.

        An earlier message of the same source on the same study no longer counts.
        """
        named = frozenset(instances)
        known = select(INSTANCES.c.number).where(INSTANCES.c.study_instance_uid == study_instance_uid).limit(1)
        with self._write() as connection:
            study_known = connection.execute(known).first() is not None
            if not named and not study_known:  # it says that all was sent, and nothing is here: about nothing
                return Held(0, 0, False)
            now = self._now()
            kind = AnnouncementKind.NOTIFICATION
            _replace_notifications(connection, study_instance_uid, source, now)
            step = ProcedureStep(notification_uid, StepStatus.COMPLETED, (study_instance_uid,), source, instances=named)
            return Held(len(named), held(connection, _put(connection, kind, step, now)), study_known)

    def create_step(self, step: ProcedureStep) -> bool:
        """Book a new procedure step, durable when this returns; False if there is one of that UID."""
        kind = AnnouncementKind.PROCEDURE_STEP
        with self._write() as connection:
            if _row(connection, kind, step.sop_instance_uid) is not None:
                return False
            _put(connection, kind, step, self._now())
            return True

    def procedure_step(self, sop_instance_uid: str) -> ProcedureStep | None:
        """The step of that UID."""
        with self._read() as connection:
            row = _row(connection, AnnouncementKind.PROCEDURE_STEP, sop_instance_uid)
            return None if row is None else _step(connection, row)

    def change_step(
        self, sop_instance_uid: str, change: Callable[[ProcedureStep], ProcedureStep]
    ) -> ProcedureStep | None:
        """Replace a step by what `change` makes of it, durable when this returns; None if there is none.

        `change` runs inside the transaction, so nothing comes between; what it raises leaves the step as it was.
        """
        kind = AnnouncementKind.PROCEDURE_STEP
        with self._write() as connection:
            row = _row(connection, kind, sop_instance_uid)
            if row is None:
                return None
            step = change(_step(connection, row))
            _put(connection, kind, step, self._now())
            return step

    def settle_announcements(self, study_instance_uid: str) -> None:
        """What is announced of a study without an open revision, and all here, is answered."""
        with self._write() as connection:
            settle(connection, study_instance_uid, self._now())


def held(connection: Connection, announcement: int) -> int:
    """How many of the instances that an announcement names are here."""
    here = select(INSTANCES.c.number).where(INSTANCES.c.sop_instance_uid == _AI.sop_instance_uid).exists()
    query = select(func.count()).select_from(ANNOUNCED_INSTANCES).where(_AI.announcement == announcement, here)
    return int(connection.execute(query).scalar_one())


def settle(connection: Connection, study_instance_uid: str, now: float) -> None:
    """Announcements that are over and of which nothing is missing have been answered by the closed revision.

    One of which something is missing stays: when the rest comes, it closes the next revision.
    """
    here = select(INSTANCES.c.number).where(INSTANCES.c.sop_instance_uid == _AI.sop_instance_uid).exists()
    short = select(_AI.announcement).where(_AI.announcement == _A.number, ~here).exists()
    # looked up from the study's few rows, never from all announcements
    over = (
        select(_A.number)
        .where(
            _A.number == _AS.announcement,
            (_A.status == StepStatus.DISCONTINUED) | and_(_A.status == StepStatus.COMPLETED, ~short),
        )
        .exists()
    )
    connection.execute(
        update(ANNOUNCED_STUDIES)
        .where(_AS.study_instance_uid == study_instance_uid, _AS.settled_at.is_(None), over)
        .values(settled_at=now)
    )


def _replace_notifications(connection: Connection, study_instance_uid: str, source: str, now: float) -> None:
    """Earlier messages of the same source on the same study no longer count."""
    earlier = (
        select(_A.number)
        .where(_A.number == _AS.announcement, _A.kind == AnnouncementKind.NOTIFICATION.value, _A.source == source)
        .exists()
    )
    connection.execute(
        update(ANNOUNCED_STUDIES)
        .where(_AS.study_instance_uid == study_instance_uid, _AS.settled_at.is_(None), earlier)
        .values(settled_at=now)
    )


def _row(connection: Connection, kind: AnnouncementKind, uid: str) -> Row[Any] | None:
    return connection.execute(select(ANNOUNCEMENTS).where(_A.kind == kind, _A.sop_instance_uid == uid)).first()


def _step(connection: Connection, row: Row[Any]) -> ProcedureStep:
    studies = select(_AS.study_instance_uid).where(_AS.announcement == row.number).order_by(_AS.study_instance_uid)
    instances = select(_AI.sop_instance_uid).where(_AI.announcement == row.number)
    return ProcedureStep(
        sop_instance_uid=row.sop_instance_uid,
        status=StepStatus(row.status),
        studies=tuple(connection.execute(studies).scalars()),
        source=row.source,
        started=row.started,
        ended=row.ended,
        series_count=row.series_count,
        instances=frozenset(connection.execute(instances).scalars()),
    )


def _put(connection: Connection, kind: AnnouncementKind, step: ProcedureStep, now: float) -> int:
    """Write an announcement, in place of the one that has its UID."""
    values = {
        "status": step.status.value,
        "source": step.source,
        "started": step.started[:26],
        "ended": step.ended[:26],
        "series_count": step.series_count,
        "changed_at": now,
    }
    row = _row(connection, kind, step.sop_instance_uid)
    if row is None:
        key = {"kind": kind.value, "sop_instance_uid": step.sop_instance_uid, "announced_at": now}
        made = connection.execute(insert(ANNOUNCEMENTS).values(**key, **values))
        number = int((made.inserted_primary_key or (0,))[0])
    else:
        number = int(row.number)
        connection.execute(update(ANNOUNCEMENTS).where(_A.number == number).values(**values))
        connection.execute(delete(ANNOUNCED_STUDIES).where(_AS.announcement == number))
        connection.execute(delete(ANNOUNCED_INSTANCES).where(_AI.announcement == number))
    if step.studies:
        connection.execute(
            insert(ANNOUNCED_STUDIES),
            [{"announcement": number, "study_instance_uid": uid} for uid in sorted(set(step.studies))],
        )
    if step.instances:
        connection.execute(
            insert(ANNOUNCED_INSTANCES),
            [{"announcement": number, "sop_instance_uid": uid} for uid in sorted(step.instances)],
        )
    return number
