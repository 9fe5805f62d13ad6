"""Truth and results from their tables: CSV or Parquet in, the records of an evaluation out.

Truth is one of: a table with the columns of the labels of mini-MIAS (`reread simulate` writes one as `labels`), the
table `images` of `reread simulate`, or the folder of its tables. Results are a folder of `reread measure`, or a
warehouse.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydicom.uid import generate_uid

from reread.analytics.evaluation import (
    CLASSES,
    LEAST_REACH_MM,
    NORMAL,
    QUANTITIES,
    TISSUES,
    EvaluationInvalid,
    MeasuredFinding,
    MeasuredNumbers,
    TruthImage,
    TruthLesion,
)
from reread.connectors.warehouse import CATALOGUE, Warehouse

Row = Mapping[str, Any]

_MIAS_SPACING_MM = 0.2  # mini-MIAS is reduced to 200 micrometres (Suckling et al. 1994)
_TRUTH_COLUMN = {"area_percent": "area_percent", "volumetric_percent": "volumetric_percent"} | {
    "breast_volume_cm3": "breast_cm3"
}
_MEASURED_COLUMN = {"area_percent": "percent_density"} | {
    name: name for name in ("volumetric_percent", "breast_volume_cm3")
}
assert set(_TRUTH_COLUMN) == set(_MEASURED_COLUMN) == set(QUANTITIES)


@dataclass(frozen=True, slots=True)
class MeasuredTables:
    """The results, and what links them to the truth."""

    numbers: MeasuredNumbers
    uids_of_name: Mapping[str, tuple[str, ...]]
    """file name without ending -> SOP Instance UIDs"""
    spacing_mm: Mapping[str, float]
    """by SOP Instance UID"""
    known: frozenset[str] | None
    """SOP Instance UIDs that have a row, refused ones too; None: no table says"""
    algorithms: tuple[str, ...]
    """names with versions"""


def read_measured(folder: Path, algorithm: str = "") -> MeasuredTables:
    """Read a folder of `reread measure`, a warehouse, or a data folder that holds one.

    Parameters
    ----------
    algorithm
        Name in the column ``algorithm``; needed where there are several.

    Raises
    ------
    EvaluationInvalid
        Neither, an image with two results, or several algorithms and none chosen.
    """
    for root in (folder, folder / "warehouse"):
        if (root / CATALOGUE).exists():
            return _measured(algorithm, *(_from_warehouse(root, table) for table in ("findings", "density", "images")))
    found = [_flat(folder, table) for table in ("findings", "density", "images")]
    if found[0] is None and found[1] is None:
        raise EvaluationInvalid(
            f"{folder} holds no findings.parquet and no density.parquet; give the folder of `reread measure --out`"
        )
    return _measured(algorithm, *found)


def _flat(folder: Path, table: str) -> list[Row] | None:
    for suffix in (".parquet", ".csv"):
        if (path := folder / f"{table}{suffix}").is_file():
            return read_rows(path)
    return None


def _from_warehouse(root: Path, table: str) -> list[Row]:
    """Rows of the newest result of each study."""
    answer = Warehouse(root).query(
        f"SELECT t.* FROM {table} AS t"
        " JOIN current_studies USING (study_instance_uid, study_revision, algorithm, run_id)"
    )
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _measured(algorithm: str, *tables: list[Row] | None) -> MeasuredTables:
    everything = [row for rows in tables for row in rows or ()]
    names = sorted({str(row["algorithm"]) for row in everything if row.get("algorithm")})
    if algorithm and algorithm not in names:
        raise EvaluationInvalid(f"no result of {algorithm!r}; there are {', '.join(names) or 'none with a name'}")
    if len(names) > 1 and not algorithm:
        raise EvaluationInvalid(f"results of {', '.join(names)}: say which algorithm")
    chosen = [
        rows if rows is None or not algorithm else [row for row in rows if row.get("algorithm") == algorithm]
        for rows in tables
    ]
    findings, density, images = chosen
    everything = [row for rows in chosen for row in rows or ()]
    candidates = None
    if findings is not None:
        candidates = tuple(
            MeasuredFinding(
                _text(row, "sop_instance_uid"), _text(row, "kind"), *(_must(row, n) for n in ("x_px", "y_px", "score"))
            )
            for row in findings
        )
    numbers: dict[str, dict[str, float]] = {}
    for row in density or ():
        uid = _text(row, "sop_instance_uid")
        if uid in numbers:
            raise EvaluationInvalid(f"two densities of the image {uid}; evaluate one run")
        found = {name: _number(row, column) for name, column in _MEASURED_COLUMN.items()}
        numbers[uid] = {name: value for name, value in found.items() if value is not None}
    uids: dict[str, dict[str, None]] = {}
    spacing: dict[str, float] = {}
    for row in images or ():
        if uid := _text(row, "sop_instance_uid", ""):
            uids.setdefault(Path(_text(row, "source", "")).stem, {})[uid] = None
            if distance := _number(row, "row_spacing_mm"):
                spacing[uid] = distance
    return MeasuredTables(
        numbers=MeasuredNumbers(candidates, None if density is None else numbers),
        uids_of_name={name: tuple(found) for name, found in uids.items() if name},
        spacing_mm=spacing,
        known=None if images is None else frozenset(uid for found in uids.values() for uid in found),
        algorithms=tuple(sorted({f"{row['algorithm']} {row['version']}" for row in everything if row.get("version")})),
    )


def read_truth(path: Path, measured: MeasuredTables) -> tuple[TruthImage, ...]:
    """Read the truth, and find which image each row means.

    A row names its image by ``sop_instance_uid``; without that column by ``image``, a file name without ending: the one
    measured file of that name, else the UID that mini-MIAS files of that name get from the converter of the review.

    Raises
    ------
    EvaluationInvalid
        Columns are missing, a value is unusable, or a name means two files.
    """
    if path.is_dir():
        labels, images = _flat(path, "labels"), _flat(path, "images")
        if labels is None and images is None:
            raise EvaluationInvalid(f"{path} holds neither a table labels nor images, as `reread simulate` writes them")
        return _joined(_labelled(labels or [], measured), _simulated(images or []))
    if not path.is_file():
        raise EvaluationInvalid(f"no such table of truth: {path}")
    rows = read_rows(path)
    columns = set(rows[0]) if rows else set()
    if "abnormality" in columns:
        return tuple(_labelled(rows, measured).values())
    if {"sop_instance_uid", "patient_id", "lesion_count"} <= columns:
        return tuple(_simulated(rows).values())
    raise EvaluationInvalid(
        f"{path.name} is no table of truth: it needs abnormality, case, and image or sop_instance_uid (labels), or is"
        " the images table of `reread simulate`; give the folder for lesions and density together"
    )


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV or Parquet file; CSV values are text.

    Raises
    ------
    EvaluationInvalid
        The file is neither.
    """
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        return list(pq.read_table(path).to_pylist())
    except (pa.ArrowInvalid, csv.Error, UnicodeDecodeError) as error:
        raise EvaluationInvalid(f"{path.name} is neither CSV nor Parquet: {error}") from error


