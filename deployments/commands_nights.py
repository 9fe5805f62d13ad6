"""Commands that move studies: receive, fetch, import, the night."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from reread.analytics.errors import RereadError
from reread.deployments.terminal import SettingsFile, console


def listen(*, settings: SettingsFile = None) -> int:
    """Receive studies over DICOM until interrupted."""
    import signal
    import threading

    from reread.deployments.logs import configure_logs
    from reread.deployments.settings import load_settings
    from reread.deployments.site_services import close_until, listening, opened_site

    configure_logs()
    site = load_settings(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with opened_site(site) as services, listening(site, services, configure_logs) as listener:
        if listener is None:
            raise RereadError(f"port {site.listener.port} is taken; is `reread listen` running already?")
        console.print(f"{site.ae_title} listens on {site.listener.host}:{listener.port}; Ctrl-C ends it")
        close_until(stop, site, services)
    console.print("stopped")
    return 0


def poll(*, settings: SettingsFile = None) -> int:
    """Ask the sources for new studies and fetch them, once."""
    from reread.deployments.orchestration import quiet_prefect
    from reread.deployments.settings import load_settings

    site = load_settings(settings)
    quiet_prefect(site.data / "prefect")
    from reread.deployments import consoles
    from reread.deployments.site_plan import plan_of
    from reread.deployments.site_services import listening, opened_site
    from reread.tasks.arrivals import poll_sources

    with opened_site(site) as services, listening(site, services), consoles.progress_bar(console):
        arrivals = poll_sources(plan_of(site))
    console.print(f"{arrivals.studies_found} studies found, {arrivals.instances_arrived} images fetched")
    for problem in arrivals.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    return 1 if arrivals.problems else 0


def import_(*paths: Path, settings: SettingsFile = None) -> int:
    """Take files or folders into the spool and read structured reports of others; the originals stay untouched.

    Parameters
    ----------
    paths
        Files, or folders searched at any depth.
    """
    from reread.deployments import consoles
    from reread.deployments.imports import import_paths
    from reread.deployments.settings import load_settings
    from reread.deployments.site_services import opened_site

    if not paths:
        raise RereadError("name at least one file or folder")
    with opened_site(load_settings(settings)) as services, consoles.progress_bar(console):
        summary = import_paths(paths, services)
    for line in summary.lines:
        console.print(line, soft_wrap=True, markup=False)
    return 0 if summary.queued or summary.reports or not summary.rejected else 1


def night(*, settings: SettingsFile = None) -> int:
    """One night: fetch what is new, measure it, send the results, write the report."""
    from reread.deployments.orchestration import prefect_api, quiet_prefect
    from reread.deployments.settings import load_settings

    site = load_settings(settings)
    quiet_prefect(site.data / "prefect")
    from reread.deployments import consoles
    from reread.deployments.night_runs import run_night
    from reread.deployments.site_plan import folders_of
    from reread.deployments.site_services import listening, only_night, opened_site
    from reread.tasks.outcomes import unusable_images

    with (
        only_night(site),
        prefect_api(folders_of(site).prefect) as server,
        opened_site(site) as services,
        listening(site, services),
        consoles.progress_bar(console),
    ):
        services.ledger.recover()
        outcome = run_night(site, server)
    report = outcome.report
    if report.outcomes:
        console.print(consoles.case_table(report.outcomes))
    consoles.rejection_lines(console, unusable_images(report.outcomes))
    consoles.rejection_lines(console, report.rejected)
    consoles.unwritten_lines(console, report.outcomes)
    for problem in report.arrivals.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    console.print(f"{report.headline}\nReport: {outcome.page}", soft_wrap=True)
    undelivered = report.deliveries.failed or report.deliveries.given_up
    return 1 if report.failed or report.partial or report.arrivals.problems or undelivered else 0
