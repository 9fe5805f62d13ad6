"""When a measured revision is delivered, and when a part of its results is missing for good."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select, update

from reread.connectors.ledger_tables import DELIVERIES, STUDIES, UNWRITTEN
from reread.connectors.states import DeliveryState, StudyState, move_study

_D, _S, _U = DELIVERIES.c, STUDIES.c, UNWRITTEN.c


def is_unwritten(connection: Connection, study_instance_uid: str, revision: int) -> bool:
    """Whether a form of this revision could not be written, given up or not."""
    this = and_(_U.study_instance_uid == study_instance_uid, _U.revision == revision)
    return connection.execute(select(_U.form).where(this)).first() is not None


def settle_study(connection: Connection, study_instance_uid: str, revision: int, now: float | None) -> None:
    """Move a measured revision on when all of its deliveries have ended; other revisions stay as they are.

    Parameters
    ----------
    now
        Seconds since 1970; None leaves the time of the last change.
    """
    this = and_(_S.study_instance_uid == study_instance_uid, _S.revision == revision)
    found = connection.execute(select(_S.state).where(this)).scalar()
    if found not in (StudyState.MEASURED, StudyState.PARTIAL):
        return
    state = StudyState(found)
    to = _ending(connection, study_instance_uid, revision)
    if to is state:
        return
    changed = {} if now is None else {"changed_at": now}
    connection.execute(update(STUDIES).where(this).values(state=move_study(state, to).value, **changed))


def _ending(connection: Connection, study_instance_uid: str, revision: int) -> StudyState:
    rows = connection.execute(
        select(_D.state, _D.commit).where(_D.study_instance_uid == study_instance_uid, _D.revision == revision)
    ).all()
    lost = [row.state == DeliveryState.GIVEN_UP for row in rows]
    safe = [
        row.state == DeliveryState.COMMITTED or (row.state == DeliveryState.SENT and not row.commit) for row in rows
    ]
    if not all(one or other for one, other in zip(lost, safe, strict=True)):
        return StudyState.MEASURED
    if any(lost) or is_unwritten(connection, study_instance_uid, revision):
        return StudyState.PARTIAL
    return StudyState.DELIVERED
