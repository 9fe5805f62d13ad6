"""The command line. Each command imports what it needs when it runs: `--help` must not wait for Prefect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape

from reread.analytics.errors import RereadError

app = App(
    name="reread",
    help="Rereads mammography archives: fetch from a PACS, measure, write back as DICOM, keep every number for SQL.\n\n"
    "Research and quality software, not a medical device.",
    help_format="markdown",
)
config = App(name="config", help="Look at the settings.")
app.command(config)

console = Console()

SettingsFile = Annotated[
    Path | None,
    Parameter(name="--settings", help="TOML file; default: $REREAD_SETTINGS, else site.toml if it is there."),
]


@app.command
def demo(*, data: Path = Path("reread-data/demo")) -> int:
    """Fetch eight real mammograms from a PACS on loopback, measure them, write the results back.

    Needs no settings, no server and no root. A second run finds everything done and says so.

    Parameters
    ----------
    data
        Folder of the demo: archive, spool, ledger, warehouse, report.
    """
    from reread.deployments.orchestration import quiet_prefect

    quiet_prefect(data / "prefect")
    from reread.deployments import consoles
    from reread.deployments.demo import QUERIES, run_demo

    with consoles.progress_bar(console):
        outcome = run_demo(data, lambda line: console.print(f"[cyan]·[/] {line}"))
    report = outcome.night.report
    if report.outcomes:
        console.print(consoles.case_table(report.outcomes))
    else:
        console.print(
            f"[green]Nothing to do:[/] the archive's {report.arrivals.studies_found} studies were measured before, "
            "no image was fetched and no result was sent again."
        )
    consoles.rejection_lines(console, [image for case in report.outcomes for image in case.rejected])
    console.print(
        f"{report.headline}; the archive holds {outcome.results_in_archive} result objects. {outcome.seconds:.0f} s."
    )
    console.print(f"Report: {outcome.night.page}", soft_wrap=True)
    console.print("Ask the warehouse:")
    for query in QUERIES:
        console.print(f'  {_this_program()} sql --data {data} "{query}"', soft_wrap=True, highlight=False, markup=False)
    console.print(f"[bold]{consoles.NOTICE}[/]")
    return 1 if report.failed or report.arrivals.problems else 0


@app.command
def measure(*paths: Path, out: Path, workers: int = 0, model: Path | None = None) -> int:
    """Measure DICOM files or folders; no PACS, no Prefect, no database.

    Parameters
    ----------
    paths
        Files, or folders searched at any depth.
    out
        Gets findings.parquet, density.parquet, images.parquet, studies.parquet and dicom/.
    workers
        Processes; 0: one per core.
    model
        File that describes an own ONNX model, which measures instead of the built-in analysis.
    """
    from reread.deployments import consoles, folder_runs
    from reread.deployments.workers import available_cores

    if not paths:
        raise RereadError("name at least one file or folder")
    with consoles.progress_bar(console):
        outcome = folder_runs.measure_paths(paths, out, workers=workers or available_cores(), model=model)
    console.print(consoles.case_table(outcome.outcomes))
    consoles.rejection_lines(console, outcome.rejected)
    for path in outcome.files:
        console.print(str(path), soft_wrap=True)
    console.print(f"[bold]{consoles.NOTICE}[/]")
    return 0 if any(case.failure is None for case in outcome.outcomes) else 1


@app.command
def simulate(
    out: Path,
    *,
    women: int = 10,
    years: int = 1,
    seed: int = 1,
    vendors: str = "A,B,C",
    views: str = "CC,MLO",
    lesions: str = "all",
    lesion_share: float = 0.5,
    objects: str = "processing,presentation",
    quick: bool = False,
    phantom: tuple[Path, ...] = (),
    workers: int = 0,
) -> int:
    """Make an archive of simulated mammograms with exact truth: no patient, no X-rays.

    Parameters
    ----------
    out
        Folder; gets one folder per woman and year with DICOM files, and truth/ with tables (Parquet and CSV).
    women
        How many.
    years
        Examinations of each, one a year: her density falls, her lesions grow.
    seed
        Same seed and numbers, same bytes.
    vendors
        Keys of made vendors: A, B, C (detectors) and F (digitised film).
    views
        CC, MLO or both; of both breasts.
    lesions
        Kinds to plant: mass, calcification, distortion, asymmetry; all or none.
    lesion_share
        Share of the women who have lesions, one or two each.
    objects
        processing, presentation or both; film is one object of its own.
    quick
        Pixels four times as large, for tests and demonstrations.
    phantom
        Compressed voxel phantoms (.mhd, for example of VICTRE) to project instead of made breasts; CC views only.
    workers
        Processes; 0: one per core.
    """
    from reread.deployments import consoles
    from reread.deployments.simulations import plan_of_words, simulate_archive
    from reread.deployments.workers import available_cores
    from reread.tasks.progress import report_progress

    plan = plan_of_words(
        out,
        women=women,
        years=years,
        seed=seed,
        vendors=vendors,
        views=views,
        lesions=lesions,
        lesion_share=lesion_share,
        objects=objects,
        quick=quick,
        phantoms=phantom,
    )
    with consoles.progress_bar(console):
        outcome = simulate_archive(
            plan,
            workers=workers or available_cores(),
            progress=lambda done, total: report_progress("simulating women", done, total),
        )
    console.print(f"{outcome.women} women, {outcome.objects} objects, {outcome.lesions} lesions seen in views -> {out}")
    console.print(f"Truth: {outcome.truth}", soft_wrap=True)
    console.print(f"[bold]Simulated.[/] {consoles.NOTICE}")
    return 0


app.command("reread.deployments.case_pages:case", name="case", help="Write the page of one case as HTML.")
app.command("reread.deployments.evaluations:evaluate", name="evaluate", help="Compare results with a known truth.")
app.command("reread.deployments.checking_command:check", name="check", help="Check DICOM results against the standard.")


@app.command
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


@app.command
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


@app.command(name="import")
def import_(*paths: Path, settings: SettingsFile = None) -> int:
    """Take files or folders into the spool; the originals stay untouched.

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
    return 0 if summary.queued or not summary.rejected else 1


