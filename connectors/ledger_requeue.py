"""The part of the ledger with which a person puts back what failed or was given up, and that remembers who did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, or_, select, update

from reread.analytics.errors import LedgerError
from reread.connectors.ledger_arrivals import move_revision
from reread.connectors.ledger_settling import settle_study
from reread.connectors.ledger_store import LedgerStore, seconds
from reread.connectors.ledger_tables import DELIVERIES, EVENTS, INSTANCES, MEASUREMENTS, STUDIES, UNWRITTEN, WRITTEN
from reread.connectors.states import DeliveryState, InstanceState, StudyState, move_delivery, move_instance

_D, _E, _I, _S, _U = DELIVERIES.c, EVENTS.c, INSTANCES.c, STUDIES.c, UNWRITTEN.c
_NEWER = STUDIES.alias("newer")
_AT_A_TIME = 100
"""studies in one transaction, so that whoever receives meanwhile need not wait"""
_UIDS_PER_QUERY = 500
_ENDED = (StudyState.FAILED, StudyState.PARTIAL, StudyState.MEASURED, StudyState.DELIVERED)
_IN_FLIGHT = {
    StudyState.OPEN: "not complete yet",
    StudyState.CLOSED: "waits to be measured already",
    StudyState.MEASURING: "being measured; what a crash left so is taken up by the next night",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be put back; what is left empty selects everything."""

    studies: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    """words of `StudyState`"""
    reason: str = ""
    """the word of a failed study, or a part of why something failed"""
    source: str = ""
    destination: str = ""
    """only deliveries that were given up there"""
    since: datetime | None = None
    """aware time; of the last change of the state"""
    until: datetime | None = None
    """exclusive"""
    again: bool = False
    """measure what was measured too, if its route has an analysis or a version that is new"""


@dataclass(frozen=True, slots=True)
class PutBack:
    """What is put back of one revision."""

    study_instance_uid: str
    revision: int
    state: StudyState
    """before"""
    why: str
    """reason and detail of a failed study"""
    measure: bool = False
    images: int = 0
    """that were rejected and are tried again"""
    forms: tuple[str, ...] = ()
    deliveries: int = 0
    refused: str = ""
    """why nothing is put back; empty if it is"""

    @property
    def was(self) -> str:
        """State and why."""
        return f"{self.state.value} ({self.why})" if self.why else self.state.value

    @property
    def sentence(self) -> str:
        """What will be done."""
        parts = ["measured again"] if self.measure else []
        parts += [f"{self.images} rejected images tried again"] if self.images else []
        parts += [f"written again: {', '.join(self.forms)}"] if self.forms else []
        parts += [f"{self.deliveries} deliveries sent again"] if self.deliveries else []
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """What a person did to one revision."""

    happened_at: datetime
    actor: str
    action: str
    study_instance_uid: str
    revision: int
    detail: str


class RequeueBook(LedgerStore):
    """Back to where it can be tried again, the newest revision of a study only."""

    def requeue(self, selection: Selection, actor: str, *, dry_run: bool = False) -> tuple[PutBack, ...]:
        """Put back what the selection names, a hundred studies at a time; each leaves an event.

        Failed studies are closed and wait to be measured; forms and deliveries that were given up are tried again.
        What is in flight is refused. A crash leaves some of them put back; a repetition does the rest.

        Parameters
        ----------
        actor
            Who asked for it; goes into the events.
        dry_run
            Change nothing.

        Raises
        ------
        LedgerError
            A study that is named is not in the ledger; nothing was changed.
        """
        with self._read() as connection:
            keys = list(_keys(connection, selection))
        done: list[PutBack] = []
        for start in range(0, len(keys), _AT_A_TIME):
            with self._read() if dry_run else self._write() as connection:
                now = self._now()
                for uid, revision in keys[start : start + _AT_A_TIME]:
                    item = _judged(connection, uid, revision, selection)
                    if item is None:
                        continue
                    done.append(item)
                    if not (dry_run or item.refused):
                        _put_back(connection, item, selection, actor, now)
        return tuple(done)

    def events(self, limit: int = 100) -> tuple[LedgerEvent, ...]:
        """The newest ones, the newest last."""
        query = select(EVENTS).order_by(_E.number.desc()).limit(limit)
        with self._read() as connection:
            rows = connection.execute(query).all()
        return tuple(
            LedgerEvent(
                datetime.fromtimestamp(row.happened_at, UTC),
                row.actor,
                row.action,
                row.study_instance_uid,
                row.revision,
                row.detail,
            )
            for row in reversed(rows)
        )


