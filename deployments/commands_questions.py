"""Commands that ask and change nothing: numbers, states, peers, the installation, its settings."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.markup import escape

from reread.analytics.errors import RereadError
from reread.deployments.terminal import SettingsFile, console


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


def status(*, data: Path | None = None, settings: SettingsFile = None) -> int:
    """How much there is in each state, and what went wrong.

    Parameters
    ----------
    data
        Data folder; default: that of the settings.
    """
    from reread.deployments.consoles import COHORT_COLUMNS, cohort_rows, print_answer, rejection_lines, trouble_lines
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
        troubles = services.ledger.troubles()
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
    trouble_lines(console, troubles)
    disk = disk_check(site)
    if not disk.ok:
        console.print(f"[red]{escape(disk.text)}[/]", soft_wrap=True)
    return 0


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


def check_settings(*, settings: SettingsFile = None) -> int:
    """Validate the settings and print them as they are in force; passwords are masked."""
    from reread.deployments.settings import load_settings
    from reread.deployments.settings_text import resolved_text

    console.print(resolved_text(load_settings(settings)), highlight=False, markup=False, soft_wrap=True)
    return 0


def example_settings() -> int:
    """Print a settings file with every field, its default and its meaning."""
    from reread.deployments.settings_text import example_text

    sys.stdout.write(example_text())
    return 0
