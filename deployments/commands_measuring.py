"""Commands that need no settings: the demo, files in and results out, simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from reread.analytics.errors import RereadError
from reread.deployments.settings_results import DEFAULT_FORMATS, formats_of
from reread.deployments.terminal import console, this_program


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
    from reread.tasks.outcomes import unusable_images

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
    consoles.rejection_lines(console, unusable_images(report.outcomes))
    console.print(
        f"{report.headline}; the archive holds {outcome.results_in_archive} result objects. {outcome.seconds:.0f} s."
    )
    console.print(f"Report: {outcome.night.page}", soft_wrap=True)
    console.print("Ask the warehouse:")
    for query in QUERIES:
        console.print(f'  {this_program()} sql --data {data} "{query}"', soft_wrap=True, highlight=False, markup=False)
    console.print(f"[bold]{consoles.NOTICE}[/]")
    return 1 if report.failed or report.arrivals.problems else 0


def measure(
    *paths: Path,
    out: Path,
    workers: int = 0,
    model: Annotated[tuple[Path, ...], Parameter(negative="", show_default=False)] = (),
    built_in: Annotated[bool, Parameter(negative="")] = False,
    formats: str = ",".join(DEFAULT_FORMATS),
    language: str = "en",
    option: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    pages: Annotated[bool, Parameter(negative="")] = False,
) -> int:
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
        File that describes an own ONNX model, which measures instead of the built-in analysis; may be repeated.
    built_in
        With --model: the built-in analysis measures too.
    formats
        Forms of results, with commas between; all: every one that is known.
    language
        Of texts in results: en, de, fr, es, it, nl, pt, sv, ja or zh.
    option
        What reports hold, as in [peers.report] of the settings: codes=legacy; may be repeated.
    pages
        Write an HTML page of each case to cases/.
    """
    from reread.deployments import consoles, folder_runs
    from reread.deployments.workers import available_cores

    if not paths:
        raise RereadError("name at least one file or folder")
    with consoles.progress_bar(console):
        outcome = folder_runs.measure_paths(
            paths,
            out,
            workers=workers or available_cores(),
            models=model,
            built_in=built_in,
            formats=formats_of(formats),
            language=language,
            report_options=option,
            pages=pages,
        )
    console.print(consoles.case_table(outcome.outcomes))
    consoles.rejection_lines(console, outcome.rejected)
    consoles.unwritten_lines(console, outcome.outcomes)
    for path in outcome.files:
        console.print(str(path), soft_wrap=True)
    console.print(f"[bold]{consoles.NOTICE}[/]")
    unwritten = any(case.unwritten for case in outcome.outcomes)
    return 0 if any(case.failure is None for case in outcome.outcomes) and not unwritten else 1


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
