"""Study results as tables: the one place where a record becomes rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from math import hypot
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from reread.analytics.records import (
    Finding,
    FindingKind,
    ImageResult,
    Laterality,
    Provenance,
    RejectedImage,
    StudyResult,
    View,
)
from reread.analytics.schema import TABLES
from reread.analytics.tables_quality import quality_columns, repeatability_columns, volumetric_columns

Row = dict[str, Any]

_HANGING_ORDER = [(side, view) for view in (View.CC, View.MLO) for side in (Laterality.RIGHT, Laterality.LEFT)]


def tables(
    studies: Iterable[StudyResult],
    provenance: Provenance,
    *,
    sources: Mapping[str, str] | None = None,
    orphans: Iterable[RejectedImage] = (),
) -> dict[str, pa.Table]:
    """Turn results into one table per schema.

    Parameters
    ----------
    studies
        Results; an empty iterable gives empty tables with their schemas.
    provenance
        Stands in every row.
    sources
        SOP Instance UID -> file name, for the `source` column of the images table.
    orphans
        Files that never came into a study; they stand in the images table with revision 0.

    Returns
    -------
    dict of str to pyarrow.Table
        Keyed like `reread.analytics.schema.TABLES`.
    """
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    stamp = _provenance_columns(provenance)
    for study in studies:
        key: Row = {"study_instance_uid": study.study_instance_uid, "study_revision": study.revision}
        rows["studies"].append({**key, **_study(study), **stamp})
        for image in study.images:
            name = (sources or {}).get(image.header.sop_instance_uid, "")
            rows["images"].append({**key, **_image(image, name), **stamp})
            where: Row = {
                **key,
                "sop_instance_uid": image.header.sop_instance_uid,
                "laterality": image.header.laterality.value,
                "view": image.header.view.value,
            }
            rows["findings"].extend({**where, **row, **stamp} for row in _findings(image))
            if image.density is not None:
                density = {name: getattr(image.density, name) for name in image.density.__slots__}
                rows["density"].append({**where, **density, **volumetric_columns(image), **stamp})
            rows["quality"].append({**where, **quality_columns(image), **stamp})
        rows["images"].extend({**key, **_rejected(refused), **stamp} for refused in study.rejected)
    for orphan in orphans:
        key = {"study_instance_uid": orphan.study_instance_uid, "study_revision": 0}
        rows["images"].append({**key, **_rejected(orphan), **stamp})
    return {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in TABLES.items()}


def parse_study_date(text: str) -> date | None:
    """Read a DICOM DA; None when it is empty or no date."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _provenance_columns(provenance: Provenance) -> Row:
    return {
        "algorithm": provenance.algorithm,
        "version": provenance.version,
        "parameters_digest": provenance.parameters_digest,
        "run_id": provenance.run_id,
        "recorded_at": datetime.fromisoformat(provenance.recorded_at).astimezone(UTC),
    }


def _study(study: StudyResult) -> Row:
    day = parse_study_date(study.study_date)
    measured = [image for image in study.images if image.succeeded]
    marks = [finding.kind for _, finding in study.marks]
    best = {
        kind: max((f.score for image in study.images for f in image.findings if f.kind is kind), default=None)
        for kind in FindingKind
    }
    letters = [score.category for score in (study.left, study.right) if score is not None]
    return {
        "woman": study.woman,
        "study_date": day,
        "study_year": day.year if day else 0,
        "views": views_label(study),
        "image_count": len(study.images) + len(study.rejected),
        "measured_count": len(measured),
        "rejected_count": len(study.rejected) + len(study.images) - len(measured),
        "percent_density": study.density.percent_density if study.density else None,
        "percent_density_left": study.left.percent_density if study.left else None,
        "percent_density_right": study.right.percent_density if study.right else None,
        "category": max(letters, default=None),
        **repeatability_columns(study),
        "mass_marks": marks.count(FindingKind.MASS),
        "calcification_marks": marks.count(FindingKind.CALCIFICATION),
        "highest_mass_score": best[FindingKind.MASS],
        "highest_calcification_score": best[FindingKind.CALCIFICATION],
        "seconds": sum(image.seconds for image in study.images),
    }


