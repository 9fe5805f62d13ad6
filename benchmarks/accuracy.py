"""Accuracy against the ground truth of mini-MIAS, scored by the shared referee.

    python -m benchmarks.accuracy --shared PATH [--keep FOLDER]

PATH holds `data/mias`, `tools/mias_to_dicom.py` and `tools/score.py`. Images become DICOM in a temporary folder,
are read through `read_mammogram`, measured by `MammographyAnalysis` and scored in a process of its own. Nothing
outside the temporary folder (or FOLDER) is written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.records import ImageResult
from reread.connectors.mammograms import read_mammogram


def measure(path: Path) -> ImageResult:
    return MammographyAnalysis().measure(read_mammogram(path))


def write(results: list[ImageResult], folder: Path) -> tuple[Path, Path]:
    """`findings.parquet` and `density.parquet` with the columns that the referee reads."""
    findings = [
        {
            "sop_instance_uid": result.header.sop_instance_uid,
            "kind": finding.kind.value,
            "x_px": finding.x_px,
            "y_px": finding.y_px,
            "score": finding.score,
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


def run(shared: Path, folder: Path) -> None:
    mias = shared / "data" / "mias"
    images = folder / "dicom"
    subprocess.run([sys.executable, shared / "tools" / "mias_to_dicom.py", mias, images], check=True)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(measure, sorted(images.glob("*.dcm")), chunksize=4))
    for result in results:
        if not result.succeeded:
            print(f"failed: {result.header.sop_instance_uid}: {result.failure_detail}")
    found = sum(result.pectoral is not None for result in results)
    print(f"{len(results)} images measured, muscle found on {found}")
    findings, density = write(results, folder)
    score = [sys.executable, shared / "tools" / "score.py", mias / "labels.csv"]
    subprocess.run([*score, "--findings", findings, "--density", density], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/mias and tools/")
    parser.add_argument("--keep", type=Path, help="keep DICOM and tables in this folder")
    given = parser.parse_args()
    if not (given.shared / "data" / "mias" / "labels.csv").is_file():
        parser.error(f"{given.shared} holds no data/mias/labels.csv")
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        run(given.shared.resolve(), given.keep.resolve())
    else:
        with TemporaryDirectory() as folder:
            run(given.shared.resolve(), Path(folder))


if __name__ == "__main__":
    main()