@app.command
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
    consoles.rejection_lines(console, [image for case in report.outcomes for image in case.rejected])
    consoles.rejection_lines(console, report.rejected)
    for problem in report.arrivals.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    console.print(f"{report.headline}\nReport: {outcome.page}", soft_wrap=True)
    return 1 if report.failed or report.arrivals.problems or report.deliveries.failed else 0


@app.command
def sql(query: str, *, data: Path | None = None, csv: bool = False, settings: SettingsFile = None) -> int:
    """Ask the warehouse in SQL, read-only, also while a night runs.

    Parameters
    ----------
    query
        One statement; the tables and views are listed in docs/reference/tables.md.
    data
        Data folder; default: that of the settings.
    csv
        Write CSV instead of a table.
    """
    import csv as csv_module

    from reread.connectors.warehouse import Warehouse
    from reread.deployments.settings import load_settings
    from reread.deployments.site_plan import folders_of
    from reread.tasks.plans import Folders

    folders = Folders(data.resolve()) if data else folders_of(load_settings(settings))
    answer = Warehouse(folders.warehouse).query(query)
    if csv:
        writer = csv_module.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
        return 0
    from reread.deployments.consoles import print_answer

    print_answer(console, answer.columns, answer.rows)
    return 0


@app.command
def status(*, data: Path | None = None, settings: SettingsFile = None) -> int:
    """How much there is in each state.

    Parameters
    ----------
    data
        Data folder; default: that of the settings.
    """
    from reread.deployments.consoles import COHORT_COLUMNS, cohort_rows, print_answer, rejection_lines
    from reread.deployments.doctor import disk_check
    from reread.deployments.settings import load_settings
    from reread.deployments.site_services import opened_site

    site = load_settings(settings)
    if data is not None:
        site = site.model_copy(update={"data": data, "ledger_url": ""})
    if not site.ledger_url and not (site.data / "ledger.sqlite").exists():
        raise RereadError(f"no ledger in {site.data}; nothing has been received yet")
    with opened_site(site) as services:
        counts = services.ledger.counts()
        rejections = services.ledger.rejections()
        cohorts = services.ledger.cohorts()
    rows = [("instances", state.value, count) for state, count in counts.instances.items()]
    rows += [("studies", state.value, count) for state, count in counts.studies.items()]
    rows += [("deliveries", state.value, count) for state, count in counts.deliveries.items()]
    rows += [("studies complete by", rule, count) for rule, count in sorted(counts.closed_by.items())]
    rows += [("instances", "received again", counts.duplicates)] if counts.duplicates else []
    rows += [("studies", "with two patients", counts.two_patient_studies)] if counts.two_patient_studies else []
    rows += [("failed studies", reason, count) for reason, count in counts.failures.items()]
    print_answer(console, ("what", "state", "count"), [row for row in rows if row[2]])
    if cohorts:
        print_answer(console, COHORT_COLUMNS, cohort_rows(cohorts))
    rejection_lines(console, rejections)
    disk = disk_check(site)
    if not disk.ok:
        console.print(f"[red]{escape(disk.text)}[/]", soft_wrap=True)
    return 0


