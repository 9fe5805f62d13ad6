"""Accuracy against the ground truth of mini-MIAS, scored by the shared referee.

    python -m benchmarks.accuracy --shared PATH [--keep FOLDER] [--cross-validate] [--write-table]

PATH holds `data/mias`, `tools/mias_to_dicom.py` and `tools/score.py`. Images become DICOM in a temporary folder, are
read through `read_mammogram`, measured by `MammographyAnalysis`, combined by woman and scored in a process of its own.
`--cross-validate` adds the figures on women that neither a parameter nor a threshold was chosen on.
`--write-table` measures the operating points anew and writes them into the product; nothing else is written outside
the temporary folder (or FOLDER).
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cross_validation import cross_validate
from benchmarks.operating_points import FILMS, TABLE, Measured, measure, report_points, write_film
from benchmarks.referee import Truth
from reread.analytics.calibration import ImageKind
from reread.analytics.records import ImageResult
from reread.analytics.study import combine_study
from reread.connectors.mammograms import read_mammogram


def combined(results: Sequence[ImageResult]) -> list[ImageResult]:
    """The images after left and right of each woman were compared."""
    women = defaultdict(list)
    for result in results:
        women[result.header.study_instance_uid].append(result)
    return [
        image
        for uid, images in sorted(women.items())
        for image in combine_study(
            study_instance_uid=uid, revision=1, woman=uid, study_date="", images=images, rejected=()
        ).images
    ]


def write(results: Sequence[ImageResult], folder: Path) -> tuple[Path, Path]:
    """`findings.parquet` and `density.parquet` with the columns that the referee reads."""
    findings = [
        {
            "sop_instance_uid": result.header.sop_instance_uid,
            "kind": finding.kind.value,
            "nature": finding.nature.value,
            "x_px": finding.x_px,
            "y_px": finding.y_px,
            "score": finding.score,
            "evidence": finding.evidence,
            "operating_point": finding.operating_point,
        }
        for result in results
        for finding in result.findings
    ]
    density = [
        {
            "sop_instance_uid": result.header.sop_instance_uid,
            "percent_density": result.density.percent_density,
            "category": result.density.category,
        }
        for result in results
        if result.density is not None
    ]
    pq.write_table(pa.Table.from_pylist(findings), folder / "findings.parquet")
    pq.write_table(pa.Table.from_pylist(density), folder / "density.parquet")
    return folder / "findings.parquet", folder / "density.parquet"


def run(shared: Path, folder: Path, *, validate: bool, write_table: bool) -> None:
    mias = shared / "data" / "mias"
    images = folder / "dicom"
    subprocess.run([sys.executable, shared / "tools" / "mias_to_dicom.py", mias, images], check=True)
    paths = sorted(images.glob("*.dcm"))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        single = list(pool.map(measure, paths, chunksize=4))
        for result in single:
            if not result.succeeded:
                print(f"failed: {result.header.sop_instance_uid}: {result.failure_detail}")
        results = combined(single)
        found = sum(result.pectoral is not None for result in results)
        print(f"{len(results)} images measured, muscle found on {found}")
        findings, density = write(results, folder)
        score = [sys.executable, shared / "tools" / "score.py", mias / "labels.csv"]
        subprocess.run([*score, "--findings", findings, "--density", density], check=True)
        with (mias / "labels.csv").open() as file:
            truth = Truth.from_rows(list(csv.DictReader(file)), {path.stem: path for path in paths}, read_mammogram)
        if write_table:
            write_film(truth, results)
            print(f"written: {TABLE.name}; run again to see the figures with it")
        else:
            report_points(ImageKind.FILM, Measured.of(truth, results, FILMS))
        if validate:
            cross_validate(truth, pool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/mias and tools/")
    parser.add_argument("--keep", type=Path, help="keep DICOM and tables in this folder")
    parser.add_argument("--cross-validate", action="store_true", help="five folds by woman; some minutes")
    parser.add_argument("--write-table", action="store_true", help="measure the operating points anew")
    given = parser.parse_args()
    if not (given.shared / "data" / "mias" / "labels.csv").is_file():
        parser.error(f"{given.shared} holds no data/mias/labels.csv")
    chosen = {"validate": given.cross_validate, "write_table": given.write_table}
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        run(given.shared.resolve(), given.keep.resolve(), **chosen)
    else:
        with TemporaryDirectory() as folder:
            run(given.shared.resolve(), Path(folder), **chosen)


if __name__ == "__main__":
    main()