def _labelled(rows: Iterable[Row], measured: MeasuredTables) -> dict[str, TruthImage]:
    images: dict[str, TruthImage] = {}
    for row in rows:
        kind = _text(row, "abnormality")
        if kind not in CLASSES:
            raise EvaluationInvalid(f"abnormality {kind!r} is not known; there are {', '.join(sorted(CLASSES))}")
        uid, spacing = _image_of(row, measured)
        lesions = () if kind == NORMAL else (_lesion(row, kind, spacing),)
        tissue, side = _text(row, "tissue", ""), _text(row, "side", "")
        if tissue and tissue not in TISSUES:
            raise EvaluationInvalid(f"tissue {tissue!r} is not known; there are {', '.join(TISSUES)}")
        image = TruthImage(
            uid, _text(row, "image", uid), _text(row, "case"), side, kind == NORMAL, lesions, tissue, _true(row), ""
        )
        before = images.get(uid)
        if before is not None:
            if before.normal or image.normal:
                raise EvaluationInvalid(f"image {image.name} is normal in one row and not in another, or stands twice")
            if (before.woman, before.side, before.tissue) != (image.woman, image.side, image.tissue):
                raise EvaluationInvalid(f"the rows of image {image.name} differ in case, side or tissue")
            image = replace(before, lesions=(*before.lesions, *lesions))
        images[uid] = image
    return images


