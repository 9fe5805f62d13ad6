"""The ledger: the truth about the work. It survives a crash and holds no patient data.

Studies and their measuring are here, arriving objects in `ledger_arrivals`, deliveries in `ledger_deliveries`,
what closes a study in `ledger_cases` and `ledger_announcements`, reports in `ledger_questions`, what peers asked us
to commit to in `ledger_commitments`, results that could not be written in `ledger_unwritten`, what went wrong in
`ledger_troubles`, and putting it back in `ledger_requeue`.
A study is a row of revisions: an image that comes after a revision was closed opens the next one. Each revision
holds the images of one woman, so two patients under one Study Instance UID are flagged and never combined (R0.526).
A revision has one state, however many analyses measure it; what each has done is a list beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from reread.analytics.errors import LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.completeness import ClosingRule, Verdict
from reread.connectors.ledger_arrivals import ArrivalBook, move_revision
from reread.connectors.ledger_cases import CaseBook
from reread.connectors.ledger_commitments import CommitmentBook
from reread.connectors.ledger_deliveries import DeliveryBook
from reread.connectors.ledger_holdings import Holdings
from reread.connectors.ledger_records import (
    Instance,
    Measurement,
    StudyRevision,
    StudyWork,
    reason_named,
)
from reread.connectors.ledger_requeue import RequeueBook
from reread.connectors.ledger_results import ResultBook
from reread.connectors.ledger_settling import is_unwritten
from reread.connectors.ledger_store import Clock, utc_now
from reread.connectors.ledger_tables import INSTANCES, MEASUREMENTS, STUDIES
from reread.connectors.ledger_troubles import TroubleBook
from reread.connectors.ledger_unwritten import UnwrittenBook
from reread.connectors.states import InstanceState, StudyState

_I = INSTANCES.c
_S = STUDIES.c


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a start after a crash put back."""

    studies: int
    deliveries: int


class Ledger(
    ArrivalBook, DeliveryBook, CaseBook, CommitmentBook, Holdings, ResultBook, UnwrittenBook, TroubleBook, RequeueBook
):
    """Instances, study revisions, deliveries; open it with `open_ledger`."""

    def close_study(
        self, study_instance_uid: str, evidence: str, rule: ClosingRule | None = None
    ) -> tuple[StudyRevision, ...]:
        """Close the open revisions of one study without asking `completeness`; `evidence` says why."""
        verdict = Verdict(rule, evidence)
        return self.close_cases([(case, verdict) for case in self.open_cases(study_instance_uid)])

    def studies_to_measure(self) -> tuple[StudyWork, ...]:
        """Closed revisions that wait to be measured, oldest first."""
        query = select(STUDIES).where(_S.state == StudyState.CLOSED)
        with self._read() as connection:
            rows = connection.execute(query.order_by(_S.closed_at, _S.study_instance_uid, _S.revision)).all()
            return tuple(_work(connection, row) for row in rows)

    def study_work(self, study_instance_uid: str, revision: int) -> StudyWork:
        """One revision, whatever its state (LedgerError if there is none)."""
        with self._read() as connection:
            return _work(connection, _study(connection, study_instance_uid, revision))

    def start_studies(self, study_instance_uids: Iterable[str], run_id: str) -> tuple[StudyWork, ...]:
        """Claim the closed revisions of these studies for a run; what another process took is left out."""
        started = []
        with self._write() as connection:
            now = self._now()
            for uid in study_instance_uids:
                query = select(STUDIES).where(_S.study_instance_uid == uid, _S.state == StudyState.CLOSED)
                for row in connection.execute(query.order_by(_S.revision)).all():
                    move_revision(connection, row, StudyState.MEASURING, now, run_id=run_id)
                    started.append(_work(connection, _study(connection, uid, row.revision)))
        return tuple(started)

    def add_measurement(
        self,
        study_instance_uid: str,
        revision: int,
        *,
        algorithm: str,
        version: str,
        parameters_digest: str,
        run_id: str = "",
    ) -> None:
        """One of several analyses is done; the revision's state stays. Again with the same arguments: no change."""
        with self._write() as connection:
            row = _study(connection, study_instance_uid, revision)
            self._add_measurement(connection, row, Measurement(algorithm, version, parameters_digest), run_id)

    def finish_study(
        self,
        study_instance_uid: str,
        revision: int,
        *,
        algorithm: str,
        version: str,
        parameters_digest: str,
        run_id: str = "",
    ) -> None:
        """The last analysis is done, and with it the revision; again with the same arguments: no change.

        A revision whose deliveries have all ended well by then is delivered; one of which a form could not be written
        is partial.
        """
        with self._write() as connection:
            now = self._now()
            row = _study(connection, study_instance_uid, revision)
            new = self._add_measurement(connection, row, Measurement(algorithm, version, parameters_digest), run_id)
            if not new and row.state in (StudyState.MEASURED, StudyState.DELIVERED, StudyState.PARTIAL):
                return
            move_revision(connection, row, StudyState.MEASURED, now, reason="", detail="")
            self._settle_deliveries(connection, study_instance_uid, revision, now)

    def fail_study(self, study_instance_uid: str, revision: int, reason: Reason, detail: str) -> None:
        """The revision could not be measured; the cause is kept. Of two analyses that fail the first reason counts."""
        with self._write() as connection:
            row = _study(connection, study_instance_uid, revision)
            if row.state == StudyState.FAILED:
                together = "; ".join(dict.fromkeys(text for text in (row.detail, detail) if text))
                this = and_(_S.study_instance_uid == study_instance_uid, _S.revision == revision)
                connection.execute(update(STUDIES).where(this).values(detail=together))
                return
            move_revision(connection, row, StudyState.FAILED, self._now(), reason=reason.value, detail=detail)

    def mark_delivered(self, study_instance_uid: str, revision: int) -> None:
        """A measured revision needs no (further) delivery. Studies with deliveries get there by themselves.

        One of which a form could not be written becomes partial.
        """
        with self._write() as connection:
            row = _study(connection, study_instance_uid, revision)
            unwritten = is_unwritten(connection, study_instance_uid, revision)
            to = StudyState.PARTIAL if unwritten else StudyState.DELIVERED
            if row.state != to:
                move_revision(connection, row, to, self._now())

    def requeue_study(self, study_instance_uid: str, revision: int) -> None:
        """Measure a measured, delivered, partial or failed revision again (another version, a cause that is gone)."""
        with self._write() as connection:
            row = _study(connection, study_instance_uid, revision)
            move_revision(connection, row, StudyState.CLOSED, self._now(), reason="", detail="")

    def measurements(self, study_instance_uid: str, revision: int) -> frozenset[Measurement]:
        """What is done of a revision, so that no run does work twice."""
        m = MEASUREMENTS.c
        query = select(m.algorithm, m.version, m.parameters_digest).where(
            m.study_instance_uid == study_instance_uid, m.revision == revision
        )
        with self._read() as connection:
            return frozenset(Measurement(*row) for row in connection.execute(query))

    def recover(self) -> Recovery:
        """Put back what a crash left half done: measuring to closed, sending to pending. Call at start only."""
        with self._write() as connection:
            now = self._now()
            rows = connection.execute(select(STUDIES).where(_S.state == StudyState.MEASURING)).all()
            for row in rows:
                move_revision(connection, row, StudyState.CLOSED, now, run_id="")
            return Recovery(len(rows), self._recover_deliveries(connection, now))

    def _add_measurement(self, connection: Connection, study: Row[Any], done: Measurement, run_id: str) -> bool:
        """Whether it was not there before."""
        m = MEASUREMENTS.c
        same = and_(
            m.study_instance_uid == study.study_instance_uid,
            m.revision == study.revision,
            m.algorithm == done.algorithm,
            m.version == done.version,
            m.parameters_digest == done.parameters_digest,
        )
        if connection.execute(select(m.run_id).where(same)).first() is not None:
            return False
        connection.execute(
            insert(MEASUREMENTS).values(
                study_instance_uid=study.study_instance_uid,
                revision=study.revision,
                algorithm=done.algorithm,
                version=done.version,
                parameters_digest=done.parameters_digest,
                run_id=run_id or study.run_id,
                measured_at=self._now(),
            )
        )
        return True


