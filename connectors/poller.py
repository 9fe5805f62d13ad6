"""Asking an archive for studies and fetching what is missing, and only that.

Windows are split when the archive cuts its answers off; what is fetched is decided by comparing the
archive's counts with the ledger; what arrived is counted in the ledger, not in the archive's report (R3.238).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta

from reread.analytics.errors import ArchiveError, ArchiveRefused
from reread.connectors.archive import Archive, FoundStudy, StudyQuery
from reread.connectors.closing import CaseCloser
from reread.connectors.completeness import ArchiveCount
from reread.connectors.ledger import Ledger
from reread.connectors.outgoing import FIND, Outcome

LOG = logging.getLogger(__name__)

_DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Window:
    """Days from `first` to `last`, both included; within a single day, seconds of the day, both included."""

    first: date
    last: date
    first_second: int = 0
    last_second: int = _DAY_SECONDS - 1

    def __post_init__(self) -> None:
        if self.last < self.first or not 0 <= self.first_second <= self.last_second < _DAY_SECONDS:
            raise ValueError("an empty window")


@dataclass(frozen=True, slots=True)
class ShortStudy:
    """A study of which the archive has more than arrived."""

    study_instance_uid: str
    arrived: int
    stated: int


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one poll did."""

    studies_found: int
    studies_fetched: int
    instances_wanted: int
    """objects that the archive has and the ledger did not"""
    instances_arrived: int
    incomplete: tuple[str, ...]
    """Study Instance UIDs of which something is still missing; the next poll asks again"""
    failed: tuple[tuple[str, str], ...]
    """(Study Instance UID, cause) of those that could not be fetched"""
    truncated: tuple[Window, ...]
    """windows that the archive cut off and that cannot be split further"""
    short: tuple[ShortStudy, ...] = ()
    """the incomplete ones, with numbers"""


