"""When a case is complete: the rules, without clock and database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.connectors.completeness import (
    Announcement,
    AnnouncementKind,
    ArchiveCount,
    CaseEvidence,
    ClosingPolicy,
    ClosingRule,
    ClosingRules,
    decide,
    decide_cohort,
)
from reread.connectors.states import StepStatus

RULES = ClosingRules(quiet_s=120.0, in_progress_s=7200.0)
FOUR = frozenset({"RCC", "LCC", "RMLO", "LMLO"})
STEP, MESSAGE = AnnouncementKind.PROCEDURE_STEP, AnnouncementKind.NOTIFICATION


def step(status=StepStatus.COMPLETED, expected=4, arrived=4, changed_at=0.0):
    return Announcement(STEP, status, expected, arrived, changed_at)


def message(expected=4, arrived=4):
    return Announcement(MESSAGE, StepStatus.COMPLETED, expected, arrived, 0.0)


IN_PROGRESS = step(StepStatus.IN_PROGRESS, 0, 0)

CASES = {
    "nothing known": (CaseEvidence(0.0), None, "the last sign of it came 10 s ago"),
    "import": (CaseEvidence(0.0, imported="import of 4 files"), ClosingRule.IMPORT, "import of 4 files"),
    "message": (
        CaseEvidence(0.0, (message(),)),
        ClosingRule.NOTIFICATION,
        "end-of-case message: 4 of 4 instances are here",
    ),
    "message that names nothing": (
        CaseEvidence(0.0, (message(0, 0),)),
        ClosingRule.NOTIFICATION,
        "end-of-case message: it names no instance",
    ),
    "message, part": (
        CaseEvidence(0.0, (message(4, 3),)),
        None,
        "the last sign of it came 10 s ago; the end-of-case message: 3 of 4 instances are here",
    ),
    "message ends a step in progress": (
        CaseEvidence(0.0, (IN_PROGRESS, message())),
        ClosingRule.NOTIFICATION,
        "end-of-case message: 4 of 4 instances are here",
    ),
    "two messages, one part": (CaseEvidence(0.0, (message(), message(6, 5))), None, "5 of 6"),
    "step completed": (
        CaseEvidence(0.0, (step(),)),
        ClosingRule.PROCEDURE_STEP,
        "the completed procedure step: 4 of 4 instances are here",
    ),
    "two steps completed": (
        CaseEvidence(0.0, (step(), step(expected=2, arrived=2))),
        ClosingRule.PROCEDURE_STEP,
        "2 completed procedure steps: 6 of 6 instances are here",
    ),
    "one of two steps short": (CaseEvidence(0.0, (step(), step(expected=2, arrived=1))), None, "a step: 1 of 2"),
    "one of two steps in progress": (CaseEvidence(0.0, (step(), IN_PROGRESS)), None, "a procedure step is in progress"),
    "a step without images": (CaseEvidence(0.0, (step(expected=0, arrived=0),)), None, "the last sign of it came"),
    "a discontinued step closes nothing": (CaseEvidence(0.0, (step(StepStatus.DISCONTINUED),)), None, "discontinued"),
    "a discontinued step holds nothing": (
        CaseEvidence(0.0, (step(StepStatus.DISCONTINUED, 4, 1), step())),
        ClosingRule.PROCEDURE_STEP,
        "4 of 4",
    ),
    "count": (
        CaseEvidence(0.0, archive_counts=(ArchiveCount("pacs", 4, 4),)),
        ClosingRule.ARCHIVE_COUNT,
        "count of pacs: 4 of 4",
    ),
    "count, short": (
        CaseEvidence(0.0, archive_counts=(ArchiveCount("pacs", 4, 3),)),
        None,
        "the last sign of it came 10 s ago; pacs has 4, 3 arrived",
    ),
    "old count, more arrived": (CaseEvidence(0.0, archive_counts=(ArchiveCount("pacs", 4, 5),)), None, "last sign"),
    "new count, more arrived": (
        CaseEvidence(0.0, archive_counts=(ArchiveCount("pacs", 4, 5, fresh=True),)),
        ClosingRule.ARCHIVE_COUNT,
        "count of pacs: 5 of 4",
    ),
    "one of two archives short": (
        CaseEvidence(0.0, archive_counts=(ArchiveCount("a", 4, 4), ArchiveCount("b", 6, 4))),
        None,
        "b has 6",
    ),
    "count, but the message names more": (
        CaseEvidence(0.0, (message(6, 4),), (ArchiveCount("pacs", 4, 4, fresh=True),)),
        None,
        "4 of 6",
    ),
    "count, but a step in progress": (
        CaseEvidence(0.0, (IN_PROGRESS,), (ArchiveCount("pacs", 4, 4, fresh=True),)),
        None,
        "a procedure step is in progress",
    ),
    "in a cohort": (CaseEvidence(0.0, (message(), step()), cohort=7), None, "cohort 7 is open"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_ten_seconds_after_its_last_image(name):
    evidence, rule, words = CASES[name]
    verdict = decide(evidence, RULES, 10.0)
    assert verdict.rule is rule and words in verdict.sentence
    assert verdict.complete == (rule is not None)


def test_quiet_time_says_what_is_missing():
    """R0.27, R4.38: quiet time closes at last, but never without a word on what is known to be missing."""
    assert decide(CaseEvidence(0.0), RULES, 119.9).rule is None
    verdict = decide(
        CaseEvidence(0.0, (message(4, 1), step(expected=5, arrived=2)), (ArchiveCount("pacs", 6, 3),)), RULES, 120.0
    )
    assert verdict.rule is ClosingRule.QUIET
    assert verdict.sentence == (
        "quiet for 120 s; the end-of-case message: 1 of 4 instances are here; a step: 2 of 5 instances are here; "
        "pacs has 6, 3 arrived"
    )


def test_the_clock_may_run_from_the_first_image():
    """R0.524: off unless the site sets it; then whichever ends first."""
    rules = replace(RULES, case_timeout_s=600.0)
    case = CaseEvidence(590.0, (message(4, 3),), opened_at=0.0)
    assert decide(case, rules, 599.0).rule is None
    verdict = decide(case, rules, 600.0)
    words = "its first image came 600 s ago; the end-of-case message: 3 of 4 instances are here"
    assert (verdict.rule, verdict.sentence) == (ClosingRule.CASE_TIMEOUT, words)
    assert decide(case, rules, 710.0).rule is ClosingRule.QUIET
    assert decide(case, RULES, 600.0).rule is None
    assert decide(CaseEvidence(590.0, (IN_PROGRESS,), opened_at=0.0), rules, 600.0).rule is None
    assert ClosingPolicy(rules, {"other": RULES}).of(["pacs", "other"]).case_timeout_s == 0.0


def test_a_step_in_progress_holds_for_its_bound_only():
    """The bound runs from the last sign of life: an image, or a change of the step."""
    case = CaseEvidence(1000.0, (replace(IN_PROGRESS, changed_at=500.0),))
    assert decide(case, RULES, 1000.0 + 7199).rule is None
    verdict = decide(case, RULES, 1000.0 + 7200)
    assert (verdict.rule, verdict.sentence) == (
        ClosingRule.QUIET,
        "quiet for 120 s; a procedure step is still in progress",
    )
    later = CaseEvidence(1000.0, (replace(IN_PROGRESS, changed_at=2000.0),))
    assert decide(later, RULES, 1000.0 + 7200).rule is None


def test_expected_views_close_a_study_once():
    rules = replace(RULES, expected_views=FOUR)
    assert decide(CaseEvidence(0.0, views=FOUR - {"RCC"}), rules, 1.0).rule is None
    verdict = decide(CaseEvidence(0.0, views=FOUR | {"RML"}), rules, 1.0)
    assert (verdict.rule, verdict.sentence) == (ClosingRule.EXPECTED_VIEWS, "expected views: LCC LMLO RCC RMLO")
    # the fourth view came late: complete now; a fifth image came late: nothing was completed by it
    assert decide(CaseEvidence(0.0, views=FOUR, earlier_views=FOUR - {"RCC"}), rules, 1.0).complete
    assert not decide(CaseEvidence(0.0, views=FOUR, earlier_views=FOUR), rules, 1.0).complete
    assert not decide(CaseEvidence(0.0, views=FOUR), RULES, 1.0).complete
    assert not decide(CaseEvidence(0.0, (message(6, 4),), views=FOUR), rules, 1.0).complete
    assert not decide(CaseEvidence(0.0, (IN_PROGRESS,), views=FOUR), rules, 1.0).complete


def test_the_rules_of_several_sources_are_the_most_patient():
    fast = ClosingRules(10.0, 60.0, frozenset({"RCC"}))
    slow = ClosingRules(500.0, 30.0, frozenset({"LCC"}))
    policy = ClosingPolicy(RULES, {"fast": fast, "slow": slow})
    assert policy.of(["fast"]) == fast and policy.of(["other"]) == RULES and policy.of([]) == RULES
    assert policy.of(["fast", "slow"]) == ClosingRules(500.0, 60.0, frozenset({"RCC", "LCC"}))
    assert policy.of(["fast", "other"]).expected_views == frozenset()


@pytest.mark.parametrize(("now", "closes"), [(119.0, False), (120.0, True)])
def test_a_cohort_closes_by_quiet_time_as_a_whole(now, closes):
    assert decide_cohort(0.0, (step(expected=9, arrived=1),), RULES, now).complete is closes
    assert not decide_cohort(0.0, (IN_PROGRESS,), RULES, now).complete
    assert decide_cohort(0.0, (IN_PROGRESS,), RULES, 7200.0).complete


VIEWS = st.frozensets(st.sampled_from(sorted(FOUR | {"RML", "LML"})))
TIMES = st.floats(0, 1e5)
STEPS = st.builds(
    lambda status, expected, missing, at: step(status, expected, max(0, expected - missing), at),
    st.sampled_from(StepStatus),
    st.integers(0, 8),
    st.integers(0, 3),
    TIMES,
)
MESSAGES = st.builds(lambda expected, missing: message(expected, max(0, expected - missing)), *[st.integers(0, 4)] * 2)
COUNTS = st.builds(ArchiveCount, st.sampled_from("ab"), st.integers(0, 6), st.integers(0, 6), st.booleans())
EVIDENCE = st.builds(
    CaseEvidence,
    TIMES,
    st.lists(STEPS | MESSAGES, max_size=4).map(tuple),
    st.lists(COUNTS, max_size=2).map(tuple),
    VIEWS,
    VIEWS,
    opened_at=st.just(0.0),
)
SITE = st.builds(
    ClosingRules,
    st.floats(0, 1e4),
    st.floats(0, 1e5),
    st.just(FOUR) | st.just(frozenset()),
    st.just(0.0) | st.floats(1, 1e5),
)


@given(evidence=EVIDENCE, rules=SITE, wait=TIMES, more=TIMES)
def test_what_is_complete_stays_complete_as_time_goes(evidence, rules, wait, more):
    now = evidence.last_arrival_at + wait
    if decide(evidence, rules, now).complete:
        assert decide(evidence, rules, now + more).complete


@given(evidence=EVIDENCE, rules=SITE)
def test_time_closes_every_case(evidence, rules):
    """No evidence may keep a study from being measured for ever."""
    assert decide(evidence, rules, 1e6).complete


@given(evidence=EVIDENCE, rules=SITE, wait=TIMES)
def test_a_step_in_progress_yields_to_a_message_only(evidence, rules, wait):
    now = evidence.last_arrival_at + wait
    alive = any(
        item.status is StepStatus.IN_PROGRESS
        and now - max(item.changed_at, evidence.last_arrival_at) < rules.in_progress_s
        for item in evidence.announcements
    )
    if alive:
        assert decide(evidence, rules, now).rule in (None, ClosingRule.NOTIFICATION)


@given(evidence=EVIDENCE, rules=SITE, wait=TIMES)
def test_what_is_missing_is_never_passed_over_in_silence(evidence, rules, wait):
    verdict = decide(evidence, rules, evidence.last_arrival_at + wait)
    short = [item for item in evidence.announcements if item.is_short]
    short_counts = [count for count in evidence.archive_counts if count.is_short]
    if short or short_counts:
        assert verdict.rule in (None, ClosingRule.QUIET, ClosingRule.CASE_TIMEOUT, ClosingRule.NOTIFICATION)
    if verdict.rule is ClosingRule.QUIET:
        assert wait >= rules.quiet_s
    if verdict.rule in (ClosingRule.QUIET, ClosingRule.CASE_TIMEOUT):
        assert all(f"{item.arrived} of {item.expected}" in verdict.sentence for item in short)
        assert all(f"has {count.stated}, {count.arrived} arrived" in verdict.sentence for count in short_counts)


@given(evidence=EVIDENCE, rules=SITE, wait=TIMES)
def test_each_rule_has_its_evidence(evidence, rules, wait):
    verdict = decide(evidence, rules, evidence.last_arrival_at + wait)
    kinds = {item.kind for item in evidence.announcements if item.status is StepStatus.COMPLETED}
    if verdict.rule is ClosingRule.NOTIFICATION:
        assert MESSAGE in kinds
    if verdict.rule is ClosingRule.PROCEDURE_STEP:
        assert STEP in kinds
    if verdict.rule is ClosingRule.ARCHIVE_COUNT:
        assert any(count.is_met for count in evidence.archive_counts)
    if verdict.rule is ClosingRule.EXPECTED_VIEWS:
        assert evidence.views >= FOUR and not evidence.earlier_views >= FOUR
