"""How long result objects take: Mammography CAD SR of a case of 4 views in milliseconds, and the sheet of its views.

    python -m benchmarks.author [--quick]

The report has 20 findings (10 masses, 10 clusters) and 200 single calcifications, with outlines of 32 points and all
metrics. What is timed is from the result to the bytes of the file: content tree, references, patient and equipment
attributes, encoding; not the disk. The sheet is `benchmarks.author_sheet`.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from math import cos, pi, sin
from statistics import median
from time import perf_counter, process_time

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from benchmarks import author_sheet
from reread.analytics.records import (
    BreastRegion,
    DensityScore,
    Finding,
    FindingKind,
    ImageHeader,
    ImageResult,
    Laterality,
    Nipple,
    PectoralMuscle,
    Provenance,
    Shape,
    Size,
    StudyResult,
    View,
)
from reread.connectors.header_values import equipment_values
from reread.connectors.reports.content_encoding import keep_encoded
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.results.cad_sr_form import CadSrForm
from reread.connectors.results.forms import ResultCase
from reread.connectors.services import EXPLICIT_LITTLE

GOAL_MS = 50.0
ROUNDS = 15
FINDINGS_PER_VIEW, CALCIFICATIONS_PER_CLUSTER = 5, 20
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
PROVENANCE = Provenance("reread-mammography", "1.0", "0123456789abcdef", "run", "2026-11-21T05:00:00Z")


def ring(x: float, y: float, radius: float, count: int) -> tuple[tuple[float, float], ...]:
    """Points on a circle."""
    angles = (2 * pi * step / count for step in range(count))
    return tuple((x + radius * cos(angle), y + radius * sin(angle)) for angle in angles)


def finding(number: int, view: int) -> Finding:
    """A mass or, every second time, a cluster."""
    x, y = 500.0 + 300 * (number % FINDINGS_PER_VIEW), 800.0 + 37 * number
    axis = ((x - 60.25, y), (x + 60.25, y))
    shape = Shape(axis, 81.2, 33.3, 1.9, 21.5, 44.1, 63.7)
    if number % 2 == 0:
        return Finding(FindingKind.MASS, x, y, 0.71, number % 3, ring(x, y, 60.25, 32), 9.64, shape=shape, match=view)
    cluster = replace(shape, margin_mm=None, spiculation_percent=None)
    members = ring(x, y, 40.5, CALCIFICATIONS_PER_CLUSTER)
    sizes = (0.31,) * CALCIFICATIONS_PER_CLUSTER
    outline = ring(x, y, 55.5, 32)
    return Finding(
        FindingKind.CALCIFICATION, x, y, 0.62, number % 3, outline, 8.8, members, sizes, evidence=3.2, shape=cluster
    )


def case() -> ResultCase:
    """Four views of 13 megapixels."""
    density = DensityScore(23.4, "b", 4000.0, 17000.0, 0.5)
    images = []
    views = [(side, view) for view in (View.CC, View.MLO) for side in (Laterality.RIGHT, Laterality.LEFT)]
    for place, (side, view) in enumerate(views):
        header = ImageHeader(
            f"2.25.80{place}", FOR_PROCESSING, "2.25.701", "2.25.700", 4096, 3328, side, view, Size(0.07, 0.07),
            for_processing=True, manufacturer="", model="", device_serial="", study_date="20250102",
            study_time="101112", content_date="20250102", content_time="101500", patient_orientation=("A", "FR"),
            inferred=(), input_digest="",
        )  # fmt: skip
        start = place * FINDINGS_PER_VIEW
        found = tuple(finding(number, 1 + place % 2) for number in range(start, start + FINDINGS_PER_VIEW))
        breast = BreastRegion(ring(1000.0, 2000.0, 900.0, 200), 17000.0, side is Laterality.LEFT)
        muscle = PectoralMuscle(ring(300.0, 500.0, 200.0, 60), 900.0, 25.0) if view is View.MLO else None
        images.append(ImageResult(header, breast, muscle, Nipple(1900.0, 2000.0, 0.8), density, found, None, "", ()))
    result = StudyResult("2.25.700", 1, "woman", "20250102", tuple(images), (), density, density, density)
    count = sum(len(one.members) for image in images for one in image.findings)
    assert (sum(len(image.findings) for image in images), count) == (20, 200)
    return ResultCase(result, PROVENANCE, {})


def encoded(made: ResultCase) -> bytes:
    """The file of the report."""
    (draft,) = CadSrForm().drafts(made)
    dataset = draft.dataset
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Test^Anna", "T", "", "F"
    dataset.StudyInstanceUID, dataset.StudyDate, dataset.StudyTime = made.result.study_instance_uid, "20250102", ""
    equipment_values(dataset, made.provenance)
    dataset.SOPInstanceUID = made.instance_uid("mammography-cad-sr")
    dataset.SeriesInstanceUID, dataset.InstanceNumber = made.series_uid("mammography-cad-sr"), 1
    return to_bytes(dataset)


def to_bytes(dataset: Dataset) -> bytes:
    """As a file in explicit VR little endian."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
    keep_encoded(dataset)
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Medians of elapsed time and of processor time, after a first round that is not counted."""
    work()
    gc.collect()
    elapsed, busy = [], []
    for _ in range(ROUNDS):
        start, processor = perf_counter(), process_time()
        work()
        elapsed.append(1000 * (perf_counter() - start))
        busy.append(1000 * (process_time() - processor))
    return median(elapsed), median(busy)


def goal(name: str, measured: float, target: float) -> None:
    """One line for whoever reads the result."""
    print(f"GOAL {name} {measured:.3f} {target:g} {'met' if measured <= target else 'missed'}")


def main(*, quick: bool = False) -> None:
    """Print the figures and the goals."""
    made = case()
    content = encoded(made)
    if encoded(made) != content:
        raise SystemExit("the same result gave other bytes")
    print(f"report of 20 findings and 200 calcifications, {len(content) / 1024:.0f} KiB")
    for profile in CodeProfile:
        chosen = replace(made, options=CadReportOptions(codes=profile))
        elapsed, busy = milliseconds(lambda chosen=chosen: encoded(chosen))
        print(f"  codes {profile}: {elapsed:.1f} ms, {busy:.1f} ms CPU")
        goal(f"ms_per_report_{profile}", elapsed, GOAL_MS)
    author_sheet.main(quick=quick)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two repeats of the sheet")
    main(quick=parser.parse_args().quick)
