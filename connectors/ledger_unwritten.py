"""The part of the ledger that knows which results could not be written, and when that is tried again.

The numbers of such a revision are safe and its other results go out; what is missing is a list beside its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, insert, select, update

from reread.connectors.ledger_arrivals import move_revision
from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import STUDIES, UNWRITTEN
from reread.connectors.states import StudyState

WRITING_ATTEMPTS = 3
"""the first, and one in each of the next nights"""

_U, _S = UNWRITTEN.c, STUDIES.c
_NEWER = STUDIES.alias("newer")


@dataclass(frozen=True, slots=True)
class UnwrittenForm:
    """A form of results of one revision under one analysis that could not be written, or not all of its objects."""

    study_instance_uid: str
    revision: int
    algorithm: str
    form: str
    detail: str
    """why"""
    attempts: int
    given_up: bool
    """not tried again by itself"""


class UnwrittenBook(LedgerStore):
    """One row for each form that is missing; it goes when the form is written."""

    def note_unwritten(
        self, study_instance_uid: str, revision: int, algorithm: str, problems: Mapping[str, str]
    ) -> None:
        """Note what an analysis could not write, form to cause; what is not named has been written by now.

        Again with the same arguments: no change.
        """
        this = and_(_U.study_instance_uid == study_instance_uid, _U.revision == revision, _U.algorithm == algorithm)
        if not problems:
            with self._read() as connection:
                if connection.execute(select(_U.form).where(this)).first() is None:
                    return
        with self._write() as connection:
            now = self._now()
            known = {row.form: row.attempts for row in connection.execute(select(UNWRITTEN).where(this))}
            connection.execute(delete(UNWRITTEN).where(this, _U.form.not_in(list(problems))))
            for form, detail in problems.items():
                if form in known:
                    changed = {"detail": detail, "given_up": known[form] >= WRITING_ATTEMPTS, "changed_at": now}
                    connection.execute(update(UNWRITTEN).where(this, _U.form == form).values(**changed))
                    continue
                connection.execute(
                    insert(UNWRITTEN).values(
                        study_instance_uid=study_instance_uid,
                        revision=revision,
                        algorithm=algorithm,
                        form=form,
                        detail=detail,
                        attempts=1,
                        given_up=WRITING_ATTEMPTS <= 1,
                        changed_at=now,
                    )
                )

    def unwritten(
        self, study_instance_uid: str | None = None, revision: int | None = None
    ) -> tuple[UnwrittenForm, ...]:
        """All that is missing, or what is missing of one study or revision."""
        query = select(*(_U[name] for name in UnwrittenForm.__slots__)).order_by(
            _U.study_instance_uid, _U.revision, _U.algorithm, _U.form
        )
        if study_instance_uid is not None:
            query = query.where(_U.study_instance_uid == study_instance_uid)
        if revision is not None:
            query = query.where(_U.revision == revision)
        with self._read() as connection:
            return tuple(UnwrittenForm(*row) for row in connection.execute(query))

    def reopen_unwritten(self) -> int:
        """Close again the revisions whose missing forms are to be tried once more; how many.

        Each call counts as an attempt. Of a revision that a newer one has replaced nothing is tried any more.
        """
        with self._write() as connection:
            now = self._now()
            due = (
                select(STUDIES)
                .where(
                    _S.state.in_((StudyState.MEASURED, StudyState.PARTIAL)),
                    exists().where(_of(STUDIES), _U.given_up.is_(False)),
                )
                .order_by(_S.study_instance_uid, _S.revision)
            )
            return sum(_reopen(connection, row, now) for row in connection.execute(due).all())


def _of(studies: Any) -> Any:
    return and_(_U.study_instance_uid == studies.c.study_instance_uid, _U.revision == studies.c.revision)


def _reopen(connection: Connection, study: Row[Any], now: float) -> bool:
    mine = and_(
        _U.study_instance_uid == study.study_instance_uid,
        _U.revision == study.revision,
        _U.given_up.is_(False),
    )
    newer = select(_NEWER.c.revision).where(
        _NEWER.c.study_instance_uid == study.study_instance_uid,
        _NEWER.c.woman == study.woman,
        _NEWER.c.revision > study.revision,
    )
    replaced = connection.execute(newer).first() is not None
    spent = mine if replaced else and_(mine, _U.attempts >= WRITING_ATTEMPTS)
    connection.execute(update(UNWRITTEN).where(spent).values(given_up=True, changed_at=now))
    tried = connection.execute(update(UNWRITTEN).where(mine).values(attempts=_U.attempts + 1, changed_at=now))
    if not tried.rowcount:
        return False
    move_revision(connection, study, StudyState.CLOSED, now)
    return True