@app.command
def verify(*peers: str, settings: SettingsFile = None) -> int:
    """Ask peers whether they are there (C-ECHO), one line each.

    Parameters
    ----------
    peers
        Names of peers; default: all.
    """
    from reread.deployments.peer_checks import verify_peers
    from reread.deployments.settings import load_settings

    site = load_settings(settings)
    if not site.peers:
        raise RereadError("no peers are configured")
    reached = True
    for check in verify_peers(site, peers):
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]"
        console.print(f"{mark} {escape(check.name)}: {escape(check.text)}", soft_wrap=True)
        reached &= check.ok
    return 0 if reached else 1


@app.command
def conformance(*, out: Path | None = None, html: bool = False, settings: SettingsFile = None) -> int:
    """Print the DICOM conformance statement of this installation, made from its settings and its own tables.

    Parameters
    ----------
    out
        File to write; default: the terminal.
    html
        HTML instead of Markdown.
    """
    from reread.deployments.settings import load_settings
    from reread.deployments.statements import conformance_text

    text = conformance_text(load_settings(settings), html=html)
    if out is None:
        sys.stdout.write(text)
        return 0
    out.write_text(text, "utf-8")
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)
    return 0


@app.command
def doctor(*, settings: SettingsFile = None) -> int:
    """Check codecs, ports, disk, Prefect and peers: each line ok, or what to do."""
    from reread.deployments.doctor import examine
    from reread.deployments.settings import load_settings

    healthy = True
    for check in examine(load_settings(settings)):
        mark = "[green]ok  [/]" if check.ok else "[red]FIX [/]"
        console.print(f"{mark} {escape(check.name)}: {escape(check.text)}", soft_wrap=True)
        healthy &= check.ok
    return 0 if healthy else 1


@config.command
def check(*, settings: SettingsFile = None) -> int:
    """Validate the settings and print them as they are in force; passwords are masked."""
    from reread.deployments.settings import load_settings
    from reread.deployments.settings_text import resolved_text

    console.print(resolved_text(load_settings(settings)), highlight=False, markup=False, soft_wrap=True)
    return 0


@config.command
def example() -> int:
    """Print a settings file with every field, its default and its meaning."""
    from reread.deployments.settings_text import example_text

    sys.stdout.write(example_text())
    return 0


def _this_program() -> str:
    """How the person can call us again: by name if it is on the path, else as they did."""
    import shutil

    return "reread" if shutil.which("reread") else sys.argv[0]


def main() -> None:
    """Entry point: errors of ours are one clear line and exit code 2."""
    try:
        sys.exit(app(exit_on_error=True, result_action="return_value") or 0)
    except (RereadError, OSError) as error:
        # the text may quote a query or a path with brackets, which are no markup
        Console(stderr=True).print(f"[red]reread:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
