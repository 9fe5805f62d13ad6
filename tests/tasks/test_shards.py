"""Shards: every study exactly once, small enough to lose, and a run that leaves files and rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_nights import NIGHT_FORMATS, PATIENT_ID, PATIENT_NAME, night_plan, phantom_file, phantom_study, take_in

from reread.analytics.errors import RereadError
from reread.analytics.measurement import NAME
from reread.analytics.reasons import Reason
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_records import StudyWork
from reread.connectors.mammograms import ReadLimits
from reread.connectors.picture_files import picture_path
from reread.connectors.results.recipients import Recipient, Writing
from reread.connectors.warehouse import Warehouse
from reread.tasks.nights import cut_night
from reread.tasks.plans import Folders
from reread.tasks.shards import Shard, cut_shards, probe_image, run_shard

WRITINGS = (Writing((Recipient("", ("a",)),)), Writing((Recipient("", ("b",)),)))


def works_of(count: int) -> tuple[StudyWork, ...]:
    return tuple(StudyWork(f"2.25.{number}", 1, "woman", "", ()) for number in range(count))


def cut(count: int, studies_per_shard: int, workers: int) -> tuple[Shard, ...]:
    # each study has a writing that names it, to see that the two stay together
    writings = tuple(WRITINGS[number % 2] for number in range(count))
    return cut_shards(
        works_of(count),
        writings,
        run_id="run",
        folders=Folders(Path("data")),
        limits=ReadLimits(),
        studies_per_shard=studies_per_shard,
        workers=workers,
    )


@given(st.integers(0, 400), st.integers(1, 60), st.integers(1, 16))
def test_every_study_is_in_exactly_one_shard_in_order(count, studies_per_shard, workers):
    shards = cut(count, studies_per_shard, workers)
    works = [work for shard in shards for work in shard.works]
    assert works == list(works_of(count))
    assert [writing for shard in shards for writing in shard.writings] == [WRITINGS[n % 2] for n in range(count)]
    assert all(1 <= len(shard.works) <= studies_per_shard for shard in shards)
    assert len({shard.name for shard in shards}) == len(shards)
    assert sorted(shard.name for shard in shards) == [shard.name for shard in shards]
    if count >= workers:
        assert len(shards) >= workers  # nobody is idle


@pytest.mark.parametrize(("studies_per_shard", "workers"), [(0, 1), (1, 0), (-1, 2)])
def test_nonsense_is_refused(studies_per_shard, workers):
    with pytest.raises(RereadError, match="at least one"):
        cut(3, studies_per_shard, workers)


@given(st.integers(0, 40))
def test_halves_split_until_one_study_is_left(count):
    whole = replace(cut(1, 1, 1)[0], works=works_of(count), writings=WRITINGS[:1] * count)
    waiting, alone = [whole], []
    while waiting:
        shard = waiting.pop(0)
        parts = shard.halves()
        if parts:
            assert parts[0].works + parts[1].works == shard.works
            waiting += parts
        else:
            alone.append(shard)
    assert sorted(work.study_instance_uid for shard in alone for work in shard.works) == sorted(
        work.study_instance_uid for work in whole.works
    )
    assert all(len(shard.works) == len(shard.writings) for shard in alone)
    assert len({shard.name for shard in alone}) == len(alone)  # each has a Parquet part of its own


@pytest.fixture
def plan(tmp_path):
    made = night_plan(tmp_path / "data")
    Warehouse(made.folders.warehouse).prepare()
    return made


def one_shard(plan, files) -> Shard:
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, files)
        shards = cut_night(ledger, replace(plan, studies_per_shard=50), "run-1")
    works = tuple(work for shard in shards for work in shard.works)
    return replace(shards[0], works=works, writings=tuple(item for shard in shards for item in shard.writings))


def test_a_shard_leaves_rows_objects_and_pictures(plan, tmp_path):
    files = phantom_study(tmp_path / "in", count=4)
    cut_off = phantom_file(tmp_path / "in" / "cut.dcm", 9, view="MLO")
    shard = one_shard(plan, [*files, cut_off])
    spooled = {instance.sop_instance_uid: instance for instance in shard.works[0].instances}
    # what rots in the spool after it was admitted
    rotten = plan.folders.spool / spooled["2.25.1001.9"].path
    rotten.write_bytes(rotten.read_bytes()[:5000])

    (outcome,) = run_shard(shard).outcomes
    assert outcome.failure is None
    assert outcome.views == "R CC, L CC, R MLO, L MLO"
    assert outcome.source == "import"
    assert outcome.seconds > 0
    assert 0 < outcome.percent_density < 100
    ((refused),) = outcome.rejected
    assert (refused.reason, refused.sop_instance_uid) == (Reason.TRUNCATED, "2.25.1001.9")
    assert not Path(refused.path).is_absolute()
    assert [item.format for item in outcome.objects] == list(NIGHT_FORMATS)
    assert all(item.path.is_file() and item.path.is_relative_to(plan.folders.results) for item in outcome.objects)
    for uid in spooled.keys() - {"2.25.1001.9"}:
        assert picture_path(plan.folders.pictures, "2.25.1001", NAME, uid).read_bytes()[:2] == b"\xff\xd8"

    store = Warehouse(plan.folders.warehouse)
    rows = store.query("SELECT status, reason, count(*) FROM images GROUP BY ALL ORDER BY 1").rows
    assert rows == (("measured", None, 4), ("rejected", "truncated", 1))
    assert store.query("SELECT DISTINCT run_id FROM studies").rows == (("run-1",),)
    for path in plan.folders.warehouse.rglob("*.parquet"):
        content = path.read_bytes()
        assert PATIENT_NAME.encode() not in content
        assert PATIENT_ID.encode() not in content

    run_shard(shard)  # a repetition replaces, it does not add
    assert store.query("SELECT count(*) FROM images").rows == ((5,),)


def test_an_image_that_killed_a_worker_is_named_and_not_measured(plan, tmp_path):
    shard = one_shard(plan, phantom_study(tmp_path / "in", count=2))
    (outcome,) = run_shard(replace(shard, deadly=("2.25.1001.1",))).outcomes
    assert outcome.views == "L CC"
    assert [(image.reason, image.sop_instance_uid) for image in outcome.rejected] == [
        (Reason.WORKER_DIED, "2.25.1001.1")
    ]


def test_two_patients_in_a_study_are_never_combined(plan, tmp_path):
    mine = phantom_file(tmp_path / "in" / "a.dcm", 1)
    other = phantom_file(tmp_path / "in" / "b.dcm", 2, patient="T-2")
    outcomes = run_shard(one_shard(plan, [mine, other])).outcomes
    assert len(outcomes) == 2
    assert {outcome.failure for outcome in outcomes} == {Reason.TWO_PATIENTS}
    assert [image.reason for outcome in outcomes for image in outcome.rejected] == [Reason.TWO_PATIENTS] * 2
    assert not any(outcome.objects for outcome in outcomes)
    rows = Warehouse(plan.folders.warehouse).query("SELECT DISTINCT status, reason FROM images").rows
    assert rows == (("rejected", "two_patients_in_study"),)


def test_a_study_with_nothing_measurable_fails_with_the_reason_of_its_image(plan, tmp_path):
    shard = one_shard(plan, phantom_study(tmp_path / "in", count=1))
    for instance in shard.works[0].instances:
        (plan.folders.spool / instance.path).write_bytes(b"")
    (outcome,) = run_shard(shard).outcomes
    assert (outcome.failure, outcome.views, outcome.objects) == (Reason.EMPTY, "", ())


def test_a_probe_survives_bad_input(plan, tmp_path):
    shard = one_shard(plan, phantom_study(tmp_path / "in", count=1))
    (instance,) = shard.works[0].instances
    assert probe_image.fn(shard, instance) is True
    (plan.folders.spool / instance.path).write_bytes(b"junk")
    assert probe_image.fn(shard, instance) is True
