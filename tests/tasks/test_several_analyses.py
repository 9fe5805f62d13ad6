"""Several analyses on one route: each by itself, whatever becomes of the other."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from distributed import KilledWorker
from made_nights import NIGHT_FORMATS, night_plan, phantom_study, take_in
from pydicom import dcmread

pytest.importorskip("onnx", reason="the test makes its models with onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
from made_models import bright_spots, described

from reread.analytics.measurement import NAME
from reread.analytics.reasons import Reason
from reread.analytics.schema import TABLES
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.connectors.picture_files import picture_path
from reread.connectors.states import DeliveryState, InstanceState, StudyState
from reread.connectors.warehouse import Warehouse
from reread.deployments.model_settings import read_model
from reread.tasks import bookings, rereading
from reread.tasks.bookings import book_report
from reread.tasks.nights import cut_night
from reread.tasks.plans import Route, load_plan, measurement_of
from reread.tasks.settling import settle
from reread.tasks.shards import probe_image, run_shard

PACS = Peer("pacs", "PACS", "127.0.0.1", 11112, commits=False)
STUDY = "2.25.1001"
CHANGES_BY_DESIGN = ["run_id", "recorded_at", "seconds"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    spots = bright_spots(tmp_path_factory.mktemp("model") / "spots.onnx", above=0.3)
    return read_model(described(spots, output='kind = "heat-map"\nmarks_from = [0.4, 0.2, 0.1]'))


@pytest.fixture
def plan(tmp_path, model):
    made = plan_with(tmp_path / "data", None, model)
    assert load_plan(made.save()) == made
    return made


@pytest.fixture
def ledger(plan):
    with open_ledger(plan.ledger_url) as opened:
        yield opened


def plan_with(data, *models):
    made = night_plan(data, PACS, routes=(Route("import", ("pacs",), NIGHT_FORMATS, models),))
    Warehouse(made.folders.warehouse).prepare()
    return made


def state(ledger):
    return ledger.study_work(STUDY, 1).state


def send_everything(ledger):
    for delivery in ledger.mark_sending(d for d in ledger.deliveries() if d.state is DeliveryState.PENDING):
        ledger.mark_sent(delivery.sop_instance_uid, delivery.destination)


def measured_alone(data, files, model, key) -> dict:
    """The tables of one analysis that has the route for itself, at a site with the same key of pseudonyms."""
    plan = plan_with(data, model)
    shutil.copy(key, plan.folders.pseudonym_key)
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, files)
        (shard,) = cut_night(ledger, plan, "run-1")
        run_shard(shard)
    return recorded(plan, measurement_of(model).algorithm)


def recorded(plan, algorithm) -> dict:
    found = {}
    for name in TABLES:
        rows = pq.read_table(plan.folders.warehouse / name, schema=TABLES[name]).to_pylist()
        mine = [row for row in rows if row["algorithm"] == algorithm]
        found[name] = [{key: row[key] for key in row if key not in CHANGES_BY_DESIGN} for row in mine]
    return found


def test_the_pixels_are_read_once_and_neither_analysis_sees_the_other(plan, ledger, model, tmp_path, monkeypatch):
    read = []
    reader = rereading.read_mammogram
    monkeypatch.setattr(rereading, "read_mammogram", lambda path, **how: read.append(path) or reader(path, **how))
    files = phantom_study(tmp_path / "in", count=2)
    take_in(plan, ledger, files)
    (shard,) = cut_night(ledger, plan, "run-1")
    assert shard.models == (None, model)
    built_in, own = run_shard(shard).outcomes
    assert len(read) == len(set(read)) == 2
    assert (built_in.provenance.algorithm, own.provenance.algorithm) == (NAME, "my-model")
    assert built_in.failure is own.failure is None
    for which in (None, model):
        name = measurement_of(which).algorithm
        alone = measured_alone(tmp_path / f"alone-{name}", files, which, plan.folders.pseudonym_key)
        assert alone["findings"], name
        assert recorded(plan, name) == alone


def test_objects_and_pictures_lie_side_by_side(plan, ledger, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=2))
    (shard,) = cut_night(ledger, plan, "run-1")
    built_in, own = run_shard(shard).outcomes
    written = [*built_in.objects, *own.objects]
    assert [item.format for item in written] == list(NIGHT_FORMATS) * 2
    assert len({item.path for item in written}) == len({item.sop_instance_uid for item in written}) == 4
    assert len({item.series_instance_uid for item in written}) == 4
    versions = [dcmread(item.path).SoftwareVersions for item in written]
    assert versions[0] == versions[1] != versions[2] == versions[3]
    for number in (1, 2):
        one, other = (
            picture_path(plan.folders.pictures, STUDY, algorithm, f"{STUDY}.{number}")
            for algorithm in (NAME, "my-model")
        )
        assert one.read_bytes()[:2] == other.read_bytes()[:2] == b"\xff\xd8"
        assert one.read_bytes() != other.read_bytes()  # each with the marks of its own


def test_a_study_is_measured_when_the_last_analysis_is(plan, ledger, model, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=1))
    (shard,) = cut_night(ledger, plan, "run-1")
    first, second = shard.halves()
    assert (first.models, second.models) == ((None,), (model,))
    book_report(ledger, plan, run_shard(first), "run-1")
    assert state(ledger) is StudyState.MEASURING
    send_everything(ledger)  # the results of the first need not wait
    assert state(ledger) is StudyState.MEASURING
    book_report(ledger, plan, run_shard(second), "run-1")
    assert state(ledger) is StudyState.MEASURED
    send_everything(ledger)
    assert state(ledger) is StudyState.DELIVERED
    assert len(ledger.deliveries()) == 4


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_between_the_two_repeats_only_the_second(plan, ledger, model, tmp_path, monkeypatch):
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=2))
    (shard,) = cut_night(ledger, plan, "run-1")
    report = run_shard(shard)
    booked = bookings._book_study

    def dies_at_the_model(to, by, outcome, run_id):
        if outcome.provenance.algorithm == "my-model":
            raise Crash
        booked(to, by, outcome, run_id)

    monkeypatch.setattr(bookings, "_book_study", dies_at_the_model)
    with pytest.raises(Crash):
        book_report(ledger, plan, report, "run-1")
    monkeypatch.undo()
    assert ledger.measurements(STUDY, 1) == {measurement_of(None)}
    send_everything(ledger)
    assert ledger.recover().studies == 1

    (rest,) = cut_night(ledger, plan, "run-2")
    assert rest.models == (model,)
    book_report(ledger, plan, run_shard(rest), "run-2")
    assert ledger.measurements(STUDY, 1) == {measurement_of(None), measurement_of(model)}
    assert state(ledger) is StudyState.MEASURED
    send_everything(ledger)
    assert state(ledger) is StudyState.DELIVERED
    assert [(d.state, d.attempts) for d in ledger.deliveries()] == [(DeliveryState.SENT, 1)] * 4
    store = Warehouse(plan.folders.warehouse)
    assert store.query("SELECT algorithm, run_id FROM current_studies ORDER BY 1").rows == (
        ("my-model", "run-2"),
        (NAME, "run-1"),
    )


@pytest.mark.parametrize("step", ["note_written", "add_delivery", "add_measurement", "finish_study", "mark_delivered"])
def test_a_crash_after_any_step_of_booking_loses_and_doubles_nothing(plan, ledger, step, tmp_path, monkeypatch):
    if step == "mark_delivered":
        plan = replace(plan, routes=(replace(plan.routes[0], destinations=()),))
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=1))
    (shard,) = cut_night(ledger, plan, "run-1")
    real = getattr(type(ledger), step)

    def does_it_and_dies(self, *arguments, **named):
        real(self, *arguments, **named)
        raise Crash

    monkeypatch.setattr(type(ledger), step, does_it_and_dies)
    with pytest.raises(Crash):
        book_report(ledger, plan, run_shard(shard), "run-1")
    monkeypatch.undo()
    ledger.recover()
    for rest in cut_night(ledger, plan, "run-2"):
        book_report(ledger, plan, run_shard(rest), "run-2")
    send_everything(ledger)
    assert state(ledger) is StudyState.DELIVERED
    assert len(ledger.measurements(STUDY, 1)) == 2
    assert len(ledger.deliveries()) == (0 if step == "mark_delivered" else 4)
    assert len(ledger.results_after(0, 10)[0]) == 4


def test_a_crash_after_both_were_noted_finishes_the_study_without_measuring(plan, ledger, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=1))
    cut_night(ledger, plan, "run-1")
    for done in plan.route_of("import").measurements:
        ledger.add_measurement(
            STUDY, 1, algorithm=done.algorithm, version=done.version, parameters_digest=done.parameters_digest
        )
    ledger.recover()
    assert cut_night(ledger, plan, "run-2") == ()
    assert state(ledger) is StudyState.DELIVERED  # nothing was to be sent


class Answer:
    """A future of a task that ran here, in a worker that some analyses kill or make raise."""

    def __init__(self, work) -> None:
        self.work = work

    def result(self, *, raise_on_failure: bool = True) -> object:
        try:
            return self.work()
        except ValueError as error:
            return error


def settle_with(plan, ledger, shards, run_id, *, kills=(), raises=()):
    """Bring shards to reports where these models kill their worker or raise, and book them."""

    def checked(shard, work):
        if set(shard.models) & set(kills):
            raise KilledWorker("reread-shard", None, 1)
        if set(shard.models) & set(raises):
            raise ValueError("an error of its own")
        return work()

    def submit(shard):
        named = {i.sop_instance_uid for w in shard.works for i in w.instances} == set(shard.deadly)
        return Answer(lambda: run_shard(shard) if named else checked(shard, lambda: run_shard(shard)))

    def probe(shard, instance):
        return Answer(lambda: checked(shard, lambda: probe_image.fn(shard, instance)))

    settle(shards, submit, probe, lambda report: book_report(ledger, plan, report, run_id))


@pytest.mark.parametrize("how", ["kills", "raises"])
@pytest.mark.parametrize("culprit", ["built-in", "model"])
def test_an_analysis_that_fails_does_not_lose_the_other(plan, ledger, model, tmp_path, how, culprit):
    bad, good = (None, model) if culprit == "built-in" else (model, None)
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=2))
    shards = cut_night(ledger, plan, "run-1")
    settle_with(plan, ledger, shards, "run-1", **{how: (bad,)})
    assert ledger.measurements(STUDY, 1) == {measurement_of(good)}
    assert state(ledger) is StudyState.FAILED
    reason = Reason.WORKER_DIED if how == "kills" else Reason.MEASUREMENT_FAILED
    assert ledger.counts().failures == {reason.value: 1}
    # nothing is wrong with the images, and the results of the other are on their way
    assert ledger.counts().instances[InstanceState.RECEIVED] == 2
    send_everything(ledger)
    assert [d.state for d in ledger.deliveries()] == [DeliveryState.SENT] * 2
    assert state(ledger) is StudyState.FAILED
    # whoever mended the cause measures the missing one only
    ledger.requeue_study(STUDY, 1)
    (rest,) = cut_night(ledger, plan, "run-2")
    assert rest.models == (bad,)
    book_report(ledger, plan, run_shard(rest), "run-2")
    send_everything(ledger)
    assert state(ledger) is StudyState.DELIVERED
    assert len(ledger.deliveries()) == 4


def test_what_nobody_can_read_fails_once_with_one_reason(plan, ledger, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path / "in", count=1))
    (shard,) = cut_night(ledger, plan, "run-1")
    rotten = plan.folders.spool / shard.works[0].instances[0].path
    rotten.write_bytes(rotten.read_bytes()[:-500])
    report = run_shard(shard)
    assert [outcome.failure for outcome in report.outcomes] == [Reason.TRUNCATED] * 2
    book_report(ledger, plan, report, "run-1")
    assert ledger.counts().failures == {Reason.TRUNCATED.value: 1}
    assert ledger.counts().instances[InstanceState.REJECTED] == 1
    assert ledger.measurements(STUDY, 1) == frozenset()


def test_studies_with_different_rests_have_shards_of_their_own(plan, ledger, model, tmp_path):
    take_in(plan, ledger, phantom_study(tmp_path / "in", "2.25.1", 1) + phantom_study(tmp_path / "in", "2.25.2", 1))
    done = measurement_of(None)
    ledger.start_studies(["2.25.1"], "run-0")
    ledger.add_measurement(
        "2.25.1", 1, algorithm=done.algorithm, version=done.version, parameters_digest=done.parameters_digest
    )
    ledger.recover()
    shards = cut_night(ledger, plan, "run-1")
    assert {shard.works[0].study_instance_uid: shard.models for shard in shards} == {
        "2.25.1": (model,),
        "2.25.2": (None, model),
    }
    assert len({shard.name for shard in shards}) == 2  # a Parquet part each
