"""The beginning and the end of a night."""

from __future__ import annotations

from dataclasses import replace

from made_nights import night_plan, phantom_study, take_in
from made_studies import PROVENANCE

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.reasons import Reason
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.ledger import open_ledger
from reread.connectors.results.authoring import ResultFormat
from reread.connectors.results.recipients import Recipient, Writing
from reread.connectors.states import StudyState
from reread.tasks.arrivals import Arrivals, close_complete
from reread.tasks.deliveries import Deliveries
from reread.tasks.nights import cut_night, summary
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.plans import Route


def uids(shards):
    return [work.study_instance_uid for shard in shards for work in shard.works]


def test_only_complete_studies_are_claimed_and_only_once(tmp_path):
    plan = night_plan(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 1))
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.2", 1), close=False)
        assert uids(cut_night(ledger, plan, "run-1")) == ["2.25.1"]
        assert ledger.study_work("2.25.1", 1).state is StudyState.MEASURING
        assert cut_night(ledger, plan, "run-2") == ()
        assert close_complete(ledger, replace(plan, closing=ClosingPolicy(ClosingRules(quiet_s=3600)))) == 0
        assert close_complete(ledger, plan) == 1
        assert uids(cut_night(ledger, plan, "run-3")) == ["2.25.2"]


def test_what_a_crash_left_is_claimed_again(tmp_path):
    plan = night_plan(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 1))
        cut_night(ledger, plan, "run-1")
        ledger.recover()
        assert uids(cut_night(ledger, plan, "run-2")) == ["2.25.1"]


def test_what_this_version_measured_is_not_measured_again(tmp_path):
    plan = night_plan(tmp_path / "data")
    analysis = MammographyAnalysis()
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 1))
        cut_night(ledger, plan, "run-1")
        key = {"algorithm": analysis.name, "parameters_digest": analysis.parameters_digest}
        ledger.finish_study("2.25.1", 1, version=analysis.version, **key)
        ledger.requeue_study("2.25.1", 1)
        assert cut_night(ledger, plan, "run-2") == ()
        assert ledger.study_work("2.25.1", 1).state is StudyState.DELIVERED  # nothing goes anywhere
    with open_ledger(f"sqlite:///{tmp_path / 'other.sqlite'}") as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 1))
        cut_night(ledger, plan, "run-1")
        ledger.finish_study("2.25.1", 1, version="0.0.1-older", **key)
        ledger.requeue_study("2.25.1", 1)
        assert uids(cut_night(ledger, plan, "run-2")) == ["2.25.1"]


def test_the_route_of_the_source_says_what_is_written(tmp_path):
    plan = night_plan(tmp_path / "data", routes=(Route("import", (), (ResultFormat.CAD_SR,)),))
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 1))
        (shard,) = cut_night(ledger, plan, "run-1")
    assert shard.writings == (Writing((Recipient("", (ResultFormat.CAD_SR,)),)),)
    assert (shard.run_id, shard.folders, shard.limits) == ("run-1", plan.folders, plan.limits)


def test_the_summary_is_in_a_stable_order_and_names_nobody():
    outcome = StudyOutcome("2.25.9", 1, "pseudonym-of-a-woman", "pacs", PROVENANCE)
    of_a_model = replace(outcome, provenance=replace(PROVENANCE, algorithm="a-model"))
    outcomes = [
        replace(outcome, revision=2),
        outcome,
        of_a_model,
        replace(of_a_model, study_instance_uid="2.25.1", failure=Reason.WORKER_DIED),
        replace(outcome, study_instance_uid="2.25.1"),
    ]
    report = summary("run", Arrivals(3, 12, 0, ()), outcomes, (), Deliveries(4, 3, 1, 0, 0))
    assert [(one.study_instance_uid, one.revision, one.provenance.algorithm[0]) for one in report.outcomes] == [
        ("2.25.1", 1, "a"),
        ("2.25.1", 1, "r"),
        ("2.25.9", 1, "a"),
        ("2.25.9", 1, "r"),
        ("2.25.9", 2, "r"),
    ]
    assert [one.study_instance_uid for one in report.failed] == ["2.25.1"]
    assert report.headline == (
        "3 studies found, 12 images fetched, 2 studies measured, 1 failed, 4 objects sent, 3 committed"
    )
