"""A report that was read as rows of the tables of `reread.analytics.schema_reports`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reread.analytics.records import Contour
from reread.analytics.tables import parse_study_date
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.cad_records import CadImage, CadProducer, CadReport
from reread.connectors.reports.code_profiles import modern_value
from reread.connectors.reports.density_rows import densities, where
from reread.connectors.reports.finding_natures import NATURES, kind_of
from reread.connectors.reports.finding_records import CadAlgorithm, CadFinding, CadGraphic, Path
from reread.connectors.reports.kept_items import InColumns, kept_items
from reread.connectors.reports.report_reading import ReadReport

Row = dict[str, Any]

READER = "1"
"""a new one reads all reports again"""
_LONGEST = 4096
_REGION = "111030"


@dataclass(frozen=True, slots=True)
class ReportSource:
    """What is known of a report from where it was booked."""

    report_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    woman: str
    """keyed pseudonym"""
    study_date: str
    dataset_digest: str
    origin: str
    """others, own or reread"""
    run_id: str
    recorded_at: datetime


def report_rows(read: ReadReport, source: ReportSource) -> dict[str, list[Row]]:
    """The rows of one report, keyed like `reread.analytics.schema_reports.REPORT_TABLES`.

    Text that holds a word by which the header names a person is left out, as are names of persons.
    """
    report = read.report
    speak = _Discretion(read.identifying)
    stamp = _stamp(report.producer, source)
    images = {image.sop_instance_uid: image for image in report.images}
    key: Row = {"report_uid": source.report_uid, "study_instance_uid": source.study_instance_uid}
    fallback = _algorithm(report)
    used: set[Path] = set()
    findings = [
        {
            **key,
            **_finding(finding, images, used),
            "finding_index": place,
            **stamp,
            **_by(finding.algorithm, fallback, speak),
        }
        for place, finding in enumerate(report.findings)
    ]
    density = [{**key, **row, **stamp, **_by(by, fallback, speak)} for row, by in densities(report, images)]
    rows = [*findings, *density]
    known = InColumns(
        used,
        {value for row in density for value in row.values() if isinstance(value, float)},
        {text for row in rows for text in (row["algorithm"], row["version"], *row["algorithm_parameters"])},
        {finding.path: row for finding, row in zip(report.findings, findings, strict=True)},
    )
    items = [{**key, **row, **stamp, "text": speak(row["text"])} for row in kept_items(read, known)]
    counts = {"finding_count": len(findings), "density_count": len(density), "item_count": len(items)}
    problems = [f"{'.'.join(map(str, problem.path))}: {problem.what}" for problem in report.problems]
    document = {**_document(source, stamp), **_of_report(read), **counts, "status": "read", "problems": problems}
    return {
        "reported_findings": findings,
        "reported_density": density,
        "reported_items": items,
        "reported_documents": [document],
    }


def unread_rows(source: ReportSource, status: str, problems: Iterable[str] = ()) -> dict[str, list[Row]]:
    """The one row of a report of our own, or of one that cannot be read at all."""
    stamp = _stamp(CadProducer(), source)
    empty = ("title_code", "title_scheme", "title_meaning", "template", "language", "completion", "verification")
    more = ("summary", "detections", "analyses", "content_date", "content_time")
    document = {
        **_document(source, stamp),
        **dict.fromkeys((*empty, *more), ""),
        **dict.fromkeys(("finding_count", "density_count", "item_count"), 0),
        "status": status,
        "problems": list(problems),
        "predecessors": [],
    }
    return {"reported_findings": [], "reported_density": [], "reported_items": [], "reported_documents": [document]}


class _Discretion:
    """Passes text on unless it names a person: whole words, as a name may be a part of another word."""

    def __init__(self, identifying: frozenset[str]) -> None:
        names = "|".join(re.escape(word) for word in sorted(identifying))
        self._named = re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE) if names else None

    def __call__(self, text: str) -> str:
        return "" if self._named is not None and self._named.search(text) else text[:_LONGEST]


def _document(source: ReportSource, stamp: Row) -> Row:
    day = parse_study_date(source.study_date)
    return {
        "report_uid": source.report_uid,
        "study_instance_uid": source.study_instance_uid,
        "sop_class_uid": source.sop_class_uid,
        "series_instance_uid": source.series_instance_uid,
        "woman": source.woman,
        "study_date": day,
        "study_year": day.year if day else 0,
        "origin": source.origin,
        "dataset_digest": source.dataset_digest,
        "reader": READER,
        **stamp,
    }


def _of_report(read: ReadReport) -> Row:
    report, title = read.report, read.root.concept
    document = report.document
    return {
        "content_date": document.content_date,
        "content_time": document.content_time,
        "title_code": title.value if title else "",
        "title_scheme": title.scheme if title else "",
        "title_meaning": title.meaning if title else "",
        "template": document.template,
        "language": document.language,
        "completion": document.completion,
        "verification": document.verification,
        "summary": report.summary,
        "detections": report.detections,
        "analyses": report.analyses,
        "predecessors": list(document.predecessors),
    }


def _stamp(producer: CadProducer, source: ReportSource) -> Row:
    return {
        "producer": producer.manufacturer,
        "model": producer.model,
        "software_versions": ", ".join(producer.software_versions),
        "run_id": source.run_id,
        "recorded_at": source.recorded_at,
    }


def _algorithm(report: CadReport) -> CadAlgorithm:
    """Of the whole report: the one that all its parts name, where there is only one name."""
    named = {(item.name, item.version) for item in report.algorithms}
    return CadAlgorithm(*next(iter(named))) if len(named) == 1 else CadAlgorithm()


def _by(algorithm: CadAlgorithm, fallback: CadAlgorithm, speak: _Discretion) -> Row:
    stated = algorithm if algorithm.name else fallback
    return {
        "algorithm": speak(stated.name),
        "version": speak(stated.version),
        "algorithm_parameters": [speak(item) for item in stated.parameters],
    }


def _finding(finding: CadFinding, images: Mapping[str, CadImage], used: set[Path]) -> Row:
    place, place_from = _place(finding)
    count = finding.calcification_count
    if count is None and finding.kind == "calcification" and finding.members:
        count = len(finding.members)
    code = modern_value(finding.code.value)
    nature = finding.nature or NATURES.get(code)
    row: Row = {
        **where(finding.sop_instance_uid, images),
        "path": ".".join(map(str, finding.path)),
        "kind": kind_of(code) if code in NATURES else finding.kind,
        "finding_code": finding.code.value,
        "finding_scheme": finding.code.scheme,
        "finding_meaning": finding.code.meaning,
        "intent": finding.intent,
        "x_px": place[0] if place else None,
        "y_px": place[1] if place else None,
        "place_from": place_from,
        "operating_point": finding.operating_point,
        "member_count": count,
        "nature": nature.value if nature else None,
        "match": finding.match,
        "composite": finding.composite,
    }
    for name in _NUMBERS:
        row[name] = getattr(finding, name)
    for end, at in enumerate(finding.long_axis, 1):
        row[f"long_axis_x{end}_px"], row[f"long_axis_y{end}_px"] = at
    for concept, column in _COLUMN_OF.items():
        quantity = finding.quantity(concept)
        if quantity is not None and row.get(column) is not None:
            used.add(quantity.path)
    return row


_COLUMN_OF = {
    c.LONG_AXIS: "size_mm",
    c.AREA: "area_mm2",
    c.NIPPLE_DISTANCE: "nipple_distance_mm",
    c.CHEST_WALL_DISTANCE: "chest_wall_distance_mm",
    c.CERTAINTY: "certainty_percent",
    c.CALCIFICATION_COUNT: "member_count",
    own.SCORE: "score",
    own.EVIDENCE: "evidence",
    own.CONTRAST: "contrast_percent",
    own.MARGIN_WIDTH: "margin_mm",
    own.SPICULATION: "spiculation_percent",
    own.PLACE_IDENTIFIER: "match",
    own.COMPOSITE_IDENTIFIER: "composite",
}
_NUMBERS = (
    "score",
    "certainty_percent",
    "size_mm",
    "nipple_distance_mm",
    "chest_wall_distance_mm",
    "area_mm2",
    "evidence",
    "contrast_percent",
    "margin_mm",
    "spiculation_percent",
)


def _place(finding: CadFinding) -> tuple[tuple[float, float] | None, str]:
    if finding.center is not None:
        return finding.center, "center"
    regions = [item for item in finding.graphics if item.points]
    of_region = [item for item in regions if item.concept.value in (c.OUTLINE.value, _REGION)] or regions
    # the outline of a breast is no place in it
    if not of_region or finding.kind == "breast geometry":
        return None, ""
    return _middle(of_region[0]), "region"


def _middle(graphic: CadGraphic) -> tuple[float, float]:
    points: Contour = graphic.points
    if graphic.graphic_type == "CIRCLE":
        return points[0]
    if graphic.graphic_type == "POLYLINE" and graphic.closed and (middle := _centroid(points)) is not None:
        return middle
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _centroid(points: Contour) -> tuple[float, float] | None:
    """Of the area within a closed line; None when it has none."""
    (x0, y0), *_ = points
    doubled = moment_x = moment_y = 0.0
    for (ax, ay), (bx, by) in zip(points, (*points[1:], points[0]), strict=True):
        ax, ay, bx, by = ax - x0, ay - y0, bx - x0, by - y0
        cross = ax * by - bx * ay
        doubled += cross
        moment_x += (ax + bx) * cross
        moment_y += (ay + by) * cross
    if abs(doubled) < 1e-9:
        return None
    return x0 + moment_x / (3 * doubled), y0 + moment_y / (3 * doubled)
