"""Run one night from the command line: Prefect API, cluster, flow, report page."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from reread.connectors.report_page import write_report
from reread.deployments.orchestration import PrefectServer, quiet_prefect
from reread.deployments.settings import Settings
from reread.deployments.site_plan import plan_of
from reread.tasks.nights import NightReport
from reread.tasks.plans import NightPlan
from reread.tasks.progress import report_progress


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """What a night left behind."""

    report: NightReport
    page: Path


def run_night(settings: Settings, server: PrefectServer | None, plan: NightPlan | None = None) -> NightOutcome:
    """Run the flow `nightly` and write the report page.

    Parameters
    ----------
    server
        The server of our own to wait for; None when the site has one.
    plan
        The plan; the settings' own when None.
    """
    plan = plan or plan_of(settings)
    quiet_prefect(plan.folders.prefect)
    report_progress("starting Prefect", 0, 0)
    if server is not None:
        server.wait()
    # importing Prefect takes about a second
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from reread.deployments.clusters import task_runner
    from reread.flows.nightly import nightly

    logging.getLogger("distributed").setLevel(logging.ERROR)
    api = {PREFECT_API_URL: server.api_url} if server is not None else {}
    # prefect-dask types its futures more narrowly than Prefect's own signature asks
    flow = nightly.with_options(task_runner=task_runner(settings.cluster))  # type: ignore[arg-type]
    with temporary_settings(api):
        report = asyncio.run(flow(plan.save()))
    page = write_report(plan.folders.warehouse, plan.folders.pictures, plan.folders.report)
    return NightOutcome(report, page)
