"""Bring new studies in: ask the sources, close what is complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from reread.analytics.errors import ArchiveError
from reread.connectors.closing import CaseCloser
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.poller import Window, poll
from reread.tasks.plans import NightPlan
from reread.tasks.progress import report_progress


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What one poll of all sources brought."""

    studies_found: int
    instances_arrived: int
    incomplete: int
    problems: tuple[str, ...]
    """one line for each source or study that could not be fetched"""


@task(name="poll-sources", cache_policy=NO_CACHE)
def poll_sources_task(plan: NightPlan) -> Arrivals:
    """`poll_sources` as a step of a night."""
    return poll_sources(plan)


def poll_sources(plan: NightPlan) -> Arrivals:
    """Fetch what every source has in the window and we have not; one that is down does not stop the others."""
    found = arrived = incomplete = 0
    problems: list[str] = []
    with open_ledger(plan.ledger_url) as ledger:
        for done, source in enumerate(plan.sources):
            report_progress(f"fetching from {source.name}", done, len(plan.sources))
            archive = DimseArchive(source, plan.ae_title, timeout_s=plan.move_timeout_s)
            try:
                report = poll(
                    archive,
                    ledger,
                    window(plan.days_back),
                    plan.modality,
                    slice_length_days=plan.days_per_query,
                    closer=_closer(ledger, plan),
                )
            except ArchiveError as error:
                problems.append(str(error))
                continue
            found += report.studies_found
            arrived += report.instances_arrived
            incomplete += len(report.incomplete)
            problems.extend(f"{source.name}: a study could not be fetched: {cause}" for _, cause in report.failed)
            problems.extend(
                f"{source.name}: {one.arrived} of {one.stated} objects of study {one.study_instance_uid} arrived"
                for one in report.short
            )
            problems.extend(f"{source.name}: answers cut off for {part.first}" for part in report.truncated)
        report_progress("fetching", len(plan.sources), len(plan.sources))
    return Arrivals(found, arrived, incomplete, tuple(problems))


def close_complete(ledger: Ledger, plan: NightPlan) -> int:
    """Close the studies that are complete by the plan's rules; returns how many revisions."""
    return len(_closer(ledger, plan).close())


def _closer(ledger: Ledger, plan: NightPlan) -> CaseCloser:
    return CaseCloser(ledger, plan.closing, plan.folders.spool)


def window(days_back: int, today: date | None = None) -> Window:
    """From `days_back` days ago to tomorrow, as PACS clocks differ from ours."""
    today = today or datetime.now(UTC).date()
    return Window(today - timedelta(days=days_back), today + timedelta(days=1))
