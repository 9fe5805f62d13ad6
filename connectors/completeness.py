"""When a case is complete: evidence in, a verdict with its rule and its sentence out. No clock, no database.

============== ================================================================================== ==========
rule           a study is complete when                                                           source
============== ================================================================================== ==========
import         its files were named by a person                                                   R4.36
notification   everything that an end-of-case message names is here                               R1.11
procedure_step every image that its completed procedure steps name is here, and none is in        PS3.4 F.7
               progress
expected_views the views that the site expects from this source are here                          R1.12
archive_count  as many objects are here as the archive has                                        R3.238
quiet          neither an image nor a message came for the quiet time of its source               R0.27, R4.38
case_timeout   its first image came so long ago, if the site sets that (off by default)           R0.524
cohort         it came with others to a called AE title MULTIPATIENT, and that cohort is quiet    R4.37
============== ================================================================================== ==========

Two things hold a case open: a procedure step in progress (but for a bound, as steps are forgotten), and
knowledge that something is missing, which only the message itself or quiet time can end. Quiet time then
says what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reread.connectors.states import StepStatus


class ClosingRule(StrEnum):
    """The word that is stored with a closed revision."""

    QUIET = "quiet"
    NOTIFICATION = "notification"
    PROCEDURE_STEP = "procedure_step"
    EXPECTED_VIEWS = "expected_views"
    ARCHIVE_COUNT = "archive_count"
    IMPORT = "import"
    CASE_TIMEOUT = "case_timeout"
    COHORT = "cohort"


class AnnouncementKind(StrEnum):
    """Who speaks of a case."""

    NOTIFICATION = "notification"
    """Basic Study Content Notification (R1.34)"""
    PROCEDURE_STEP = "procedure_step"
    """Modality Performed Procedure Step (PS3.4 annex F)"""


@dataclass(frozen=True, slots=True)
class ClosingRules:
    """What a site has set for one source."""

    quiet_s: float = 120.0
    in_progress_s: float = 43200.0
    """a step in progress without a sign of life for so long counts as forgotten"""
    expected_views: frozenset[str] = frozenset()
    """side and view, as "RMLO"; empty: the rule is off"""
    case_timeout_s: float = 0.0
    """from the first image of a revision; 0: the rule is off"""


@dataclass(frozen=True, slots=True)
class ClosingPolicy:
    """The rules of every source."""

    default: ClosingRules = field(default_factory=ClosingRules)
    by_source: Mapping[str, ClosingRules] = field(default_factory=dict)

    def of(self, sources: Iterable[str]) -> ClosingRules:
        """The rules of a study from these sources: of several, the most patient."""
        found = [self.by_source.get(source, self.default) for source in sources] or [self.default]
        views = [rules.expected_views for rules in found]
        timeouts = [rules.case_timeout_s for rules in found]
        return ClosingRules(
            max(rules.quiet_s for rules in found),
            max(rules.in_progress_s for rules in found),
            frozenset().union(*views) if all(views) else frozenset(),
            max(timeouts) if all(timeouts) else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one message or procedure step says of a case, compared with what is here."""

    kind: AnnouncementKind
    status: StepStatus
    """COMPLETED for a notification"""
    expected: int
    """instances that it names"""
    arrived: int
    """of these, how many are here"""
    changed_at: float

    @property
    def is_short(self) -> bool:
        """Whether something that it names as made is not here; a discontinued step promises nothing."""
        return self.status is StepStatus.COMPLETED and self.arrived < self.expected


@dataclass(frozen=True, slots=True)
class ArchiveCount:
    """What an archive says it has of a study."""

    archive: str
    stated: int
    arrived: int
    fresh: bool = False
    """asked just now"""
    basis: str = "count"
    """"count" for Number of Study Related Instances, "instances" for a list of them"""

    @property
    def is_met(self) -> bool:
        # an old count says nothing of objects that came after it
        return self.arrived == self.stated or (self.fresh and self.arrived > self.stated)

    @property
    def is_short(self) -> bool:
        return self.arrived < self.stated


@dataclass(frozen=True, slots=True)
class CaseEvidence:
    """What is known of one open revision. Times are seconds since 1970."""

    last_arrival_at: float
    announcements: Sequence[Announcement] = ()
    """those that no closed revision has answered yet"""
    archive_counts: Sequence[ArchiveCount] = ()
    views: frozenset[str] = frozenset()
    """of all measurable images, as "RMLO" """
    earlier_views: frozenset[str] = frozenset()
    """of those that an earlier revision had: what was complete before is not made complete by a late image"""
    cohort: int | None = None
    """the open cohort that it belongs to"""
    imported: str = ""
    """a sentence, if it came by an import that is over"""
    opened_at: float | None = None
    """when the first image of the revision came; None: not known"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Complete by a rule, or not yet (rule is None); the sentence says why."""

    rule: ClosingRule | None
    sentence: str

    @property
    def complete(self) -> bool:
        return self.rule is not None


