"""A form that cannot be written, a destination that refuses: named, tried again, never doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_nights import NIGHT_FORMATS, night_plan, phantom_file, phantom_study, take_in

from reread.analytics.errors import AuthoringFailed
from reread.analytics.measurement import NAME
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_requeue import Selection
from reread.connectors.ledger_troubles import Step
from reread.connectors.ledger_unwritten import WRITING_ATTEMPTS
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer
from reread.connectors.results.capture import CaptureForm
from reread.connectors.states import DeliveryState, StudyState
from reread.connectors.warehouse import Warehouse
from reread.tasks.arrivals import Arrivals, close_complete
from reread.tasks.bookings import book_report
from reread.tasks.deliveries import Deliveries, deliver_results
from reread.tasks.nights import cut_night, summary
from reread.tasks.plans import Route
from reread.tasks.shards import run_shard

STUDY = "2.25.1001"
CAD, SHEET = NIGHT_FORMATS
REREAD = Peer("reread", "REREAD", "127.0.0.1", 11114)


class Site:
    """A plan with two destinations, its ledger, and nights without Prefect."""

    def __init__(self, data, one: ArchiveServer, other: ArchiveServer | None) -> None:
        peers = [Peer("one", "ONE", "127.0.0.1", one.port, commits=False)]
        peers += [Peer("other", "OTHER", "127.0.0.1", other.port if other else 1, commits=False)]
        plan = night_plan(data, *peers, sources=())
        self.plan = replace(
            plan,
            routes=(Route("import", ("one", "other"), NIGHT_FORMATS),),
            outbox=OutboxPolicy(retry_interval_s=0.0, retry_duration_s=3600.0),
        )
        Warehouse(self.plan.folders.warehouse).prepare()
        self.ledger = open_ledger(self.plan.ledger_url)
        self.runs = 0

    def measure(self):
        self.runs += 1
        outcomes = []
        for shard in cut_night(self.ledger, self.plan, f"run-{self.runs}"):
            report = run_shard(shard)
            book_report(self.ledger, self.plan, report, f"run-{self.runs}")
            outcomes += report.outcomes
        return outcomes

    def night(self):
        outcomes = self.measure()
        return summary(f"run-{self.runs}", Arrivals(0, 0, 0, ()), outcomes, (), deliver_results(self.plan))

    def state(self, revision=1):
        return self.ledger.study_work(STUDY, revision).state

    def rows(self):
        return Warehouse(self.plan.folders.warehouse).query("SELECT count(*) FROM studies").rows[0][0]


@pytest.fixture
def archives(tmp_path):
    with (
        ArchiveServer(tmp_path / "one", "ONE", (REREAD,)) as one,
        ArchiveServer(tmp_path / "other", "OTHER", (REREAD,)) as other,
    ):
        yield one, other


@pytest.fixture
def site(tmp_path, archives):
    made = Site(tmp_path / "data", *archives)
    with made.ledger:
        take_in(made.plan, made.ledger, phantom_study(tmp_path / "in", count=2))
        yield made


class Broken:
    """The secondary capture cannot be written until it is mended."""

    def __init__(self, monkeypatch) -> None:
        self.patch, self.asked = monkeypatch, 0
        real = CaptureForm.drafts

        def drafts(form, case):
            self.asked += 1
            if self.patch is not None:
                raise AuthoringFailed("no font for the title")
            return real(form, case)

        monkeypatch.setattr(CaptureForm, "drafts", drafts)

    def mend(self) -> None:
        self.patch = None


@pytest.fixture
def broken(monkeypatch):
    return Broken(monkeypatch)


def test_what_could_be_written_is_delivered_and_what_is_missing_has_its_name(site, broken):
    report = site.night()
    assert report.headline == (
        "0 studies found, 0 images fetched, 1 studies measured, 0 failed, "
        "1 with results that could not be written, 2 objects sent, 0 committed"
    )
    assert site.state() is StudyState.PARTIAL
    (missing,) = site.ledger.unwritten()
    assert (missing.study_instance_uid, missing.revision, missing.algorithm) == (STUDY, 1, NAME)
    assert (missing.form, missing.detail, missing.attempts, missing.given_up) == (
        SHEET, "no font for the title", 1, False,
    )  # fmt: skip
    (trouble,) = site.ledger.troubles()
    assert (trouble.step, trouble.what, trouble.detail, trouble.final) == (Step.WRITE, SHEET, missing.detail, False)
    assert len(site.ledger.measurements(STUDY, 1)) == 1  # the numbers are safe
    counts = site.ledger.counts()
    assert (counts.studies[StudyState.PARTIAL], counts.studies[StudyState.FAILED], counts.failures) == (1, 0, {})


def test_the_next_night_writes_the_missing_form_and_sends_nothing_twice(site, broken, archives):
    (first,) = site.night().outcomes
    (report,) = first.objects
    sent = report.path.read_bytes()
    broken.mend()
    night = site.night()
    assert (night.deliveries.sent, site.state()) == (2, StudyState.DELIVERED)
    assert site.ledger.unwritten() == site.ledger.troubles() == ()
    assert [d.attempts for d in site.ledger.deliveries()] == [1] * 4
    assert report.path.read_bytes() == sent  # what peers have under this UID is what we have
    assert [len(archive.stored_instances()) for archive in archives] == [2, 2]
    assert site.rows() == 1  # the numbers are not recorded again
    assert not list(site.plan.folders.results.rglob(".again"))
    third = site.night()
    assert (third.outcomes, third.deliveries.sent) == ((), 0)


def test_it_is_tried_a_bounded_number_of_times(site, broken):
    for night in range(1, WRITING_ATTEMPTS + 1):
        site.night()
        (missing,) = site.ledger.unwritten()
        assert (missing.attempts, missing.given_up) == (night, night == WRITING_ATTEMPTS)
        assert site.state() is StudyState.PARTIAL
    asked = broken.asked
    assert site.night().outcomes == () and broken.asked == asked
    assert site.ledger.troubles()[0].final
    assert [d.attempts for d in site.ledger.deliveries()] == [1, 1]


def test_a_form_that_the_route_does_not_ask_for_any_more_is_missed_no_more(site, broken):
    site.night()
    site.plan = replace(site.plan, routes=(Route("import", ("one", "other"), (CAD,)),))
    site.night()
    assert (site.state(), site.ledger.unwritten()) == (StudyState.DELIVERED, ())


def test_an_analysis_that_left_the_route_is_not_waited_for_for_ever(site, broken):
    site.night()
    site.ledger.note_unwritten(STUDY, 1, "a-model-of-yesterday", {CAD: "gone"})
    broken.mend()
    for _ in range(WRITING_ATTEMPTS):
        site.night()
    assert [(one.algorithm, one.given_up) for one in site.ledger.unwritten()] == [("a-model-of-yesterday", True)]
    assert site.state() is StudyState.PARTIAL
    assert site.measure() == []


def test_when_nothing_can_be_written_the_numbers_stay_and_it_is_tried_again(site, broken):
    site.plan = replace(site.plan, routes=(Route("import", (), (SHEET,)),))
    site.night()
    assert (site.state(), site.ledger.deliveries(), site.rows()) == (StudyState.PARTIAL, (), 1)
    broken.mend()
    site.night()
    assert (site.state(), site.rows()) == (StudyState.DELIVERED, 1)
    assert len(site.ledger.results_after(0, 10)[0]) == 1


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["note_written", "add_delivery", "note_unwritten", "finish_study"])
@pytest.mark.parametrize("which", [1, 2], ids=["first-night", "second-night"])
def test_a_crash_after_any_step_forgets_and_doubles_nothing(site, broken, monkeypatch, step, which):
    if which == 2:
        site.measure()
        broken.mend()
    real = getattr(type(site.ledger), step)

    def does_it_and_dies(self, *arguments, **named):
        real(self, *arguments, **named)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(type(site.ledger), step, does_it_and_dies)
        with pytest.raises(Crash):
            site.measure()
    site.ledger.recover()
    broken.mend()
    for _ in range(2):
        site.night()
    assert (site.state(), site.ledger.unwritten()) == (StudyState.DELIVERED, ())
    assert [d.attempts for d in site.ledger.deliveries()] == [1] * 4


def test_a_late_image_replaces_the_revision_and_what_it_missed(site, broken, tmp_path):
    site.night()
    take_in(site.plan, site.ledger, [phantom_file(tmp_path / "late.dcm", 9, view="MLO")], close=False)
    broken.mend()
    assert close_complete(site.ledger, site.plan) == 1
    (outcome,) = site.night().outcomes
    assert (outcome.revision, site.state(2)) == (2, StudyState.DELIVERED)
    assert [(one.revision, one.given_up) for one in site.ledger.unwritten()] == [(1, True)]
    assert site.state(1) is StudyState.PARTIAL


def test_a_destination_that_is_given_up_leaves_the_study_partial_not_measured_for_ever(site, archives):
    archives[1].stop()
    first = site.night()
    assert (first.deliveries.sent, first.deliveries.failed, site.state()) == (2, 2, StudyState.MEASURED)
    assert [(one.step, one.what, one.count, one.final) for one in site.ledger.troubles()] == [
        (Step.DELIVER, "other", 2, False)
    ]
    site.plan = replace(site.plan, outbox=OutboxPolicy(retry_interval_s=0.0, retry_duration_s=0.0))
    second = site.night()
    assert (second.deliveries.sent, second.deliveries.given_up, site.state()) == (0, 2, StudyState.PARTIAL)
    (trouble,) = site.ledger.troubles()
    assert (trouble.what, trouble.count, trouble.final) == ("other", 2, True)
    third = site.night()
    assert third.deliveries == Deliveries(0, 0, 0, 0, 0)
    states = {(d.destination, d.state, d.attempts) for d in site.ledger.deliveries()}
    assert states == {("one", DeliveryState.SENT, 1), ("other", DeliveryState.GIVEN_UP, 2)}


def test_a_study_whose_measuring_failed_stays_failed_and_is_not_called_partial(site, broken):
    (shard,) = cut_night(site.ledger, site.plan, "run-1")
    for instance in shard.works[0].instances:
        (site.plan.folders.spool / instance.path).write_bytes(b"")
    book_report(site.ledger, site.plan, run_shard(shard), "run-1")
    assert site.state() is StudyState.FAILED
    assert [(one.step, one.what) for one in site.ledger.troubles()] == [(Step.MEASURE, "empty_file")]
    assert site.measure() == []


def test_a_failed_study_that_is_put_back_is_measured_with_the_images_that_were_rejected(site):
    (shard,) = cut_night(site.ledger, site.plan, "run-1")
    places = [site.plan.folders.spool / instance.path for instance in shard.works[0].instances]
    whole = [place.read_bytes() for place in places]
    for place in places:
        place.write_bytes(place.read_bytes()[:-500])  # a disk that lost its end
    book_report(site.ledger, site.plan, run_shard(shard), "run-1")
    assert (site.state(), site.measure()) == (StudyState.FAILED, [])
    for place, content in zip(places, whole, strict=True):
        place.write_bytes(content)
    (item,) = site.ledger.requeue(Selection(reason="truncated"), "admin")
    assert (item.measure, item.images) == (True, 2)
    (outcome,) = site.night().outcomes
    assert (outcome.failure, outcome.views, site.state()) == (None, "R CC, L CC", StudyState.DELIVERED)
    assert site.ledger.instance_reasons() == ()


def test_what_was_given_up_goes_out_when_it_is_put_back(site, broken, archives):
    archives[1].stop()
    site.plan = replace(site.plan, outbox=OutboxPolicy(retry_interval_s=0.0, retry_duration_s=0.0))
    for _ in range(WRITING_ATTEMPTS):
        site.night()
    assert {one.final for one in site.ledger.troubles()} == {True}
    broken.mend()
    archives[1].start()
    assert site.night().deliveries == Deliveries(0, 0, 0, 0, 0)
    site.plan = replace(
        site.plan,
        destinations=(
            site.plan.destinations[0],
            replace(site.plan.destinations[1], port=archives[1].port),
        ),
    )
    (item,) = site.ledger.requeue(Selection(), "admin")
    assert (item.forms, item.deliveries, item.measure) == ((SHEET,), 1, False)
    site.night()
    assert (site.state(), site.ledger.troubles()) == (StudyState.DELIVERED, ())
    assert [len(archive.stored_instances()) for archive in archives] == [2, 2]
    sent = {(d.destination, d.attempts) for d in site.ledger.deliveries()}
    assert sent == {("one", 1), ("other", 2), ("other", 1)}  # the second object is new