def _keys(connection: Connection, selection: Selection) -> Iterator[tuple[str, int]]:
    """The newest revisions of each woman that may be meant."""
    newest = ~exists().where(
        _NEWER.c.study_instance_uid == _S.study_instance_uid,
        _NEWER.c.woman == _S.woman,
        _NEWER.c.revision > _S.revision,
    )
    query = select(_S.study_instance_uid, _S.revision).where(newest).order_by(_S.study_instance_uid, _S.revision)
    if selection.states:
        query = query.where(_S.state.in_(selection.states))
    elif not selection.studies:
        query = query.where(_S.state.in_(_ENDED))
    if selection.since is not None:
        query = query.where(_S.changed_at >= seconds(selection.since))
    if selection.until is not None:
        query = query.where(_S.changed_at < seconds(selection.until))
    if selection.source:
        of_source = and_(_I.study_instance_uid == _S.study_instance_uid, _I.source == selection.source)
        query = query.where(exists().where(of_source))
    if not selection.again and not selection.studies:
        query = query.where(_something_lost())
    if not selection.studies:
        yield from ((row.study_instance_uid, row.revision) for row in connection.execute(query))
        return
    uids = list(dict.fromkeys(selection.studies))
    for start in range(0, len(uids), _UIDS_PER_QUERY):
        part = uids[start : start + _UIDS_PER_QUERY]
        known = set(connection.execute(select(_S.study_instance_uid).where(_S.study_instance_uid.in_(part))).scalars())
        for uid in part:
            if uid not in known:
                raise LedgerError(f"no study {uid} in the ledger")
    for start in range(0, len(uids), _UIDS_PER_QUERY):
        these = query.where(_S.study_instance_uid.in_(uids[start : start + _UIDS_PER_QUERY]))
        yield from ((row.study_instance_uid, row.revision) for row in connection.execute(these))


def _something_lost() -> Any:
    lost = _D.state == DeliveryState.GIVEN_UP
    return or_(
        _S.state == StudyState.FAILED,
        exists().where(_D.study_instance_uid == _S.study_instance_uid, _D.revision == _S.revision, lost),
        exists().where(_U.study_instance_uid == _S.study_instance_uid, _U.revision == _S.revision, _U.given_up),
    )


def _judged(connection: Connection, uid: str, revision: int, selection: Selection) -> PutBack | None:
    """What is to be done with a revision; None if the selection does not mean it."""
    study = connection.execute(select(STUDIES).where(_S.study_instance_uid == uid, _S.revision == revision)).one()
    state = StudyState(study.state)
    why = ": ".join(part for part in (study.reason, study.detail) if part)
    item = PutBack(uid, revision, state, why)
    if state in _IN_FLIGHT:
        return _refused(item, _IN_FLIGHT[state]) if selection.studies else None
    mine = and_(_D.study_instance_uid == uid, _D.revision == revision)
    sending = select(_D.state).where(mine, _D.state == DeliveryState.SENDING)
    said = selection.reason.casefold()
    meant = not said or said == study.reason or said in study.detail.casefold()
    failed = state is StudyState.FAILED and meant
    measure = not selection.destination and (failed or (selection.again and not said))
    forms = () if selection.destination else _given_up_forms(connection, uid, revision, said)
    lost = len(_given_up(connection, uid, revision, selection))
    if not (measure or forms or lost):
        return _refused(item, "nothing of it failed or was given up") if selection.studies else None
    if connection.execute(sending).first() is not None:
        return _refused(item, "a result is being sent; what a crash left so is taken up by the next night")
    images = len(_rejected(connection, study)) if failed and measure else 0
    return PutBack(uid, revision, state, why, measure, images, forms, lost)


def _refused(item: PutBack, why: str) -> PutBack:
    return PutBack(item.study_instance_uid, item.revision, item.state, item.why, refused=why)


def _given_up_forms(connection: Connection, uid: str, revision: int, said: str) -> tuple[str, ...]:
    query = select(_U.form, _U.detail).where(_U.study_instance_uid == uid, _U.revision == revision, _U.given_up)
    rows = connection.execute(query.order_by(_U.form)).all()
    return tuple(dict.fromkeys(row.form for row in rows if said in row.detail.casefold()))


