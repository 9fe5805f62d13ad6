"""The table of operating points and probabilities: measured on mini-MIAS for film, on simulations for digital images.

    reread simulate FOLDER --women N --seed S --vendors A,B,C --lesion-share 0.3       # twice, with two seeds
    python -m benchmarks.operating_points --chosen FOLDER --confirmed FOLDER [--kind calcification] [--write-table]

The curve and the thresholds come from the first folder, sensitivity and false marks that the table states from the
second, whose women nothing was chosen on. `--kind` leaves the entries of the other kind of finding alone. Film is done
by ``python -m benchmarks.accuracy --write-table``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.referee import CLASSES, Candidates, Lesion, Truth, hits, threshold_at
from reread.analytics.calibration import ImageKind, built_in_table, image_kind
from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.records import FindingKind, ImageResult
from reread.connectors.mammograms import read_mammogram

TABLE = Path(__file__).parents[1] / "analytics" / "operating_points.json"

RATES = {FindingKind.MASS: (0.25, 0.5, 1.0), FindingKind.CALCIFICATION: (0.1, 0.25, 0.5)}
"""false marks a normal image at the operating points 0, 1 and 2"""
KINDS = {FindingKind.MASS: ("masses", "asymmetry and distortion"), FindingKind.CALCIFICATION: ("clusters",)}
VERSION = "7"
"""to be raised whenever a number of the table changes"""
LEAST_MM, LEAST_CALCIFICATIONS = 0.2, 4
"""simulated clusters with fewer of this size are not held against a detector"""
READINGS = {"length_mm": "0.2 mm long", "width_mm": "0.2 mm in every direction"}
"""what size is: the first counts for the table, the second is printed as well"""
FILMS = "mini-MIAS, odd cases: 162 oblique film mammograms of 81 women, 0.2 mm, 8 bit"


def evidence(results: Sequence[ImageResult], kind: FindingKind) -> dict[str, Candidates]:
    return {
        result.header.sop_instance_uid: [
            (f.x_px, f.y_px, f.evidence) for f in result.findings if f.kind is kind and f.evidence is not None
        ]
        for result in results
    }


def platt(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of the logistic curve, with the targets that keep it from certainty (Platt 1999)."""
    x = np.concatenate([positive, negative])
    n, m = len(positive), len(negative)
    y = np.concatenate([np.full(n, (n + 1) / (n + 2)), np.full(m, 1 / (m + 2))])

    def loss(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        line = t[0] * x + t[1]
        p = 1 / (1 + np.exp(-line))
        return float((np.logaddexp(0, line) - y * line).sum()), np.array([((p - y) * x).sum(), (p - y).sum()])

    slope, intercept = minimize(loss, np.array([1.0, -3.0]), jac=True, method="L-BFGS-B").x
    return float(slope), float(intercept)


def of_lesions(truth: Truth, found: dict[str, Candidates], kind: FindingKind) -> NDArray[np.float64]:
    """Evidence of every candidate that hits a lesion."""
    lesions = [lesion for name in KINDS[kind] for lesion in truth.of_kind(name)]
    return np.array(
        [
            s
            for image, candidates in found.items()
            for x, y, s in candidates
            if any(lesion.image == image and hits(lesion, x, y) for lesion in lesions)
        ]
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A set of images of one kind: what is true, what was found, and how a table names it."""

    truth: Truth
    found: Mapping[FindingKind, dict[str, Candidates]]
    name: str
    narrower: Truth | None = None
    """the truth by the second of `READINGS`"""

    @staticmethod
    def of(truth: Truth, results: Sequence[ImageResult], name: str, narrower: Truth | None = None) -> Measured:
        return Measured(truth, {kind: evidence(results, kind) for kind in FindingKind}, name, narrower)


def entry(kind: FindingKind, chosen: Measured, confirmed: Measured) -> dict[str, Any]:
    """One entry of the table. Two numbers of a curve and three thresholds: no weights."""
    found = chosen.found[kind]
    false = chosen.truth.false(found)
    slope, intercept = platt(of_lesions(chosen.truth, found, kind), false)
    lesions = [lesion for name in KINDS[kind] for lesion in confirmed.truth.of_kind(name)]
    if not lesions or not any(chosen.truth.of_kind(name) for name in KINDS[kind]):
        raise SystemExit(f"no lesions of kind {kind.value} in the simulated archives: give --kind")
    best, wrong = confirmed.truth.best(lesions, confirmed.found[kind]), confirmed.truth.false(confirmed.found[kind])
    points = []
    for rate in RATES[kind]:
        least = threshold_at(false, rate * len(chosen.truth.normal))
        score = round(1 / (1 + float(np.exp(-(slope * least + intercept)))) + 5e-6, 5)
        points.append(
            {
                "least_score": score,
                "sensitivity": round(float(np.mean(best > least)), 3),
                "false_marks_per_image": round(float((wrong > least).sum()) / len(confirmed.truth.normal), 3),
            }
        )
    return {
        "chosen_on": chosen.name,
        "measured_on": confirmed.name,
        "slope": round(slope, 5),
        "intercept": round(intercept, 5),
        "lesions": len(lesions),
        "normal_images": len(confirmed.truth.normal),
        "points": points,
    }


def write_entries(image: ImageKind, entries: Mapping[FindingKind, dict[str, Any]], path: Path = TABLE) -> None:
    """Put entries of one kind of image into the table; the others stay."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    images = {**raw["images"], image.value: {**raw["images"].get(image.value, {})}}
    images[image.value].update({kind.value: one for kind, one in entries.items()})
    ordered = {
        one.value: {
            kind.value: images[one.value][kind.value] for kind in FindingKind if kind.value in images[one.value]
        }
        for one in ImageKind
        if one.value in images
    }
    path.write_text(json.dumps({"version": VERSION, "images": ordered}, indent=2) + "\n", encoding="utf-8")


def write_film(truth: Truth, results: Sequence[ImageResult]) -> None:
    """The entries of film: chosen and measured on the same films, as there are no others."""
    films = Measured.of(truth, results, FILMS)
    write_entries(ImageKind.FILM, {kind: entry(kind, films, films) for kind in FindingKind})


def measure(path: Path) -> ImageResult:
    return MammographyAnalysis().measure(read_mammogram(path))


def simulated(folder: Path, workers: int = 1) -> dict[ImageKind, Measured]:
    """Measure an archive that `reread simulate` made, raw images and those for presentation apart.

    Each image by itself. Clusters that count have four or more calcifications of 0.2 mm or more; images with other
    clusters are neither normal nor have lesions of that kind.
    """
    images = pq.read_table(folder / "truth" / "images.parquet").to_pylist()
    paths = {row["sop_instance_uid"]: folder / row["file"] for row in images}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(measure, paths.values(), chunksize=2))
    seed = images[0]["patient_id"].removeprefix("SIM").split("-")[0]
    sets = {}
    for kind in ImageKind:
        mine = [result for result in results if image_kind(result.header) is kind]
        if mine:
            truth, narrower = (
                simulated_truth(folder, {result.header.sop_instance_uid for result in mine}, size) for size in READINGS
            )
            name = f"reread simulate, seed {seed}: {len(mine)} views of {len(truth.women)} made women"
            sets[kind] = Measured.of(truth, mine, name, narrower)
    return sets


def simulated_truth(folder: Path, images: Iterable[str], size: str = "length_mm") -> Truth:
    """Lesions and normal images of a simulated archive, for the images given by SOP Instance UID.

    `size` is the column of the calcifications that has to reach `LEAST_MM`.
    """
    wanted = set(images)
    rows = [
        row
        for row in pq.read_table(folder / "truth" / "labels.parquet").to_pylist()
        if row["sop_instance_uid"] in wanted
    ]
    visible = pq.read_table(folder / "truth" / "calcifications.parquet").to_pylist()
    grains: dict[tuple[str, int], int] = defaultdict(int)
    for grain in visible:
        grains[grain["sop_instance_uid"], grain["lesion_number"]] += grain["visible"] and grain[size] >= LEAST_MM
    clusters = {
        (row["sop_instance_uid"], row["x_px"], row["y_px"])
        for row in pq.read_table(folder / "truth" / "lesions.parquet").to_pylist()
        if row["kind"] == "calcification"
        and grains[row["sop_instance_uid"], row["lesion_number"]] >= LEAST_CALCIFICATIONS
    }
    lesions = []
    for row in rows:
        for name, classes in CLASSES.items():
            if row["abnormality"] in classes and row["x_image"] is not None:
                uid, x_px, y_px = row["sop_instance_uid"], row["x_image"], row["y_image_from_top"]
                if name != "clusters" or (uid, x_px, y_px) in clusters:
                    lesions.append(Lesion(uid, str(row["case"]), name, x_px, y_px, row["radius_px"]))
    normal = tuple(sorted(row["sop_instance_uid"] for row in rows if row["abnormality"] == "NORM"))
    return Truth(tuple(lesions), normal, {row["sop_instance_uid"]: str(row["case"]) for row in rows}, {})


def report_points(image: ImageKind, measured: Measured) -> None:
    """Print what the built-in operating points do on these images, and whether probabilities are what they say."""
    table, truth = built_in_table(), measured.truth
    print(f"operating points, table {table.version}, {image.value}: {measured.name}")
    for kind in FindingKind:
        calibration = table.entries.get((image, kind)) or table.entries[ImageKind.FILM, kind]
        found = measured.found[kind]
        lesions = [lesion for name in KINDS[kind] for lesion in truth.of_kind(name)]
        if not lesions:
            continue
        scored = {k: [(x, y, round(calibration.probability(s), 5)) for x, y, s in v] for k, v in found.items()}
        best, false = truth.best(lesions, scored), truth.false(scored)
        for point in calibration.points:
            marked = float(np.mean(best >= point.least_score))
            wrong = float((false >= point.least_score).sum()) / len(truth.normal)
            print(f"  {kind.value:<14}{point.number}  sensitivity {marked:.3f}  false marks an image {wrong:.3f}")
        positive = of_lesions(truth, scored, kind)
        both = np.concatenate([positive, false])
        said, is_lesion = both, np.arange(len(both)) < len(positive)
        order = np.argsort(said)
        for part in np.array_split(order, 5):
            print(f"    said {said[part].mean():.3f}  was {is_lesion[part].mean():.3f}  ({len(part)} candidates)")


def report_sensitivity(image: ImageKind, measured: Measured) -> None:
    """Print the sensitivity at round numbers of false marks a normal image."""
    truths = [truth for truth in (measured.truth, measured.narrower) if truth is not None]
    for kind in FindingKind:
        false = measured.truth.false(measured.found[kind])
        for name in KINDS[kind]:
            for truth, reading in zip(truths, READINGS.values(), strict=False):
                lesions = truth.of_kind(name)
                if not lesions:
                    continue
                best = truth.best(lesions, measured.found[kind])
                at = [threshold_at(false, rate * len(measured.truth.normal)) for rate in (0.25, 0.5, 1.0, 2.0)]
                cells = "  ".join(f"{np.mean(best > least):.2f}" for least in at)
                which = f" ({reading})" if name == "clusters" else ""
                print(f"{image.value:<13}{name}{which}, {len(lesions)}: at 0.25, 0.5, 1, 2 false marks {cells}")
                if name != "clusters":
                    break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chosen", type=Path, required=True, help="simulated archive for the curve and the thresholds")
    parser.add_argument("--confirmed", type=Path, required=True, help="one of another seed for the figures")
    parser.add_argument("--kind", choices=[kind.value for kind in FindingKind], help="only this kind of finding")
    parser.add_argument("--write-table", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    chosen, confirmed = simulated(given.chosen, given.workers), simulated(given.confirmed, given.workers)
    for image, measured in confirmed.items():
        report_sensitivity(image, measured)
        report_points(image, measured)
        if given.write_table and image in chosen:
            kinds = [FindingKind(given.kind)] if given.kind else list(FindingKind)
            write_entries(image, {kind: entry(kind, chosen[image], measured) for kind in kinds})
            print(f"written: {TABLE.name}, {image.value}")


if __name__ == "__main__":
    main()
