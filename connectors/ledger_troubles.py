"""The part of the ledger that names what went wrong: one line for each cause, study by study."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import and_, func, select

from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import DELIVERIES, STUDIES, UNWRITTEN
from reread.connectors.states import DeliveryState, StudyState

_D, _S, _U = DELIVERIES.c, STUDIES.c, UNWRITTEN.c


class Step(StrEnum):
    """Where it went wrong."""

    MEASURE = "measure"
    WRITE = "write"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One cause in one revision. Holds no patient data."""

    study_instance_uid: str
    revision: int
    step: Step
    what: str
    """the reason of a failed study, the form that was not written, the destination"""
    detail: str
    count: int
    """of objects that were not delivered; else 1"""
    final: bool
    """not tried again by itself"""
    changed_at: float
    """seconds since 1970"""


class TroubleBook(LedgerStore):
    """Reads only."""

    def troubles(self) -> tuple[Trouble, ...]:
        """All causes, the newest last: studies not measured, forms not written, objects not delivered."""
        failed = select(_S.study_instance_uid, _S.revision, _S.reason, _S.detail, _S.changed_at).where(
            _S.state == StudyState.FAILED
        )
        grouped = (_D.study_instance_uid, _D.revision, _D.destination, _D.detail, _D.state)
        undelivered = (
            select(*grouped, func.count(), func.max(_D.changed_at))
            .join(STUDIES, and_(_S.study_instance_uid == _D.study_instance_uid, _S.revision == _D.revision))
            .where(_D.state.in_((DeliveryState.FAILED, DeliveryState.GIVEN_UP)))
            .group_by(*grouped)
        )
        with self._read() as connection:
            found = [
                Trouble(uid, revision, Step.MEASURE, reason, detail, 1, True, at)
                for uid, revision, reason, detail, at in connection.execute(failed)
            ]
            found += [
                Trouble(
                    row.study_instance_uid,
                    row.revision,
                    Step.WRITE,
                    row.form,
                    row.detail,
                    1,
                    row.given_up,
                    row.changed_at,
                )
                for row in connection.execute(select(UNWRITTEN))
            ]
            found += [
                Trouble(uid, revision, Step.DELIVER, to, detail, count, state == DeliveryState.GIVEN_UP, at)
                for uid, revision, to, detail, state, count, at in connection.execute(undelivered)
            ]
        return tuple(sorted(found, key=lambda one: (one.changed_at, one.study_instance_uid, one.step, one.what)))