def _given_up(connection: Connection, uid: str, revision: int, selection: Selection) -> list[Row[Any]]:
    query = select(DELIVERIES).where(
        _D.study_instance_uid == uid, _D.revision == revision, _D.state == DeliveryState.GIVEN_UP
    )
    if selection.destination:
        query = query.where(_D.destination == selection.destination)
    return [row for row in connection.execute(query).all() if selection.reason.casefold() in row.detail.casefold()]


def _rejected(connection: Connection, study: Row[Any]) -> list[int]:
    """Numbers of the images that may be tried again: the newest copy of each that nothing better has replaced."""
    kept = select(_I.sop_instance_uid).where(
        _I.study_instance_uid == study.study_instance_uid, _I.state == InstanceState.RECEIVED
    )
    query = (
        select(func.max(_I.number))
        .where(
            _I.study_instance_uid == study.study_instance_uid,
            _I.woman == study.woman,
            _I.revision <= study.revision,
            _I.state == InstanceState.REJECTED,
            _I.sop_instance_uid.not_in(kept),
        )
        .group_by(_I.sop_instance_uid)
    )
    return sorted(connection.execute(query).scalars())


def _put_back(connection: Connection, item: PutBack, selection: Selection, actor: str, now: float) -> None:
    uid, revision = item.study_instance_uid, item.revision
    this = and_(_S.study_instance_uid == uid, _S.revision == revision)
    study = connection.execute(select(STUDIES).where(this)).one()
    if item.images:
        for number in _rejected(connection, study):
            _receive_again(connection, number)
    for row in _given_up(connection, uid, revision, selection):
        to = move_delivery(DeliveryState(row.state), DeliveryState.PENDING)
        one = and_(_D.sop_instance_uid == row.sop_instance_uid, _D.destination == row.destination)
        # the time for trying begins anew; how often it was sent stays known
        fresh = {"state": to.value, "first_attempt_at": None, "next_attempt_at": 0.0, "changed_at": now}
        connection.execute(update(DELIVERIES).where(one).values(**fresh))
    if item.forms:
        missing = and_(_U.study_instance_uid == uid, _U.revision == revision, _U.form.in_(item.forms), _U.given_up)
        connection.execute(update(UNWRITTEN).where(missing).values(attempts=0, given_up=False, changed_at=now))
    if item.measure and _wrote_of_failure(connection, study):
        _next_revision(connection, study, now)
    elif item.measure:
        move_revision(connection, study, StudyState.CLOSED, now, reason="", detail="")
    else:
        settle_study(connection, uid, revision, now)
    connection.execute(
        insert(EVENTS).values(
            happened_at=now,
            actor=actor[:64],
            action="requeue",
            study_instance_uid=uid,
            revision=revision,
            detail=f"{item.was}: {item.sentence}",
        )
    )


def _wrote_of_failure(connection: Connection, study: Row[Any]) -> bool:
    """Whether an analysis that failed wrote results that say so; a better one must not go out under their UIDs."""
    if study.state != StudyState.FAILED:
        return False
    w, m = WRITTEN.c, MEASUREMENTS.c
    this = and_(w.study_instance_uid == study.study_instance_uid, w.revision == study.revision)
    done = exists().where(
        m.study_instance_uid == w.study_instance_uid, m.revision == w.revision, m.algorithm == w.algorithm
    )
    return connection.execute(select(w.sop_instance_uid).where(this, ~done)).first() is not None


def _next_revision(connection: Connection, study: Row[Any], now: float) -> None:
    """The same images as a new revision; its results name those that they replace."""
    move_revision(connection, study, StudyState.SUPERSEDED, now)
    last = select(func.max(_S.revision)).where(_S.study_instance_uid == study.study_instance_uid)
    values = dict(study._mapping) | {
        "revision": connection.execute(last).scalar_one() + 1,
        "state": StudyState.CLOSED.value,
        "run_id": "",
        "reason": "",
        "detail": "",
        "changed_at": now,
    }
    connection.execute(insert(STUDIES).values(**values))


def _receive_again(connection: Connection, number: int) -> None:
    """A rejected image is queued under a new number, so that whoever follows the numbers sees it again."""
    row = connection.execute(select(INSTANCES).where(_I.number == number)).one()
    state = move_instance(InstanceState(row.state), InstanceState.RECEIVED)
    values = {key: value for key, value in row._mapping.items() if key != "number"}
    # the old row goes last: SQLite would give its number again
    connection.execute(update(INSTANCES).where(_I.number == number).values(dataset_digest=f"={number}"))
    connection.execute(insert(INSTANCES).values(**values | {"state": state.value, "reason": "", "detail": ""}))
    connection.execute(delete(INSTANCES).where(_I.number == number))
