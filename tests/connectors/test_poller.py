"""Windows, cut-off answers, and archives that promise more than they send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import free_port, house
from made_dicom import study

from reread.analytics.errors import ArchiveRefused, ArchiveUnreachable
from reread.connectors.archive import FetchReport, FoundInstance, FoundStudy, StudyQuery
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.closing import CaseCloser
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.dimse import DimseArchive
from reread.connectors.intake import Intake
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_announcements import ProcedureStep
from reread.connectors.peers import Peer
from reread.connectors.poller import ShortStudy, Window, find_all, poll, query_of, slice_days, split_window
from reread.connectors.states import StepStatus

DAYS = st.dates(date(2000, 1, 1), date(2030, 12, 31))


@given(first=DAYS, length=st.integers(0, 4000))
def test_halves_cover_the_window_without_overlap(first, length):
    window = Window(first, first + timedelta(days=length))
    halves = split_window(window)
    if length:
        one, two = halves
        assert one.first == window.first and two.last == window.last
        assert two.first - one.last == timedelta(days=1)
    else:
        one, two = halves
        assert (one.first_second, two.last_second) == (0, 86399) and two.first_second == one.last_second + 1


def test_splitting_ends():
    window, count = Window(date(2026, 1, 1), date(2026, 12, 31)), 0
    while (halves := split_window(window)) is not None:
        window, count = halves[1], count + 1
    assert window.first_second == window.last_second and count < 30


@given(first=DAYS, length=st.integers(0, 400), days=st.integers(1, 40))
def test_slices_cover_every_day_once(first, length, days):
    parts = list(slice_days(Window(first, first + timedelta(days=length)), days))
    covered = [part.first + timedelta(days=n) for part in parts for n in range((part.last - part.first).days + 1)]
    assert sorted(covered) == [first + timedelta(days=n) for n in range(length + 1)]
    assert parts[0].last == first + timedelta(days=length)


def test_a_whole_day_is_asked_without_times():
    day = date(2026, 1, 2)
    assert query_of(Window(day, day), "MG").first_time is None
    assert query_of(Window(day, day, 0, 43199), "MG").last_time.isoformat() == "11:59:59"


class Stingy:
    """Answers at most `cap` studies; each has one image."""

    name = "stingy"

    def __init__(self, studies: dict[str, tuple[date, int]], cap: int, refuse: bool = False) -> None:
        self.studies, self.cap, self.refuse, self.asked = studies, cap, refuse, 0

    def find_studies(self, query: StudyQuery) -> Iterator[FoundStudy]:
        self.asked += 1
        begin, end = (
            (t.hour * 3600 + t.minute * 60 + t.second if t else bound)
            for t, bound in ((query.first_time, 0), (query.last_time, 86399))
        )
        hits = [
            uid
            for uid, (day, second) in self.studies.items()
            if query.first_date <= day <= query.last_date and begin <= second <= end
        ]
        if self.refuse and len(hits) > self.cap:
            raise ArchiveRefused("C-FIND", 0xA700)
        for uid in hits[: self.cap]:
            yield FoundStudy(uid, "", ("MG",), 1)


@pytest.mark.parametrize("refuse", [False, True])
@given(places=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 86399)), unique=True, max_size=40))
def test_nothing_is_lost_in_an_archive_that_cuts_off(refuse, places):
    studies = {f"1.{n}": (date(2026, 1, 1) + timedelta(days=day), second) for n, (day, second) in enumerate(places)}
    found, truncated = find_all(Stingy(studies, 3, refuse), Window(date(2026, 1, 1), date(2026, 1, 31)), "MG", 3)
    assert set(found) == set(studies) and not truncated


def test_what_cannot_be_split_is_reported():
    studies = {f"1.{n}": (date(2026, 1, 5), 60) for n in range(5)}
    found, truncated = find_all(Stingy(studies, 3), Window(date(2026, 1, 1), date(2026, 1, 31)), "MG", 3)
    assert len(found) == 3
    assert truncated == (Window(date(2026, 1, 5), date(2026, 1, 5), 60, 60),)


def test_our_server_that_cuts_off_is_read_to_its_end(tmp_path):
    for n in range(7):
        study(tmp_path / "pacs", 1, study=f"2.25.{n}", study_date=f"2026010{n + 1}")
    with ArchiveServer(tmp_path / "pacs", "PACS", [Peer("us", "REREAD", "127.0.0.1", 0)], max_find_results=2) as server:
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
        found, truncated = find_all(archive, Window(date(2026, 1, 1), date(2026, 1, 31)), "MG", 2)
    assert len(found) == 7 and not truncated


class Liar:
    """Says that everything was sent, and sends only the first file of a study until it is made honest."""

    name = "liar"
    honest = False

    def __init__(self, intake: Intake, files: dict[str, list]) -> None:
        self.intake, self.files, self.fetched = intake, files, []

    def find_studies(self, query: StudyQuery) -> Iterator[FoundStudy]:
        for uid, files in self.files.items():
            yield FoundStudy(uid, "20260102", ("MG",), len(files))

    def find_instances(self, study_instance_uid: str) -> tuple[FoundInstance, ...]:
        count = len(self.files[study_instance_uid])
        return tuple(FoundInstance(f"{study_instance_uid}.{n}", "2.25.9") for n in range(1, count + 1))

    def fetch_study(self, study_instance_uid: str, missing: Sequence[FoundInstance] = ()) -> FetchReport:
        if study_instance_uid == "2.25.66":
            raise ArchiveUnreachable("gone")
        self.fetched.append([item.sop_instance_uid for item in missing])
        files = self.files[study_instance_uid]
        for path in files if self.honest else files[:1]:
            self.intake.import_file(path, self.name)
        return FetchReport(study_instance_uid, len(files), 0, 0, 0x0000)


def test_an_incomplete_move_is_noticed_and_made_good(tmp_path):
    window = Window(date(2026, 1, 1), date(2026, 1, 31))
    with house(tmp_path) as node:
        files = {uid: study(tmp_path / "in", 4, study=uid) for uid in ("2.25.1", "2.25.66")}
        archive = Liar(node.listener.intake, files)
        report = poll(archive, node.ledger, window)
        assert (report.instances_wanted, report.instances_arrived) == (4, 1)
        assert report.incomplete == ("2.25.1",) and [uid for uid, _ in report.failed] == ["2.25.66"]
        assert report.short == (ShortStudy("2.25.1", 1, 4),)
        assert node.ledger.studies_to_measure() == ()
        archive.honest = True
        report = poll(archive, node.ledger, window)
        assert archive.fetched == [[], ["2.25.1.2", "2.25.1.3", "2.25.1.4"]]
        assert (report.instances_arrived, report.incomplete, report.short) == (3, (), ())
        (work,) = node.ledger.studies_to_measure()
        assert len(work.instances) == 4
        assert (work.closed_by, work.evidence) == ("archive_count", "instances of liar: 4 of 4")


def test_what_the_archive_has_and_never_sends_is_said_when_quiet_time_ends_it(tmp_path):
    window = Window(date(2026, 1, 1), date(2026, 1, 31))
    with house(tmp_path) as node:
        archive = Liar(node.listener.intake, {"2.25.1": study(tmp_path / "in", 4)})
        closer = CaseCloser(node.ledger, ClosingPolicy(ClosingRules(quiet_s=0.0)))
        for _ in range(2):
            assert poll(archive, node.ledger, window).short == (ShortStudy("2.25.1", 1, 4),)
        assert len(closer.close()) == 1
        (work,) = node.ledger.studies_to_measure()
        assert (work.closed_by, work.evidence) == ("quiet", "quiet for 0 s; liar has 4, 1 arrived")
        # it stays a problem of every night until it is made good
        assert poll(archive, node.ledger, window).short == (ShortStudy("2.25.1", 1, 4),)
        archive.honest = True
        assert poll(archive, node.ledger, window).short == ()
        (work,) = node.ledger.studies_to_measure()
        assert (work.revision, work.closed_by) == (2, "archive_count")
        assert node.ledger.open_cases() == ()


def test_a_count_does_not_close_what_the_modality_is_working_on(tmp_path):
    window = Window(date(2026, 1, 1), date(2026, 1, 31))
    with house(tmp_path) as node:
        archive = Liar(node.listener.intake, {"2.25.1": study(tmp_path / "in", 2)})
        archive.honest = True
        step = ProcedureStep("2.25.88.1", StepStatus.IN_PROGRESS, ("2.25.1",), "modality")
        node.ledger.create_step(step)
        assert poll(archive, node.ledger, window).incomplete == ()
        assert node.ledger.studies_to_measure() == ()
        arrived = frozenset({"2.25.1.1", "2.25.1.2"})
        node.ledger.change_step(
            "2.25.88.1", lambda step: replace(step, status=StepStatus.COMPLETED, instances=arrived, series_count=1)
        )
        assert len(CaseCloser(node.ledger).close()) == 1
        assert node.ledger.studies_to_measure()[0].closed_by == "procedure_step"


def test_an_archive_that_is_not_there(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", free_port()), "REREAD")
        with pytest.raises(ArchiveUnreachable, match="no answer"):
            poll(archive, ledger, Window(date(2026, 1, 1), date(2026, 1, 2)))


def test_move_to_an_unknown_destination_is_refused(tmp_path):
    study(tmp_path / "pacs", 1)
    with ArchiveServer(tmp_path / "pacs", "PACS", [Peer("us", "REREAD", "127.0.0.1", 0)]) as server:
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD", "NOBODY")
        with pytest.raises(ArchiveRefused, match="0xA801"):
            archive.fetch_study("2.25.1")
