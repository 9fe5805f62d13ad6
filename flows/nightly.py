"""A night: fetch, measure, deliver, and say what happened."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger, runtime

from reread.connectors.ledger import open_ledger
from reread.connectors.report_intake import record_reports
from reread.connectors.warehouse import Warehouse
from reread.tasks.arrivals import close_complete, poll_sources_task
from reread.tasks.bookings import book_report, record_rejections
from reread.tasks.deliveries import deliver_results_task
from reread.tasks.nights import NightReport, cut_night, summary
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.plans import load_plan
from reread.tasks.progress import report_progress
from reread.tasks.settling import settle
from reread.tasks.shards import ShardReport, probe_image, reread_shard


# async: a synchronous flow run costs a full second in its heartbeat thread
@flow(name="nightly", flow_run_name="night-{plan_file.parent.name}", validate_parameters=True)
async def nightly(plan_file: Path) -> NightReport:
    """Fetch what is new, measure what is complete, send what was written.

    Parameters
    ----------
    plan_file
        What `reread.tasks.plans.NightPlan.save` wrote.
    """
    plan = load_plan(plan_file)
    run_id = str(runtime.flow_run.id)
    logger = get_run_logger()
    Warehouse(plan.folders.warehouse).prepare()

    arrivals = poll_sources_task(plan)
    outcomes: list[StudyOutcome] = []
    with open_ledger(plan.ledger_url) as ledger:
        close_complete(ledger, plan)
        shards = cut_night(ledger, plan, run_id)
        total = sum(len(shard.works) * len(shard.models) for shard in shards)
        report_progress("measuring", 0, total)

        def settled(report: ShardReport) -> None:
            book_report(ledger, plan, report, run_id)
            outcomes.extend(report.outcomes)
            report_progress("measuring", len(outcomes), total)

        settle(shards, reread_shard.submit, probe_image.submit, settled)
        rejected = record_rejections(ledger, plan, run_id)
        reports = record_reports(ledger, plan.folders.spool, Warehouse(plan.folders.warehouse), run_id)

    deliveries = deliver_results_task(plan)
    report = summary(run_id, arrivals, outcomes, rejected, deliveries, reports)
    logger.info("night done: %s", report.headline)
    return report
