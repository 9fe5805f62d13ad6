"""The part of the ledger that knows open cases and cohorts: what there is as evidence, and closing them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from reread.connectors.completeness import Announcement, AnnouncementKind, ArchiveCount, ClosingRule, Verdict
from reread.connectors.ledger_announcements import AnnouncementBook, settle
from reread.connectors.ledger_questions import LedgerQuestions
from reread.connectors.ledger_records import Cohort, CohortKey, StudyRevision
from reread.connectors.ledger_tables import (
    ANNOUNCED_INSTANCES,
    ANNOUNCED_STUDIES,
    ANNOUNCEMENTS,
    ARCHIVE_COUNTS,
    COHORTS,
    INSTANCES,
    STUDIES,
)
from reread.connectors.states import InstanceState, StepStatus, StudyState

_I, _S, _C = INSTANCES.c, STUDIES.c, COHORTS.c
_A, _AS, _AI, _N = ANNOUNCEMENTS.c, ANNOUNCED_STUDIES.c, ANNOUNCED_INSTANCES.c, ARCHIVE_COUNTS.c


@dataclass(frozen=True, slots=True)
class OpenCase:
    """One open revision of a study, with what is known of its completeness."""

    study_instance_uid: str
    revision: int
    woman: str
    cohort: int | None
    last_arrival_at: float
    sources: frozenset[str]
    """of the images that opened or joined this revision"""
    announcements: tuple[Announcement, ...] = ()
    archive_counts: tuple[ArchiveCount, ...] = ()
    opened_at: float | None = None


@dataclass(frozen=True, slots=True)
class OpenCohort:
    """A cohort that still collects."""

    number: int
    source: str
    last_arrival_at: float


@dataclass(frozen=True, slots=True)
class CaseImage:
    """An image of a case and its side and view, "" if it is none that can be measured, None if nobody looked."""

    number: int
    path: str
    revision: int
    view: str | None


class CaseBook(AnnouncementBook, LedgerQuestions):
    """Open cases, cohorts, counts of archives."""

    def open_cases(self, study_instance_uid: str = "") -> tuple[OpenCase, ...]:
        """Every open revision, or those of one study; five statements, however many there are."""
        this = and_(_S.state == StudyState.OPEN, _S.study_instance_uid == study_instance_uid)
        which = this if study_instance_uid else _S.state == StudyState.OPEN
        with self._read() as connection:
            rows = connection.execute(
                select(STUDIES).where(which).order_by(_S.last_arrival_at, _S.study_instance_uid, _S.revision)
            ).all()
            if not rows:
                return ()
            sources = _sources(connection, which)
            announcements = _announcements(connection, which)
            counted = connection.execute(
                select(ARCHIVE_COUNTS).where(_N.study_instance_uid.in_(select(_S.study_instance_uid).where(which)))
            ).all()
        counts: dict[str, list[ArchiveCount]] = defaultdict(list)
        for row in counted:
            arrived = len(self.known_instances(row.study_instance_uid, row.archive))
            counts[row.study_instance_uid].append(ArchiveCount(row.archive, row.stated, arrived))
        return tuple(
            OpenCase(
                row.study_instance_uid,
                row.revision,
                row.woman,
                row.cohort,
                row.last_arrival_at,
                frozenset(sources[row.study_instance_uid, row.revision]),
                tuple(announcements[row.study_instance_uid]),
                tuple(counts[row.study_instance_uid]),
                row.opened_at,
            )
            for row in rows
        )

    def close_cases(self, verdicts: Sequence[tuple[OpenCase, Verdict]]) -> tuple[StudyRevision, ...]:
        """Close revisions, all in one transaction; one that got an image since it was judged stays open."""
        if not verdicts:
            return ()
        with self._write() as connection:
            now = self._now()
            return tuple(
                StudyRevision(case.study_instance_uid, case.revision)
                for case, verdict in verdicts
                if _close(connection, case, verdict, now)
            )

    def open_cohorts(self) -> tuple[OpenCohort, ...]:
        """Every cohort that still collects."""
        with self._read() as connection:
            rows = connection.execute(select(COHORTS).where(_C.closed_at.is_(None)).order_by(_C.number)).all()
        return tuple(OpenCohort(row.number, row.source, row.last_arrival_at) for row in rows)

    def close_cohort(self, cohort: OpenCohort, verdict: Verdict) -> tuple[StudyRevision, ...]:
        """Close a cohort and all its studies at once (R4.37); nothing if an image came since it was judged."""
        with self._write() as connection:
            now = self._now()
            this = and_(
                _C.number == cohort.number, _C.closed_at.is_(None), _C.last_arrival_at == cohort.last_arrival_at
            )
            closed = (
                update(COHORTS).where(this).values(closed_at=now, closed_by=verdict.rule, evidence=verdict.sentence)
            )
            if not connection.execute(closed).rowcount:
                return ()
            mine = and_(_S.state == StudyState.OPEN, _S.cohort == cohort.number)
            rows = connection.execute(select(STUDIES).where(mine).order_by(_S.study_instance_uid, _S.revision)).all()
            connection.execute(
                update(STUDIES)
                .where(mine)
                .values(
                    state=StudyState.CLOSED.value,
                    closed_by=ClosingRule.COHORT.value,
                    evidence=f"cohort {cohort.number}: {verdict.sentence}",
                    closed_at=now,
                    changed_at=now,
                )
            )
            for uid in {row.study_instance_uid for row in rows}:
                settle(connection, uid, now)
            return tuple(StudyRevision(row.study_instance_uid, row.revision) for row in rows)

    def cohorts(self) -> tuple[Cohort, ...]:
        """Every cohort, in order of its beginning, with how much it holds."""
        with self._read() as connection:
            held = {
                row.cohort: row
                for row in connection.execute(
                    select(
                        _I.cohort,
                        func.count().label("instances"),
                        func.count(_I.study_instance_uid.distinct()).label("studies"),
                    )
                    .where(_I.cohort.is_not(None))
                    .group_by(_I.cohort)
                )
            }
            return tuple(
                Cohort(
                    row.number,
                    CohortKey(row.calling_ae_title, row.called_ae_title),
                    studies=held[row.number].studies if row.number in held else 0,
                    instances=held[row.number].instances if row.number in held else 0,
                    is_open=row.closed_at is None,
                    evidence=row.evidence,
                )
                for row in connection.execute(select(COHORTS).order_by(_C.number))
            )

    def case_images(self, case: OpenCase) -> tuple[CaseImage, ...]:
        """The images that the revision would be measured with."""
        query = select(_I.number, _I.path, _I.revision, _I.view).where(
            _I.study_instance_uid == case.study_instance_uid,
            _I.woman == case.woman,
            _I.revision <= case.revision,
            _I.state == InstanceState.RECEIVED,
        )
        with self._read() as connection:
            return tuple(CaseImage(*row) for row in connection.execute(query.order_by(_I.number)))

    def book_views(self, views: Mapping[int, str]) -> None:
        """Keep what was seen in headers, by number of the image, so that each is read once."""
        if not views:
            return
        with self._write() as connection:
            for number, view in views.items():
                connection.execute(update(INSTANCES).where(_I.number == number).values(view=view))

    def book_archive_count(self, study_instance_uid: str, archive: str, stated: int) -> None:
        """An archive has more of a study than arrived."""
        key = {"study_instance_uid": study_instance_uid, "archive": archive}
        with self._write() as connection:
            connection.execute(delete(ARCHIVE_COUNTS).filter_by(**key))
            connection.execute(insert(ARCHIVE_COUNTS).values(**key, stated=stated, reported_at=self._now()))

    def forget_archive_count(self, study_instance_uid: str, archive: str) -> None:
        """Everything that an archive has of a study is here; writes only if something was booked."""
        this = and_(_N.study_instance_uid == study_instance_uid, _N.archive == archive)
        with self._read() as connection:
            if connection.execute(select(_N.stated).where(this)).first() is None:
                return
        with self._write() as connection:
            connection.execute(delete(ARCHIVE_COUNTS).where(this))


def collect(connection: Connection, key: CohortKey, source: str, now: float) -> int:
    """The open cohort of a pair of AE titles, opened if needed: one statement but for the first object."""
    this = and_(
        _C.calling_ae_title == key.calling_ae_title,
        _C.called_ae_title == key.called_ae_title,
        _C.closed_at.is_(None),
    )
    touched = update(COHORTS).where(this).values(last_arrival_at=now).returning(_C.number)
    number = connection.execute(touched).scalar()
    if number is None:
        number = connection.execute(
            insert(COHORTS)
            .values(
                calling_ae_title=key.calling_ae_title,
                called_ae_title=key.called_ae_title,
                source=source,
                opened_at=now,
                last_arrival_at=now,
            )
            .returning(_C.number)
        ).scalar_one()
    return int(number)


def _sources(connection: Connection, which: Any) -> defaultdict[tuple[str, int], set[str]]:
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    joined = and_(_I.study_instance_uid == _S.study_instance_uid, _I.revision == _S.revision)
    query = select(_I.study_instance_uid, _I.revision, _I.source).join(STUDIES, joined).where(which).distinct()
    for uid, revision, source in connection.execute(query):
        found[uid, revision].add(source)
    return found


def _announcements(connection: Connection, which: Any) -> defaultdict[str, list[Announcement]]:
    """Unanswered announcements of the studies, with how much of each is here."""
    found: defaultdict[str, list[Announcement]] = defaultdict(list)
    here = select(_I.number).where(_I.sop_instance_uid == _AI.sop_instance_uid).exists()
    named = select(func.count()).select_from(ANNOUNCED_INSTANCES).where(_AI.announcement == _A.number)
    query = (
        select(
            _AS.study_instance_uid,
            _A.kind,
            _A.status,
            named.correlate(ANNOUNCEMENTS).scalar_subquery(),
            named.where(here).correlate(ANNOUNCEMENTS).scalar_subquery(),
            _A.changed_at,
        )
        .join(ANNOUNCEMENTS, _A.number == _AS.announcement)
        .where(_AS.settled_at.is_(None), _AS.study_instance_uid.in_(select(_S.study_instance_uid).where(which)))
        .order_by(_A.number)
    )
    for uid, kind, status, expected, arrived, changed_at in connection.execute(query):
        found[uid].append(Announcement(AnnouncementKind(kind), StepStatus(status), expected, arrived, changed_at))
    return found


def _close(connection: Connection, case: OpenCase, verdict: Verdict, now: float) -> bool:
    this = and_(
        _S.study_instance_uid == case.study_instance_uid,
        _S.revision == case.revision,
        _S.state == StudyState.OPEN,
        _S.last_arrival_at == case.last_arrival_at,
    )
    closed = (
        update(STUDIES)
        .where(this)
        .values(
            state=StudyState.CLOSED.value,
            closed_by=verdict.rule.value if verdict.rule else "",
            evidence=verdict.sentence,
            closed_at=now,
            changed_at=now,
        )
    )
    if not connection.execute(closed).rowcount:
        return False
    settle(connection, case.study_instance_uid, now)
    return True
