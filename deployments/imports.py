"""`reread import`: files and folders into the spool, structured reports on into the warehouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from reread.connectors.ledger_records import Outcome
from reread.connectors.report_intake import record_reports
from reread.deployments.site_services import SiteServices
from reread.tasks.progress import report_progress


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of the files; `lines` is for the person."""

    queued: int
    rejected: int
    lines: tuple[str, ...]
    reports: int = 0
    """structured reports that the warehouse did not know"""


def import_paths(paths: Sequence[Path], services: SiteServices) -> ImportSummary:
    """Take every file in, then close the studies that were touched: an import is complete by itself.

    Structured reports are read into the warehouse at once, those that came another way and wait for the night too.

    Raises
    ------
    OSError
        The disk is full; what was booked stays, a repetition completes it.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        files += sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    counts: Counter[str] = Counter()
    lines: list[str] = []
    for done, (path, reception) in enumerate(services.intake.import_files(files), 1):
        report_progress("importing", done, len(files))
        if reception.outcome is None:
            reason = reception.admission.reason
            counts["rejected"] += 1
            lines.append(f"rejected {path}: {reason.sentence if reason else reception.admission.comment}")
        elif reception.outcome is Outcome.NEW:
            counts[reception.admission.disposition.value] += 1
        else:
            counts[reception.outcome.value] += 1
            if reception.outcome is Outcome.CONFLICT:
                lines.append(f"conflict {path}: another object under a SOP Instance UID that was here before")
    total = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "nothing found"
    queued = counts["queued"] + counts["duplicate"]
    reports = record_reports(services.ledger, services.spool.root, services.warehouse, f"import-{uuid4()}")
    lines += [*reports.problems, f"{len(files)} files: {total}"]
    lines += [reports.sentence] if reports.total else []
    return ImportSummary(queued, counts["rejected"], tuple(lines), reports.total)
