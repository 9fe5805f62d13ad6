"""Density and anatomy against truth: cross-validated on mini-MIAS, and on simulated examinations.

    python -m benchmarks.density --shared PATH                  # settings, not the form, chosen inside folds
    python -m benchmarks.density --shared PATH --skin-only      # outlines against skin lines that we traced ourselves
    reread simulate FOLDER --women 14 --seed 909 --vendors A,B,C --quick
    python -m benchmarks.density --simulated FOLDER             # volumes, outlines, nipple, muscle

PATH holds `data/mias`. Intervals are 95 % bootstrap intervals by woman.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from reread.analytics.breast import find_breast
from reread.analytics.density import DensityParameters, measure_density
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Acquisition, ImageHeader, Laterality, Mammogram, Size, View
from reread.analytics.volumetric import VolumetricParameters, measure_volume
from reread.connectors.mammograms import read_mammogram

Array = np.ndarray[Any, Any]
SETTINGS = [
    DensityParameters(window_mm=window, background_mm=background, level_weight=weight, dense_from=dense)
    for window, background, weight, dense in itertools.product(
        (1.2, 1.6, 2.4), (3.0, 6.0), (0.3, 0.5, 0.8), (0.4, 0.5, 0.6, 0.7, 0.8)
    )
]
LOGARITHMS = 6.0
"""what the simulated device with logarithmic raw values spans; a real site states its own"""


def film(folder: Path, row: dict[str, str]) -> Mammogram:
    """One film of mini-MIAS, without going through DICOM."""
    pixels = np.asarray(cv2.imread(str(folder / f"{row['image']}.png"), cv2.IMREAD_GRAYSCALE), np.float32) / 255
    side = Laterality(row["side"])
    header = ImageHeader(
        "2.25.1", "", "", "2.25.1", *pixels.shape, side, View.MLO, Size(0.2, 0.2), False, "", "", "", "", "", "", "",
        ("A" if side is Laterality.LEFT else "P", "F"), (), "", Acquisition(),
    )  # fmt: skip
    return Mammogram(header, pixels)


def area(positive: Array, negative: Array) -> float:
    """Area under the curve."""
    wins = (positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean()
    return float(wins)


def figures(value: Array, tissue: Array, left: Array, right: Array) -> Array:
    """Spearman, AUC dense, AUC fatty, left against right."""
    return np.array(
        [
            spearmanr(value, tissue).statistic,
            area(value[tissue == 2], value[tissue < 2]),
            area(value[tissue > 0], value[tissue == 0]),
            spearmanr(left, right).statistic,
        ]
    )


def films(mias: Path) -> None:
    with (mias / "labels.csv").open() as file:
        rows = list({row["image"]: row for row in csv.DictReader(file)}.values())
    tissue = np.array(["FGD".index(row["tissue"]) for row in rows])
    woman = np.array([int(row["case"]) for row in rows])
    on_left = np.array([row["side"] == "L" for row in rows])
    values = np.empty((len(SETTINGS), len(rows)))
    default = np.empty(len(rows))
    for column, row in enumerate(rows):
        breast = find_breast(film(mias, row))
        muscle = find_pectoral(breast, View.MLO)
        values[:, column] = [measure_density(breast, muscle, given).percent_density for given in SETTINGS]
        default[column] = measure_density(breast, muscle).percent_density
    women = np.unique(woman)

    def of(value: Array) -> Array:
        return figures(value, tissue, value[on_left], value[~on_left])

    held_out = []
    for repeat in range(10):
        fold = dict(zip(women, np.random.default_rng(repeat).permutation(len(women)) % 5, strict=True))
        folds = np.array([fold[w] for w in woman])
        value = np.empty(len(rows))
        for k in range(5):
            train = folds != k
            best = int(np.argmax([spearmanr(v[train], tissue[train]).statistic for v in values]))
            value[~train] = values[best][~train]
        held_out.append(of(value))
    rng = np.random.default_rng(20261121)
    draws = []
    for _ in range(2000):
        chosen = rng.choice(women, len(women))
        index = np.concatenate([np.flatnonzero(woman == w) for w in chosen])
        pairs = np.array([[default[(woman == w) & on_left][0], default[(woman == w) & ~on_left][0]] for w in chosen])
        draws.append(figures(default[index], tissue[index], pairs[:, 0], pairs[:, 1]))
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    every = np.array([of(value) for value in values])
    print("Spearman, AUC dense, AUC fatty, left-right")
    print("cross-validated      ", np.mean(held_out, axis=0).round(3), "±", np.std(held_out, axis=0).round(3))
    print("default              ", of(default).round(3), "from", low.round(3), "to", high.round(3))
    print(f"all {len(SETTINGS)} settings     ", np.median(every, axis=0).round(3), "worst", every.min(axis=0).round(3))


def skin_lines(mias: Path) -> None:
    """Dice of the breast region against our own tracing, plain and with a bent grey scale."""
    truth = json.loads((Path(__file__).parent / "skin_lines.json").read_text())
    with (mias / "labels.csv").open() as file:
        rows = {row["image"].removeprefix("mdb"): row for row in csv.DictReader(file)}
    print("skin line, Dice against OUR OWN tracing by eye (benchmarks/skin_lines.json), not an expert's:")
    for power in (1.0, 0.6, 1.5):
        found = {}
        for name, line in truth["films"].items():
            image = film(mias, rows[name])
            region = find_breast(Mammogram(image.header, image.pixels ** np.float32(power))).region
            found[name] = dice(region.outline, np.array(line["skin_line_px"], np.float64), image, line["chest_wall_px"])
        for group in ("hard", "random"):
            value = np.array([found[name] for name in truth[group]])
            print(f"  power {power}, {group:6}: n {value.size}, mean {value.mean():.4f}, worst {value.min():.4f}")


def simulated(folder: Path) -> None:
    truths = {row["sop_instance_uid"]: row for row in pq.read_table(folder / "truth" / "images.parquet").to_pylist()}
    volumes = VolumetricParameters(logarithms_of_full_scale=LOGARITHMS)
    found: dict[str, list[float]] = {}
    patients: list[str] = []

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for path in sorted(folder.rglob("*.dcm")):
        image = read_mammogram(path)
        truth = truths[image.header.sop_instance_uid]
        breast = find_breast(image)
        muscle = find_pectoral(breast, image.header.view)
        nipple = find_nipple(breast, muscle)
        millimetres = image.header.spacing.mean_mm
        note("breast Dice", dice(breast.region.outline, points(truth["skin_line"]), image))
        if truth["nipple_in_profile"] and nipple.confidence >= 0.5:
            away = np.hypot(nipple.x_px - truth["nipple_x_px"], nipple.y_px - truth["nipple_y_px"])
            note("nipple mm", float(away) * millimetres)
        if muscle is not None and (edge := points(truth["muscle_line"])).size:
            line = np.concatenate([np.linspace(a, b, 8) for a, b in itertools.pairwise(edge)])
            distance, _ = cKDTree(line).query(np.array(muscle.muscle.edge))
            note("muscle edge mm", float(distance.mean()) * millimetres)
        if image.header.for_processing:
            score = measure_volume(breast, muscle, image.header, volumes)
            note("volumetric percent error", score.volumetric_percent - truth["volumetric_percent"])
            note("breast volume error %", 100 * (score.breast_volume_cm3 / truth["breast_cm3"] - 1))
            note("gland volume error %", 100 * (score.gland_volume_cm3 / truth["gland_cm3"] - 1))
            note("volumetric percent", score.volumetric_percent)
            note("true volumetric percent", truth["volumetric_percent"])
            patients.append(truth["patient_id"])
        kind = "raw" if image.header.for_processing else "shown"
        note(f"area percent, {kind}", measure_density(breast, muscle).percent_density)
        note(f"true area percent, {kind}", truth["area_percent"])
    for name in ("breast Dice", "nipple mm", "muscle edge mm"):
        value = np.array(found[name])
        print(f"{name}: n {value.size}, mean {value.mean():.3f}, median {np.median(value):.3f}, worst "
              f"{value.min() if 'Dice' in name else value.max():.3f}")  # fmt: skip
    for name in ("volumetric percent error", "breast volume error %", "gland volume error %"):
        value = np.array(found[name])
        low, high = by_woman(value, patients, lambda part: float(np.abs(part).mean()))
        print(f"{name}: mean absolute {np.abs(value).mean():.2f} [{low:.2f}, {high:.2f}], bias {value.mean():+.2f}")
    for name in ("volumetric percent", "area percent, raw", "area percent, shown"):
        if name in found:
            print(f"{name}: Spearman with truth {spearmanr(found[name], found['true ' + name]).statistic:.3f}")


def points(line: Any) -> Array:
    """A line of a truth table as (n, 2)."""
    line = json.loads(line) if isinstance(line, str) else line
    return np.array([list(p.values()) if isinstance(p, dict) else list(p) for p in line or ()], dtype=np.float64)


def dice(outline: Any, skin: Array, image: Mammogram, wall: int | None = None) -> float:
    """Overlap with the region between the true skin line and the chest wall."""
    if wall is None:
        wall = 0 if image.header.laterality is Laterality.LEFT else image.header.columns - 1
    shapes = (np.vstack([[wall, skin[0, 1]], skin, [wall, skin[-1, 1]]]), np.array(outline))
    first, second = (
        cv2.fillPoly(np.zeros(image.pixels.shape, np.uint8), [np.round(s).astype(np.int32)], 1) > 0 for s in shapes
    )
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def by_woman(value: Array, patients: list[str], statistic: Callable[[Array], float]) -> tuple[float, float]:
    """95 % bootstrap interval."""
    names, index = np.unique(patients, return_inverse=True)
    groups = [np.flatnonzero(index == k) for k in range(names.size)]
    rng = np.random.default_rng(20261121)
    draws = [
        statistic(value[np.concatenate([groups[k] for k in rng.integers(0, names.size, names.size)])])
        for _ in range(2000)
    ]
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with data/mias")
    parser.add_argument("--skin-only", action="store_true", help="no density")
    parser.add_argument("--simulated", type=Path, help="folder that `reread simulate` made")
    given = parser.parse_args()
    if not (given.shared or given.simulated):
        parser.error("--shared or --simulated")
    cv2.setNumThreads(1)
    if given.shared:
        skin_lines(given.shared / "data" / "mias")
    if given.shared and not given.skin_only:
        films(given.shared / "data" / "mias")
    if given.simulated:
        simulated(given.simulated)


if __name__ == "__main__":
    main()