def _image_of(row: Row, measured: MeasuredTables) -> tuple[str, float | None]:
    """SOP Instance UID, and the pixel distance where one is known."""
    if uid := _text(row, "sop_instance_uid", ""):
        return uid, measured.spacing_mm.get(uid)
    name = _text(row, "image")
    found = measured.uids_of_name.get(Path(name).name, ())
    if len(found) > 1:
        raise EvaluationInvalid(f"{len(found)} measured files are called {name}; give the truth a sop_instance_uid")
    uid = found[0] if found else str(generate_uid(entropy_srcs=["mini-mias", "image", name]))
    return uid, measured.spacing_mm.get(uid, _MIAS_SPACING_MM)


def _lesion(row: Row, kind: str, spacing_mm: float | None) -> TruthLesion:
    x, y = _number(row, "x_image"), _number(row, "y_image_from_top")
    if x is None or y is None:
        return TruthLesion(kind, None, None, 0.0)
    least = LEAST_REACH_MM / spacing_mm if spacing_mm else 0.0
    return TruthLesion(kind, x, y, max(_must(row, "radius_px"), least))


def _simulated(rows: Iterable[Row]) -> dict[str, TruthImage]:
    """From the images table of `reread simulate`; it says whether there is a lesion, not where."""
    images: dict[str, TruthImage] = {}
    for row in rows:
        uid = _text(row, "sop_instance_uid")
        pairing = " ".join(_text(row, column, "") for column in ("year", "view", "intent"))
        name, normal = _text(row, "file", uid), _must(row, "lesion_count") == 0
        images[uid] = TruthImage(
            uid, name, _text(row, "patient_id"), _text(row, "laterality", ""), normal, (), "", _true(row), pairing
        )
    return images


def _joined(labels: Mapping[str, TruthImage], images: Mapping[str, TruthImage]) -> tuple[TruthImage, ...]:
    """Labels say woman, lesions and tissue; images add numbers and what left and right are compared within."""
    joined = dict(images) | {
        uid: replace(image, numbers={**image.numbers, **more.numbers}, pairing=more.pairing)
        if (more := images.get(uid))
        else image
        for uid, image in labels.items()
    }
    if labels and (missing := len(images.keys() - labels.keys())):
        raise EvaluationInvalid(f"{missing} images of the truth have no row in labels")
    return tuple(joined.values())


def _true(row: Row) -> dict[str, float]:
    found = {name: _number(row, column) for name, column in _TRUTH_COLUMN.items()}
    return {name: value for name, value in found.items() if value is not None}


def _text(row: Row, column: str, default: str | None = None) -> str:
    value = row.get(column)
    if value is None or value == "":
        if default is None:
            raise EvaluationInvalid(f"a row has no {column}")
        return default
    return str(value)


def _number(row: Row, column: str) -> float | None:
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise EvaluationInvalid(f"{column} is no number: {value!r}") from None
    return None if math.isnan(number) else number


def _must(row: Row, column: str) -> float:
    number = _number(row, column)
    if number is None:
        raise EvaluationInvalid(f"a row has no {column}")
    return number
