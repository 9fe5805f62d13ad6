"""What a person sees on the terminal: tables, one progress bar, clear lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from reread.analytics.records import RejectedImage
from reread.tasks.outcomes import StudyOutcome
from reread.tasks.progress import watched_by
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

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


def case_table(outcomes: Iterable[StudyOutcome]) -> Table:
    """Views, density, findings and seconds of each case, under the first digits of its pseudonym."""
    table = Table(title="Cases", title_justify="left")
    table.add_column("case", no_wrap=True)
    table.add_column("views")
    for name in ("density", "a–d", "masses", "clusters", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        density = f"{outcome.percent_density:.1f} %" if outcome.percent_density is not None else "–"
        table.add_row(
            outcome.woman[:8],
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
        console.print(f"[yellow]not measured[/] {escape(image.path)}: {escape(image.reason.sentence + detail)}")


def answer_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """The answer to a query."""
    table = Table()
    for column in columns:
        table.add_column(escape(column))
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "[dim]null[/]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(str(value))