def open_ledger(url: str, clock: Clock = utc_now) -> Ledger:
    """Open the ledger behind an SQLAlchemy URL, and make it if it is not there.

    Raises
    ------
    LedgerError
        If it cannot be opened or was written by another version of the schema.
    """
    return Ledger(url, clock)


def _study(connection: Connection, study_instance_uid: str, revision: int) -> Row[Any]:
    this = and_(_S.study_instance_uid == study_instance_uid, _S.revision == revision)
    found = connection.execute(select(STUDIES).where(this)).first()
    if found is None:
        raise LedgerError(f"no revision {revision} of study {study_instance_uid}")
    return found


def _work(connection: Connection, study: Row[Any]) -> StudyWork:
    rows = connection.execute(
        select(INSTANCES)
        .where(
            _I.study_instance_uid == study.study_instance_uid,
            _I.woman == study.woman,
            _I.revision <= study.revision,
            _I.state == InstanceState.RECEIVED,
        )
        .order_by(_I.number)
    ).all()
    return StudyWork(
        study_instance_uid=study.study_instance_uid,
        revision=study.revision,
        woman=study.woman,
        study_date=study.study_date,
        instances=tuple(_instance(row) for row in rows),
        state=StudyState(study.state),
        evidence=study.evidence,
        two_patients=study.two_patients,
        closed_by=study.closed_by,
        cohort=study.cohort,
    )


def _instance(row: Row[Any]) -> Instance:
    return Instance(
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        series_instance_uid=row.series_instance_uid,
        study_instance_uid=row.study_instance_uid,
        woman=row.woman,
        study_date=row.study_date,
        modality=row.modality,
        transfer_syntax_uid=row.transfer_syntax_uid,
        path=row.path,
        size_bytes=int(row.size_bytes),
        dataset_digest=row.dataset_digest,
        source=row.source,
        state=InstanceState(row.state),
        reason=reason_named(row.reason) if row.reason else None,
        detail=row.detail,
    )