def views_label(study: StudyResult) -> str:
    """The measured views as people say them: ``R CC, L CC, R MLO, L MLO``."""
    seen = [(image.header.laterality, image.header.view) for image in study.images if image.succeeded]
    standard = [view for view in _HANGING_ORDER if view in seen]
    others = sorted({view for view in seen if view not in _HANGING_ORDER})
    return ", ".join(f"{side.value} {view.value}" for side, view in [*standard, *others])


def _image(image: ImageResult, source: str) -> Row:
    header = image.header
    return {
        "sop_instance_uid": header.sop_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "source": source,
        "input_digest": header.input_digest,
        "status": "measured" if image.succeeded else "failed",
        "reason": image.failure.value if image.failure else None,
        "detail": image.failure_detail or None,
        "laterality": header.laterality.value,
        "view": header.view.value,
        "rows": header.rows,
        "columns": header.columns,
        "row_spacing_mm": header.spacing.row_spacing_mm,
        "column_spacing_mm": header.spacing.column_spacing_mm,
        "inferred": list(header.inferred),
        "manufacturer": header.manufacturer,
        "model": header.model,
        "breast_area_mm2": image.breast.area_mm2 if image.breast else None,
        "pectoral_area_mm2": image.pectoral.area_mm2 if image.pectoral else None,
        "pectoral_angle_deg": image.pectoral.edge_angle_deg if image.pectoral else None,
        "nipple_x_px": image.nipple.x_px if image.nipple else None,
        "nipple_y_px": image.nipple.y_px if image.nipple else None,
        "nipple_confidence": image.nipple.confidence if image.nipple else None,
        "seconds": image.seconds,
    }


def _rejected(image: RejectedImage) -> Row:
    return {
        "sop_instance_uid": image.sop_instance_uid,
        "series_instance_uid": "",
        "sop_class_uid": "",
        "source": PurePath(image.path).name,
        "input_digest": image.input_digest,
        "status": "rejected",
        "reason": image.reason.value,
        "detail": image.detail or None,
        "inferred": [],
    }


def _findings(image: ImageResult) -> Iterable[Row]:
    for kind in FindingKind:
        of_kind = sorted((f for f in image.findings if f.kind is kind), key=lambda f: -f.score)
        for index, finding in enumerate(of_kind):
            shape = finding.shape
            yield {
                "finding_index": index,
                "kind": kind.value,
                "x_px": finding.x_px,
                "y_px": finding.y_px,
                "score": finding.score,
                "operating_point": finding.operating_point,
                "size_mm": finding.size_mm,
                "nipple_distance_mm": _nipple_distance_mm(image, finding),
                "member_count": len(finding.members),
                "nature": finding.nature.value,
                "evidence": finding.evidence,
                "area_mm2": shape.area_mm2 if shape else None,
                "contrast_percent": shape.contrast_percent if shape else None,
                "margin_mm": shape.margin_mm if shape else None,
                "spiculation_percent": shape.spiculation_percent if shape else None,
                "chest_wall_distance_mm": shape.chest_wall_distance_mm if shape else None,
                **_long_axis(finding),
                "short_axis_mm": shape.short_axis_mm if shape else None,
                "match": finding.match,
                "composite": finding.composite,
            }


def _long_axis(finding: Finding) -> Row:
    ends = finding.shape.long_axis if finding.shape else ()
    return {
        f"long_axis_{axis}{end}_px": value
        for end, at in enumerate(ends, 1)
        for axis, value in zip("xy", at, strict=True)
    }


def _nipple_distance_mm(image: ImageResult, finding: Finding) -> float | None:
    if image.nipple is None:
        return None
    spacing = image.header.spacing
    return hypot(
        (finding.x_px - image.nipple.x_px) * spacing.column_spacing_mm,
        (finding.y_px - image.nipple.y_px) * spacing.row_spacing_mm,
    )
