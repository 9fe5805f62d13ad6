"""Reports of others into the warehouse: what the door kept is read, each object once for each version of the reader."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from reread.analytics.errors import InputError
from reread.analytics.schema_reports import REPORT_TABLES
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_holdings import HeldObject, Mark
from reread.connectors.reports.report_reading import read_report
from reread.connectors.reports.report_rows import READER, ReportSource, Row, report_rows, unread_rows
from reread.connectors.warehouse import Warehouse

LOG = logging.getLogger(__name__)

REPORT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
        "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
        "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
        "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
        "1.2.840.10008.5.1.4.1.1.88.35",  # Extensible SR
        "1.2.840.10008.5.1.4.1.1.88.50",  # Mammography CAD SR
    }
)
"""Dose reports, procedure logs and the like are structured reports too, but say nothing of findings."""
_MARK = "reports"
_OUR_NAME = "Reread"
_AT_A_TIME = 200
_UIDS_IN_QUERY = 2000


@dataclass(frozen=True, slots=True)
class ReportCounts:
    """What became of the reports that were new; `problems` has one line for each report that has some."""

    read: int = 0
    own: int = 0
    """reports that Reread wrote, here or elsewhere"""
    unreadable: int = 0
    findings: int = 0
    densities: int = 0
    items: int = 0
    problems: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.read + self.own + self.unreadable

    @property
    def sentence(self) -> str:
        """One line for the person; empty when there were none."""
        if not self.total:
            return ""
        parts = [f"{self.read} read ({self.findings} findings, {self.densities} densities, {self.items} other items)"]
        parts += [f"{self.own} of our own"] if self.own else []
        parts += [f"{self.unreadable} unreadable"] if self.unreadable else []
        return "reports: " + ", ".join(parts)


def record_reports(ledger: Ledger, spool: Path, warehouse: Warehouse, run_id: str) -> ReportCounts:
    """Read the structured reports that came and that the warehouse does not know yet.

    A crash leaves reports that are read again; a repetition adds nothing. One that cannot be read has its row too.
    Only what came since the last time is looked at: the ledger keeps a mark, which moves when rows are on the disk.
    From the beginning it goes with another version of the reader, or when the rows written last are gone.

    Parameters
    ----------
    spool
        Root of the spool.
    run_id
        Stands in every row.
    """
    begun = ledger.mark(_MARK)
    reader, _, part = begun.note.partition("\n")
    if reader != READER or (part and not warehouse.has_reports(part)):
        begun, part = Mark(), ""
    last = ledger.last_instance()
    if last == begun.number:
        return ReportCounts()
    new = _unknown(ledger.held_of_classes(REPORT_CLASSES, begun.number), warehouse)
    ours = ledger.written_here([item.sop_instance_uid for item in new])
    counts: Counter[str] = Counter()
    problems: list[str] = []
    now = datetime.now(UTC)
    for at in range(0, len(new), _AT_A_TIME):
        group = sorted(new[at : at + _AT_A_TIME], key=lambda item: item.sop_instance_uid)
        rows: dict[str, list[Row]] = {name: [] for name in REPORT_TABLES}
        for item in group:
            for name, found in _rows(item, spool, item.sop_instance_uid in ours, run_id, now).items():
                rows[name] += found
        for document in rows["reported_documents"]:
            counts["own" if document["origin"] != "others" else document["status"]] += 1
            problems += _lines(document)
        for name in ("reported_findings", "reported_density", "reported_items"):
            counts[name] += len(rows[name])
        tables = {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in REPORT_TABLES.items()}
        part = _part(group)
        warehouse.record_reports(tables, part=part)
        ledger.set_mark(_MARK, Mark(max(item.number for item in group), f"{READER}\n{part}"))
    ledger.set_mark(_MARK, Mark(last, f"{READER}\n{part}"))
    return ReportCounts(
        counts["read"],
        counts["own"],
        counts["unreadable"],
        counts["reported_findings"],
        counts["reported_density"],
        counts["reported_items"],
        tuple(problems),
    )


def _unknown(held: Sequence[HeldObject], warehouse: Warehouse) -> list[HeldObject]:
    """Those that have no rows by this reader: after a crash, or with an older ledger, some have."""
    first = {item.sop_instance_uid: item for item in reversed(held)}
    if not first:
        return []
    warehouse.prepare()
    asked = f"SELECT DISTINCT report_uid, dataset_digest FROM reported_documents WHERE reader = '{READER}'"
    if len(first) <= _UIDS_IN_QUERY:
        # the door let no UID in that is more than digits and dots
        asked += f" AND report_uid IN ({', '.join(repr(uid) for uid in first)})"
    known = set(warehouse.query(asked).rows)
    new = [item for item in first.values() if (item.sop_instance_uid, item.dataset_digest) not in known]
    return sorted(new, key=lambda item: item.number)


def _part(group: Sequence[HeldObject]) -> str:
    """The same reports by the same reader, the same name: a repetition replaces what a crash left."""
    told = sha256(READER.encode())
    for item in group:
        told.update(f"\0{item.sop_instance_uid}\0{item.dataset_digest}".encode())
    return f"reports-{told.hexdigest()[:24]}"


def _rows(item: HeldObject, spool: Path, is_own: bool, run_id: str, now: datetime) -> dict[str, list[Row]]:
    facts: dict[str, Any] = {
        "report_uid": item.sop_instance_uid,
        "sop_class_uid": item.sop_class_uid,
        "series_instance_uid": item.series_instance_uid,
        "study_instance_uid": item.study_instance_uid,
        "woman": item.woman,
        "study_date": item.study_date,
        "dataset_digest": item.dataset_digest,
        "run_id": run_id,
        "recorded_at": now,
    }
    if is_own:
        return unread_rows(ReportSource(**facts, origin="own"), "own")
    try:
        read = read_report(spool / item.path)
        origin = "reread" if read.report.producer.manufacturer == _OUR_NAME else "others"
        return report_rows(read, ReportSource(**facts, origin=origin))
    except InputError as error:
        problem = str(error)
    except Exception as error:  # a tree that nobody has thought of costs its own report, never the night
        LOG.error("report %s could not be read: %s", item.sop_instance_uid, type(error).__name__)
        problem = f"cannot be read ({type(error).__name__})"
    return unread_rows(ReportSource(**facts, origin="others"), "unreadable", [f"1: {problem}"])


def _lines(document: Row) -> Iterator[str]:
    found = document["problems"]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"report {document['report_uid']} ({document['status']}): {found[0]}{more}"