def decide(case: CaseEvidence, rules: ClosingRules, now: float) -> Verdict:
    """Whether an open revision is complete at `now` (seconds since 1970)."""
    if case.imported:
        return Verdict(ClosingRule.IMPORT, case.imported)
    if case.cohort is not None:
        return Verdict(None, f"cohort {case.cohort} is open")
    notifications = [item for item in case.announcements if item.kind is AnnouncementKind.NOTIFICATION]
    if notifications and not any(item.is_short for item in notifications):
        named = max(item.expected for item in notifications)
        return Verdict(ClosingRule.NOTIFICATION, f"end-of-case message: {_of(named, named)}")
    if holding := _in_progress(case.announcements, case.last_arrival_at, rules, now):
        return Verdict(None, holding)
    # images follow the message that names them, so a message begins quiet time anew
    idle_s = now - max(case.last_arrival_at, *(item.changed_at for item in case.announcements), -math.inf)
    short = [*(item for item in case.announcements if item.is_short), *(c for c in case.archive_counts if c.is_short)]
    if not short and (verdict := _all_here(case, rules)) is not None:
        return verdict
    missing = _missing(case)
    if idle_s >= rules.quiet_s:
        return Verdict(ClosingRule.QUIET, "; ".join((f"quiet for {rules.quiet_s:g} s", *missing)))
    if rules.case_timeout_s and case.opened_at is not None and now - case.opened_at >= rules.case_timeout_s:
        return Verdict(
            ClosingRule.CASE_TIMEOUT, "; ".join((f"its first image came {rules.case_timeout_s:g} s ago", *missing))
        )
    return Verdict(None, "; ".join((f"the last sign of it came {idle_s:.0f} s ago", *missing)))


def decide_cohort(
    last_arrival_at: float, announcements: Sequence[Announcement], rules: ClosingRules, now: float
) -> Verdict:
    """Whether an open cohort is complete: quiet as a whole, and no procedure step of its studies in progress."""
    if holding := _in_progress(announcements, last_arrival_at, rules, now):
        return Verdict(None, holding)
    idle_s = now - last_arrival_at
    if idle_s >= rules.quiet_s:
        return Verdict(ClosingRule.QUIET, f"quiet for {rules.quiet_s:g} s")
    return Verdict(None, f"the last sign of it came {idle_s:.0f} s ago")


def _in_progress(announcements: Sequence[Announcement], last_arrival_at: float, rules: ClosingRules, now: float) -> str:
    """Why a step in progress holds the case, or empty."""
    for item in announcements:
        if item.status is StepStatus.IN_PROGRESS:
            silent_s = now - max(item.changed_at, last_arrival_at)
            if silent_s < rules.in_progress_s:
                return "a procedure step is in progress"
    return ""


def _all_here(case: CaseEvidence, rules: ClosingRules) -> Verdict | None:
    done = [
        item
        for item in case.announcements
        if item.kind is AnnouncementKind.PROCEDURE_STEP and item.status is StepStatus.COMPLETED and item.expected
    ]
    if done:
        named = sum(item.expected for item in done)
        steps = "the completed procedure step" if len(done) == 1 else f"{len(done)} completed procedure steps"
        return Verdict(ClosingRule.PROCEDURE_STEP, f"{steps}: {_of(named, named)}")
    wanted = rules.expected_views
    if wanted and wanted <= case.views and not wanted <= case.earlier_views:
        return Verdict(ClosingRule.EXPECTED_VIEWS, f"expected views: {' '.join(sorted(wanted))}")
    for count in case.archive_counts:
        if count.is_met:
            return Verdict(
                ClosingRule.ARCHIVE_COUNT, f"{count.basis} of {count.archive}: {count.arrived} of {count.stated}"
            )
    return None


def _missing(case: CaseEvidence) -> tuple[str, ...]:
    """What is known to be unfinished, in clauses."""
    names = {AnnouncementKind.NOTIFICATION: "the end-of-case message", AnnouncementKind.PROCEDURE_STEP: "a step"}
    clauses = [
        f"{names[item.kind]}: {_of(item.arrived, item.expected)}" for item in case.announcements if item.is_short
    ]
    for status, words in (
        (StepStatus.IN_PROGRESS, "a procedure step is still in progress"),
        (StepStatus.DISCONTINUED, "a procedure step was discontinued"),
    ):
        if any(item.status is status for item in case.announcements):
            clauses.append(words)
    clauses += [f"{c.archive} has {c.stated}, {c.arrived} arrived" for c in case.archive_counts if c.is_short]
    return tuple(clauses)


def _of(arrived: int, expected: int) -> str:
    if not expected:
        return "it names no instance"
    return f"{arrived} of {expected} instances are here"
