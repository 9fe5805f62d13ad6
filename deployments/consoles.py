"""What a person sees on the terminal: tables, one progress bar, clear lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from reread.analytics.records import RejectedImage
from reread.connectors.ledger_records import Cohort
from reread.connectors.ledger_troubles import Step, Trouble
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.progress import watched_by

NOTICE = "Research and quality software, not a medical device."


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A bar that follows `reread.tasks.progress`; on a pipe it stays silent."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        lines: dict[str, TaskID] = {}

        def watch(step: str, done: int, total: int) -> None:
            if step not in lines:
                for earlier in lines.values():
                    bar.remove_task(earlier)
                lines.clear()
                lines[step] = bar.add_task(step, total=total or None)
            bar.update(lines[step], completed=done, total=total or None)

        with watched_by(watch):
            yield bar


def case_table(outcomes: Sequence[StudyOutcome]) -> Table:
    """Views, density, findings and seconds of each case, under the first digits of its pseudonym.

    A row for each analysis, which is named if there are several.
    """
    several = len({outcome.provenance.algorithm for outcome in outcomes}) > 1
    table = Table(title="Cases", title_justify="left")
    table.add_column("case", no_wrap=True)
    if several:
        table.add_column("analysis", no_wrap=True)
    table.add_column("views")
    for name in ("density", "a–d", "masses", "clusters", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        density = f"{outcome.percent_density:.1f} %" if outcome.percent_density is not None else "–"
        table.add_row(
            outcome.woman[:8],
            *([outcome.provenance.algorithm] if several else []),
            outcome.views or (outcome.failure.sentence if outcome.failure else "–"),
            density,
            outcome.category or "–",
            str(outcome.mass_marks),
            str(outcome.calcification_marks),
            f"{outcome.seconds:.1f}",
        )
    return table


def rejection_lines(console: Console, rejected: Sequence[RejectedImage]) -> None:
    """One line for each file that could not be used."""
    for image in rejected:
        detail = f" ({image.detail})" if image.detail else ""
        line = f"[yellow]not measured[/] {escape(image.path)}: {escape(image.reason.sentence + detail)}"
        console.print(line, soft_wrap=True)


def unwritten_lines(console: Console, outcomes: Iterable[StudyOutcome]) -> None:
    """One line for each form of results that could not be written."""
    for outcome in outcomes:
        for form, cause in outcome.unwritten.items():
            line = f"[yellow]not written[/] {escape(form)} of study {outcome.study_instance_uid}: {escape(cause)}"
            console.print(line, soft_wrap=True)


def trouble_lines(console: Console, troubles: Sequence[Trouble]) -> None:
    """One line for each of the newest causes, and how many more there are."""
    for one in troubles[-_TROUBLES_SHOWN:]:
        mark = "[red]given up[/]" if one.final else "[yellow]tried again[/]"
        objects = f", {one.count} objects" if one.count > 1 else ""
        why = f": {escape(one.detail)}" if one.detail else ""
        to = "to " if one.step is Step.DELIVER else ""
        line = f"{mark} study {one.study_instance_uid}, {one.step} {to}{escape(one.what)}{objects}{why}"
        console.print(line, soft_wrap=True, highlight=False)
    if len(troubles) > _TROUBLES_SHOWN:
        console.print(f"and {len(troubles) - _TROUBLES_SHOWN} older ones")


_TROUBLES_SHOWN = 30
COHORT_COLUMNS = ("cohort", "from", "to", "state", "studies", "instances", "evidence")


def cohort_rows(cohorts: Iterable[Cohort]) -> list[tuple[object, ...]]:
    """One row for each cohort that was collected."""
    return [
        (
            one.number,
            one.key.calling_ae_title,
            one.key.called_ae_title,
            "open" if one.is_open else "closed",
            one.studies,
            one.instances,
            one.evidence,
        )
        for one in cohorts
    ]


def print_answer(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The answer to a query: a table, or one line per value when the columns do not fit side by side."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(column), *(len(row[k]) for row in cells)) if cells else len(column) for k, column in enumerate(columns)
    ]
    if sum(widths) + 3 * len(columns) + 1 <= console.width or not cells:
        table = Table()
        for column in columns:
            table.add_column(escape(column))
        for row in cells:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    name_width = max(map(len, columns))
    for number, row in enumerate(cells, 1):
        console.rule(f"row {number} of {len(cells)}", align="left")
        for column, value in zip(columns, row, strict=True):
            console.print(
                f"[cyan]{escape(column.ljust(name_width))}[/]  {escape(value)}", soft_wrap=True, highlight=False
            )


def _cell(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
