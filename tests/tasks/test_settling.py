"""Settling: a dead worker costs the image that killed it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from distributed import KilledWorker
from hypothesis import given
from hypothesis import strategies as st
from made_studies import PROVENANCE

from reread.analytics.model_input import InputPreparation
from reread.analytics.model_output import OutputKind, OutputMapping
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage
from reread.connectors.ledger_records import Instance, StudyWork
from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.connectors.results.recipients import Recipient, Writing
from reread.tasks.outcomes import StudyOutcome, provenance_of
from reread.tasks.plans import Folders
from reread.tasks.settling import settle
from reread.tasks.shards import Shard, ShardReport


def instance(uid: str) -> Instance:
    return Instance(uid, "", "", uid.rsplit(".", 1)[0], "woman", "", "MG", "", "", 0, "", "pacs")


def shard_of(*sizes: int) -> Shard:
    works = tuple(
        StudyWork(f"2.25.{n}", 1, "woman", "", tuple(instance(f"2.25.{n}.{k}") for k in range(size)))
        for n, size in enumerate(sizes)
    )
    return Shard(
        "00000", "run", Folders(Path("data")), works, (Writing((Recipient("", ()),)),) * len(works), ReadLimits()
    )


def own_model(name: str) -> OnnxModel:
    output = OutputMapping(OutputKind.IMAGE_SCORE)
    return OnnxModel(name, "1", Path("none.onnx"), "0" * 64, InputPreparation(32, 32), output)


class Settled:
    """A future that is done.

    Killing real workers costs seconds for each death and this logic has many deaths; that Dask and Prefect do
    answer like this (KilledWorker out of `result`, the task's own exception as a value) is what the flow test sees.
    """

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def result(self, *, raise_on_failure: bool = True) -> object:
        assert raise_on_failure is False
        if isinstance(self.answer, KilledWorker):
            raise self.answer
        return self.answer


class Cluster:
    """Workers that die on the images named `poison`, and tasks that raise on the studies named `cursed`."""

    def __init__(self, poison: set[str] = frozenset(), cursed: set[str] = frozenset()) -> None:
        self.poison, self.cursed = poison, cursed
        self.probed: list[str] = []
        self.deaths = 0
        self.reports: list[ShardReport] = []

    def settle(self, *shards: Shard) -> dict[str, StudyOutcome]:
        settle(shards, self.submit, self.probe, self.reports.append)
        outcomes = [outcome for report in self.reports for outcome in report.outcomes]
        found = {outcome.study_instance_uid: outcome for outcome in outcomes}
        assert len(found) == len(outcomes), "a study was settled twice"
        return found

    def submit(self, shard: Shard) -> Settled:
        uids = {i.sop_instance_uid for work in shard.works for i in work.instances} - set(shard.deadly)
        if uids & self.poison:
            return self.death()
        if self.cursed & {work.study_instance_uid for work in shard.works}:
            return Settled(ValueError("cursed"))
        return Settled(ShardReport(tuple(self.measured(work, shard) for work in shard.works)))

    def probe(self, shard: Shard, one: Instance) -> Settled:
        self.probed.append(one.sop_instance_uid)
        return self.death() if one.sop_instance_uid in self.poison else Settled(True)

    def death(self) -> Settled:
        self.deaths += 1
        return Settled(KilledWorker("reread-shard", None, 1))

    @staticmethod
    def measured(work: StudyWork, shard: Shard) -> StudyOutcome:
        rejected = tuple(
            RejectedImage("", Reason.WORKER_DIED, "", i.sop_instance_uid)
            for i in work.instances
            if i.sop_instance_uid in shard.deadly
        )
        return StudyOutcome(work.study_instance_uid, work.revision, work.woman, "pacs", PROVENANCE, rejected=rejected)


def test_without_deaths_each_shard_is_settled_once():
    cluster = Cluster()
    found = cluster.settle(shard_of(2, 2))
    assert list(found) == ["2.25.0", "2.25.1"]
    assert len(cluster.reports) == 1
    assert cluster.probed == []


def test_the_poison_image_is_named_and_its_neighbours_are_measured():
    cluster = Cluster(poison={"2.25.2.1"})
    found = cluster.settle(shard_of(4, 4, 4, 4, 4))
    assert {uid for uid, outcome in found.items() if outcome.failure is None} == {f"2.25.{n}" for n in range(5)}
    assert {uid: [i.sop_instance_uid for i in o.rejected] for uid, o in found.items() if o.rejected} == {
        "2.25.2": ["2.25.2.1"]
    }
    assert found["2.25.2"].rejected[0].reason is Reason.WORKER_DIED
    # only the images of the one study were tried alone
    assert cluster.probed == [f"2.25.2.{k}" for k in range(4)]


def test_a_study_that_kills_though_each_image_alone_does_not_is_given_up():
    class Moody(Cluster):
        def probe(self, shard: Shard, one: Instance) -> Settled:
            return Settled(True)

    found = Moody(poison={"2.25.0.0"}).settle(shard_of(2, 1))
    assert found["2.25.0"].failure is Reason.WORKER_DIED
    assert found["2.25.0"].detail == "KilledWorker"
    assert found["2.25.0"].source == "pacs"
    assert found["2.25.1"].failure is None


def test_whoever_was_on_the_same_worker_is_not_blamed():
    class Crowded(Cluster):
        """One worker that has everything at once: a death is that of all that is not done."""

        def __init__(self, poison: set[str]) -> None:
            super().__init__(poison)
            self.there: list[Answer] = []

        def submit(self, shard: Shard) -> Settled:
            return Answer(self, super().submit(shard).answer)

        def probe(self, shard: Shard, one: Instance) -> Settled:
            assert all(answer.done for answer in self.there), "probed beside others"
            return Answer(self, super().probe(shard, one).answer)

    class Answer(Settled):
        def __init__(self, cluster: Crowded, answer: object) -> None:
            super().__init__(answer)
            self.cluster, self.done = cluster, False
            cluster.there.append(self)

        def result(self, *, raise_on_failure: bool = True) -> object:
            undone = [other for other in self.cluster.there if not other.done]
            deaths = [other.answer for other in undone if isinstance(other.answer, KilledWorker)]
            for other in undone if deaths else [self]:
                other.done = True
                other.answer = deaths[0] if deaths else other.answer
            return super().result(raise_on_failure=raise_on_failure)

    found = Crowded(poison={"2.25.1.0", "2.25.4.1"}).settle(*(shard_of(2, 2, 2, 2, 2, 2).halves()))
    assert {uid: [i.sop_instance_uid for i in o.rejected] for uid, o in found.items()} == {
        **{f"2.25.{n}": [] for n in range(6)},
        "2.25.1": ["2.25.1.0"],
        "2.25.4": ["2.25.4.1"],
    }
    assert all(outcome.failure is None for outcome in found.values())


def test_a_worker_that_keeps_dying_comes_to_an_end():
    class Deadly(Cluster):
        def submit(self, shard: Shard) -> Settled:
            return self.death()

    cluster = Deadly(poison={"2.25.0.0"})
    found = cluster.settle(shard_of(2))
    assert found["2.25.0"].failure is Reason.WORKER_DIED
    assert cluster.deaths == 3  # the shard, the probe, the shard without the image


def test_an_exception_becomes_a_failed_outcome_of_its_study_alone():
    cluster = Cluster(cursed={"2.25.1"})
    found = cluster.settle(shard_of(1, 1, 1))
    assert {uid: outcome.failure for uid, outcome in found.items()} == {
        "2.25.0": None,
        "2.25.1": Reason.MEASUREMENT_FAILED,
        "2.25.2": None,
    }
    assert found["2.25.1"].detail == "ValueError: cursed"
    assert cluster.probed == []


@pytest.mark.parametrize("answer", [None, "not a report", RuntimeError("x" * 500)])
def test_whatever_comes_back_the_night_goes_on(answer):
    class Strange(Cluster):
        def submit(self, shard: Shard) -> Settled:
            return Settled(answer)

    found = Strange().settle(shard_of(1))
    assert found["2.25.0"].failure is Reason.MEASUREMENT_FAILED
    assert len(found["2.25.0"].detail) <= 200


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=12),
    st.sets(st.tuples(st.integers(0, 11), st.integers(0, 2)), max_size=4),
)
def test_whichever_images_kill_they_alone_are_lost(sizes, places):
    poison = {f"2.25.{n}.{k}" for n, k in places if n < len(sizes) and k < sizes[n]}
    found = Cluster(poison=poison).settle(shard_of(*sizes))
    assert set(found) == {f"2.25.{n}" for n in range(len(sizes))}
    assert {i.sop_instance_uid for outcome in found.values() for i in outcome.rejected} == poison
    assert all(outcome.failure is None for outcome in found.values())


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
    st.integers(1, 3),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2)), max_size=4),
)
def test_whichever_analyses_kill_on_whichever_images_they_alone_are_lost(sizes, analyses, places):
    models = (None, own_model("a"), own_model("b"))[:analyses]
    names = [analysis_of(model).name for model in models]
    poison = {
        (f"2.25.{n}.{k}", models[which])
        for n, k, which in places
        if n < len(sizes) and k < sizes[n] and which < analyses
    }

    class Picky(Cluster):
        def submit(self, shard: Shard) -> Settled:
            uids = {i.sop_instance_uid for work in shard.works for i in work.instances} - set(shard.deadly)
            if poison & set(product(uids, shard.models)):
                return self.death()
            return Settled(
                ShardReport(
                    tuple(
                        replace(self.measured(work, shard), provenance=provenance_of(analysis_of(model), "run"))
                        for work in shard.works
                        for model in shard.models
                    )
                )
            )

        def probe(self, shard: Shard, one: Instance) -> Settled:
            return self.death() if poison & set(product([one.sop_instance_uid], shard.models)) else Settled(True)

    cluster = Picky()
    settle((replace(shard_of(*sizes), models=models),), cluster.submit, cluster.probe, cluster.reports.append)
    outcomes = [outcome for report in cluster.reports for outcome in report.outcomes]
    keys = [(outcome.study_instance_uid, outcome.provenance.algorithm) for outcome in outcomes]
    assert sorted(keys) == sorted(product([f"2.25.{n}" for n in range(len(sizes))], names))
    lost = {(image.sop_instance_uid, o.provenance.algorithm) for o in outcomes for image in o.rejected}
    assert lost == {(uid, analysis_of(model).name) for uid, model in poison}