def split_window(window: Window) -> tuple[Window, Window] | None:
    """Two halves that cover the window without overlap; None for a single second."""
    days = (window.last - window.first).days
    if days > 0:
        middle = window.first + timedelta(days=days // 2)
        return Window(window.first, middle), Window(middle + timedelta(days=1), window.last)
    if window.first_second == window.last_second:
        return None
    half = (window.first_second + window.last_second) // 2
    day = window.first
    return Window(day, day, window.first_second, half), Window(day, day, half + 1, window.last_second)


def query_of(window: Window, modality: str) -> StudyQuery:
    """The C-FIND keys of a window."""
    whole_days = (window.first_second, window.last_second) == (0, _DAY_SECONDS - 1)
    return StudyQuery(
        first_date=window.first,
        last_date=window.last,
        modality=modality,
        first_time=None if whole_days else _time(window.first_second),
        last_time=None if whole_days else _time(window.last_second),
    )


def slice_days(window: Window, days: int) -> Iterator[Window]:
    """Windows of at most `days` days, newest first: today's studies do not wait for the archive's oldest."""
    last = window.last
    while last >= window.first:
        first = max(window.first, last - timedelta(days=days - 1))
        yield Window(first, last)
        last = first - timedelta(days=1)


def find_all(
    archive: Archive, window: Window, modality: str, result_cap: int | None
) -> tuple[dict[str, FoundStudy], tuple[Window, ...]]:
    """Every study of a window, splitting it wherever the answer looks cut off.

    Parameters
    ----------
    result_cap
        An answer of at least so many studies counts as cut off, as does status A700; None if the archive has no cap.

    Returns
    -------
    studies, truncated
        By Study Instance UID; and windows that are cut off still at a single second.
    """
    studies: dict[str, FoundStudy] = {}
    truncated: list[Window] = []
    waiting = [window]
    while waiting:
        part = waiting.pop()
        try:
            found = list(archive.find_studies(query_of(part, modality)))
            cut = result_cap is not None and len(found) >= result_cap
        except ArchiveRefused as error:
            if FIND.outcome(error.status) is not Outcome.TOO_MUCH:
                raise
            found, cut = [], True
        studies.update((study.study_instance_uid, study) for study in found)
        if cut:
            halves = split_window(part)
            if halves is None:
                truncated.append(part)
            else:
                waiting += reversed(halves)
    return studies, tuple(truncated)


def poll(
    archive: Archive,
    ledger: Ledger,
    window: Window,
    modality: str = "MG",
    *,
    result_cap: int | None = None,
    slice_length_days: int = 31,
    closer: CaseCloser | None = None,
) -> PollReport:
    """Fetch what the archive has in this window and the ledger has not; close what is complete.

    A second poll of the same window fetches nothing. A study that fails does not stop the others. One of which
    less arrived than the archive says stays open, is reported, and its quiet time closes it with both numbers.

    Raises
    ------
    ArchiveError
        If the archive cannot be asked at all.
    """
    found = fetched = wanted = arrived = 0
    incomplete: list[str] = []
    failed: list[tuple[str, str]] = []
    truncated: list[Window] = []
    short: list[ShortStudy] = []
    closer = closer or CaseCloser(ledger)
    for part in slice_days(window, slice_length_days):
        studies, cut = find_all(archive, part, modality, result_cap)
        truncated += cut
        found += len(studies)
        for study in studies.values():
            try:
                fetch = _bring(archive, ledger, closer, study)
            except ArchiveError as error:
                LOG.warning("a study could not be fetched: %s", error)
                failed.append((study.study_instance_uid, str(error)))
                continue
            fetched += fetch.asked
            wanted += fetch.wanted
            arrived += fetch.arrived
            if fetch.count is None or fetch.count.is_short:
                incomplete.append(study.study_instance_uid)
            if fetch.count is not None and fetch.count.is_short:
                short.append(ShortStudy(study.study_instance_uid, fetch.count.arrived, fetch.count.stated))
    return PollReport(found, fetched, wanted, arrived, tuple(incomplete), tuple(failed), tuple(truncated), tuple(short))


@dataclass(frozen=True, slots=True)
class _Fetch:
    asked: bool
    wanted: int
    arrived: int
    count: ArchiveCount | None
    """None if the archive told neither a count nor the instances"""


def _bring(archive: Archive, ledger: Ledger, closer: CaseCloser, study: FoundStudy) -> _Fetch:
    uid, stated = study.study_instance_uid, study.instance_count
    before = ledger.known_instances(uid, archive.name)
    if stated is not None and len(before) >= stated:
        return _settled(closer, uid, ArchiveCount(archive.name, stated, len(before), fresh=True))
    there: frozenset[str] = frozenset()
    if before or stated is None:
        listed = archive.find_instances(uid)
        there = frozenset(item.sop_instance_uid for item in listed)
        missing = tuple(item for item in listed if item.sop_instance_uid not in before)
        if there and not missing:
            return _settled(closer, uid, ArchiveCount(archive.name, len(there), len(there), True, "instances"))
        # an archive that does not answer below the study: ask for the whole
        archive.fetch_study(uid, missing if before else ())
    else:
        archive.fetch_study(uid)
    after = ledger.known_instances(uid, archive.name)
    count: ArchiveCount | None = None
    if there:
        count = ArchiveCount(archive.name, len(there), len(there & after), True, "instances")
    elif stated is not None:
        count = ArchiveCount(archive.name, stated, len(after), fresh=True)
    if count is not None:
        closer.archive_reported(uid, count)
    wanted = len(there - before) if there else (stated or 0) - len(before)
    return _Fetch(True, wanted, len(after - before), count)


def _settled(closer: CaseCloser, study_instance_uid: str, count: ArchiveCount) -> _Fetch:
    """Nothing to fetch."""
    closer.archive_reported(study_instance_uid, count)
    return _Fetch(False, 0, 0, count)


def _time(second: int) -> time:
    return time(second // 3600, second // 60 % 60, second % 60)
