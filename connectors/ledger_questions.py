"""The part of the ledger that answers: what is known, what was refused, how many of everything."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage
from reread.connectors.ledger_records import InstanceReason, LedgerCounts, reason_named
from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import DELIVERIES, INSTANCES, REJECTIONS, STUDIES
from reread.connectors.states import DeliveryState, InstanceState, StudyState

_I = INSTANCES.c
_S = STUDIES.c


class LedgerQuestions(LedgerStore):
    """Reads only."""

    def known_instances(self, study_instance_uid: str, peer: str = "") -> frozenset[str]:
        """SOP Instance UIDs of a study that need not be fetched from a peer.

        All that was ever received, whatever became of it, and what we delivered to that peer ourselves: the
        peer's Number of Study Related Instances counts our own results too.
        """
        d, r = DELIVERIES.c, REJECTIONS.c
        arrived = (DeliveryState.SENT, DeliveryState.COMMITTED)
        with self._read() as connection:
            received = connection.execute(
                select(_I.sop_instance_uid).where(_I.study_instance_uid == study_instance_uid)
            ).scalars()
            rejected = connection.execute(
                select(r.sop_instance_uid).where(r.study_instance_uid == study_instance_uid, r.sop_instance_uid != "")
            ).scalars()
            sent = connection.execute(
                select(d.sop_instance_uid).where(
                    d.study_instance_uid == study_instance_uid, d.destination == peer, d.state.in_(arrived)
                )
            ).scalars()
            return frozenset(received) | frozenset(rejected) | frozenset(sent)

    def rejections(self) -> tuple[RejectedImage, ...]:
        """Every file that could not be used, in order of arrival."""
        with self._read() as connection:
            rows = connection.execute(select(REJECTIONS).order_by(REJECTIONS.c.number)).all()
        return tuple(
            RejectedImage(
                path=row.path,
                reason=reason_named(row.reason),
                detail=row.detail,
                sop_instance_uid=row.sop_instance_uid,
                study_instance_uid=row.study_instance_uid,
                input_digest=row.digest,
            )
            for row in rows
        )

    def instance_reasons(self, study_instance_uid: str | None = None) -> tuple[InstanceReason, ...]:
        """Every flagged instance with its reason: conflicts, two patients, rejected later."""
        query = select(INSTANCES).where(_I.reason != "").order_by(_I.number)
        if study_instance_uid is not None:
            query = query.where(_I.study_instance_uid == study_instance_uid)
        with self._read() as connection:
            return tuple(
                InstanceReason(
                    row.sop_instance_uid,
                    row.study_instance_uid,
                    InstanceState(row.state),
                    reason_named(row.reason),
                    row.detail,
                    row.path,
                )
                for row in connection.execute(query)
            )

    def received_again(self) -> tuple[RejectedImage, ...]:
        """Every object that came more than once with the same bytes; it is kept and measured once."""
        query = select(INSTANCES).where(_I.times_received > 1).order_by(_I.number)
        with self._read() as connection:
            return tuple(
                RejectedImage(
                    path=row.path,
                    reason=Reason.DUPLICATE,
                    detail=f"received {row.times_received} times",
                    sop_instance_uid=row.sop_instance_uid,
                    study_instance_uid=row.study_instance_uid,
                    input_digest=row.dataset_digest,
                )
                for row in connection.execute(query)
            )

    def counts(self) -> LedgerCounts:
        """How many there are of everything."""
        with self._read() as connection:

            def by(column: Any) -> dict[str, int]:
                rows = connection.execute(select(column, func.count()).group_by(column)).all()
                return {row[0]: row[1] for row in rows}

            instances, studies, deliveries = by(_I.state), by(_S.state), by(DELIVERIES.c.state)
            failed = connection.execute(select(_S.reason).where(_S.state == StudyState.FAILED)).scalars()
            two = select(func.count(_S.study_instance_uid.distinct())).where(_S.two_patients.is_(True))
            return LedgerCounts(
                instances={state: instances.get(state.value, 0) for state in InstanceState},
                studies={state: studies.get(state.value, 0) for state in StudyState},
                deliveries={state: deliveries.get(state.value, 0) for state in DeliveryState},
                rejections=connection.execute(select(func.count()).select_from(REJECTIONS)).scalar_one(),
                duplicates=int(
                    connection.execute(select(func.coalesce(func.sum(_I.times_received - 1), 0))).scalar_one()
                ),
                two_patient_studies=connection.execute(two).scalar_one(),
                failures=dict(Counter(failed)),
                closed_by={rule: count for rule, count in by(_S.closed_by).items() if rule},
            )
