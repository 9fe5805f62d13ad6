"""The page that a person opens: every case with its images, marks and numbers. One HTML file, no network.

Made from the warehouse alone, so it shows what is recorded and nothing else; no patient data is in it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reread.connectors.picture_files import picture_path
from reread.connectors.warehouse import Warehouse

_CASES_SHOWN = 500

_STUDIES = """
SELECT study_instance_uid, study_revision, woman, study_date, views, percent_density, category,
       mass_marks, calcification_marks, seconds, image_count, measured_count, algorithm, version, recorded_at
FROM current_studies
ORDER BY recorded_at DESC, study_instance_uid, algorithm
LIMIT {limit}
"""

_IMAGES = """
SELECT i.sop_instance_uid, i.laterality, i.view, i.status, i.reason, i.detail, i.inferred, i.source,
       d.percent_density, i.nipple_confidence, i.study_instance_uid, i.algorithm
FROM images AS i
JOIN current_studies AS s USING (study_instance_uid, study_revision, algorithm, run_id)
LEFT JOIN density AS d USING (study_instance_uid, study_revision, algorithm, run_id, sop_instance_uid)
ORDER BY i.study_instance_uid, i.algorithm, i.view, i.laterality DESC, i.source
"""

_MARKS = """
SELECT sop_instance_uid, algorithm, kind, score, operating_point, size_mm, nipple_distance_mm, member_count
FROM marks
ORDER BY sop_instance_uid, algorithm, kind, score DESC
"""

_ORPHANS = """
SELECT source, reason, detail FROM images WHERE status <> 'measured' AND study_revision = 0 ORDER BY source
"""


@dataclass(frozen=True, slots=True)
class ReportMark:
    """One finding at an operating point."""

    kind: str
    score: float
    operating_point: int
    size_mm: float
    nipple_distance_mm: float | None
    member_count: int


@dataclass(frozen=True, slots=True)
class ReportImage:
    """One image of a case."""

    name: str
    picture: str
    """relative to the page; empty when there is none"""
    status: str
    reason: str
    detail: str
    inferred: tuple[str, ...]
    percent_density: float | None
    marks: tuple[ReportMark, ...]


@dataclass(frozen=True, slots=True)
class ReportCase:
    """One study under one analysis."""

    study_instance_uid: str
    revision: int
    woman: str
    study_date: date | None
    views: str
    percent_density: float | None
    category: str
    mass_marks: int
    calcification_marks: int
    seconds: float
    image_count: int
    measured_count: int
    algorithm: str
    version: str
    images: tuple[ReportImage, ...]


def write_report(warehouse: Path, pictures: Path, page: Path) -> Path:
    """Write the report page.

    Parameters
    ----------
    warehouse
        Root of the warehouse.
    pictures
        Folder of the pictures (`picture_files.picture_path`).
    page
        The file to write; it appears whole or not at all.
    """
    store = Warehouse(warehouse)
    orphans = store.query(_ORPHANS).rows
    environment = Environment(
        loader=PackageLoader("reread.connectors", "."), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    text = environment.get_template("report_page.html").render(
        cases=_cases(store, pictures, page.parent), orphans=orphans, cases_shown=_CASES_SHOWN
    )
    temporary = page.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)
    return page


def _cases(store: Warehouse, pictures: Path, base: Path) -> tuple[ReportCase, ...]:
    marks: dict[tuple[str, str], list[ReportMark]] = {}
    for uid, algorithm, *values in store.query(_MARKS).rows:
        marks.setdefault((uid, algorithm), []).append(ReportMark(*values))
    images: dict[tuple[str, str], list[ReportImage]] = {}
    for row in store.query(_IMAGES).rows:
        uid, laterality, view, status, reason, detail, inferred, source, density, _, study, algorithm = row
        path = picture_path(pictures, study, algorithm, uid) if uid and study and status == "measured" else None
        images.setdefault((study, algorithm), []).append(
            ReportImage(
                name=f"{laterality} {view}" if laterality else source,
                picture=os.path.relpath(path, base) if path is not None and path.exists() else "",
                status=status,
                reason=reason or "",
                detail=detail or "",
                inferred=tuple(inferred or ()),
                percent_density=density,
                marks=tuple(marks.get((uid, algorithm), ())),
            )
        )
    return tuple(
        ReportCase(
            study_instance_uid=row[0],
            revision=row[1],
            woman=row[2],
            study_date=row[3],
            views=row[4],
            percent_density=row[5],
            category=row[6] or "–",
            mass_marks=row[7],
            calcification_marks=row[8],
            seconds=row[9],
            image_count=row[10],
            measured_count=row[11],
            algorithm=row[12],
            version=row[13],
            images=tuple(images.get((row[0], row[12]), ())),
        )
        for row in store.query(_STUDIES.format(limit=_CASES_SHOWN)).rows
    )
