"""Weights of the networks that tell single calcifications on digital images, learned from made images alone.

    reread simulate FOLDER --women 20 --seed S --vendors A,B,C --lesions calcification --lesion-share 0.7    # twice
    python -m benchmarks.train_calcifications FOLDER [FOLDER ...] [--write]

Candidates near a planted calcification are positive, those near benign ones are left out, all others are negative.
Logistic loss, L-BFGS from one seed; four folds by woman show what to expect of women never seen.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from reread.analytics.breast import find_breast
from reread.analytics.calcifications import CalcificationParameters
from reread.analytics.calcifications_learned import SpotNetwork, candidates_of
from reread.analytics.calibration import ImageKind, image_kind
from reread.analytics.frame import resample
from reread.analytics.pectoral import search_pectoral
from reread.connectors.mammograms import read_mammogram

Array = NDArray[np.float64]
WEIGHTS = Path(__file__).parents[1] / "analytics" / "calcification_spots.json"

SEED, UNITS, DECAY, ROUNDS = 1, 8, 1e-3, 200
HARD, OTHERS = 100, 150
"""negatives of an image: its clearest, and so many of the others, which stand for all of them"""
POSITIVE_WEIGHT = 20.0
"""a calcification counts as so many other candidates; moves the logit by its logarithm"""
FOLDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The candidates of one image."""

    kind: ImageKind
    woman: str
    features: Array
    z: Array
    label: NDArray[np.intp]
    """1 planted, 2 benign, 0 neither"""
    grains: int
    """planted on the image"""


Job = tuple[Path, str, NDArray[np.float64]]


def sample_of(job: Job) -> Sample:
    """Candidates of one image; `job`: file, woman, and x, y (px), lesion number, half length (mm) of each grain."""
    path, woman, grains = job
    cv2.setNumThreads(1)
    chosen = CalcificationParameters()
    mammogram = read_mammogram(path)
    breast = find_breast(mammogram)
    pectoral, _ = search_pectoral(breast, mammogram.header.view)
    mirrored = not breast.region.chest_wall_on_left
    frame = resample(mammogram, chosen.learned.spacing_mm, mirrored=mirrored, crop_px=breast.crop_px)
    found = candidates_of(frame, breast, pectoral, chosen.learned, chosen.spots)
    label = np.zeros(len(found.points), np.intp)
    if len(grains) and len(label):
        distance, nearest = cKDTree(grains[:, :2]).query(frame.to_stored(found.points.astype(np.float64)))
        pixel_mm = mammogram.header.spacing.mean_mm
        near = distance * pixel_mm <= np.maximum(0.25, grains[nearest, 3] + 0.1)
        label[near] = np.where(grains[nearest[near], 2] > 0, 1, 2)
    planted = int((grains[:, 2] > 0).sum())
    return Sample(image_kind(mammogram.header), woman, found.features, found.z, label, planted)


def samples(folder: Path, workers: int) -> list[Sample]:
    """Candidates of all images of an archive."""
    grains: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for row in pq.read_table(folder / "truth" / "calcifications.parquet").to_pylist():
        one = (row["x_px"], row["y_px"], row["lesion_number"], row["length_mm"] / 2)
        grains[row["sop_instance_uid"]].append(one)
    jobs = [
        (folder / row["file"], row["patient_id"], np.array(grains[row["sop_instance_uid"]], np.float64).reshape(-1, 4))
        for row in pq.read_table(folder / "truth" / "images.parquet").to_pylist()
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(sample_of, jobs, chunksize=2))


def chosen_of(given: Sequence[Sample], rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Features, labels and weights to learn from."""
    features, labels, weights = [], [], []
    for one in given:
        positive, negative = np.flatnonzero(one.label == 1), np.flatnonzero(one.label == 0)
        hard = negative[np.argsort(-one.z[negative], kind="stable")[:HARD]]
        rest = np.setdiff1d(negative, hard)
        drawn = rng.choice(rest, min(OTHERS, len(rest)), replace=False) if len(rest) else rest
        for part, label, weight in (
            (positive, 1.0, POSITIVE_WEIGHT),
            (hard, 0.0, 1.0),
            (drawn, 0.0, len(rest) / max(len(drawn), 1)),
        ):
            features.append(one.features[part])
            labels.append(np.full(len(part), label))
            weights.append(np.full(len(part), weight))
    return np.concatenate(features), np.concatenate(labels), np.concatenate(weights)


def learned(given: Sequence[Sample], seed: int = SEED) -> SpotNetwork:
    """Fit one network."""
    rng = np.random.default_rng(seed)
    x, y, weight = chosen_of(given, rng)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = (x - mean) / scale
    weight = weight / weight.sum()
    size = x.shape[1]
    cut = np.cumsum([size * UNITS, UNITS, UNITS])
    start = np.concatenate(
        [
            rng.standard_normal(size * UNITS) / np.sqrt(size),
            np.zeros(UNITS),
            rng.standard_normal(UNITS) / np.sqrt(UNITS),
            [-2.0],
        ]
    )

    def loss(t: Array) -> tuple[float, Array]:
        hidden, bias, output, last = np.split(t, cut)
        hidden = hidden.reshape(size, UNITS)
        inner = np.tanh(x @ hidden + bias)
        line = inner @ output + last[0]
        value = (weight * (np.logaddexp(0, line) - y * line)).sum() + DECAY * (
            (hidden**2).sum() + (output**2).sum()
        ) / 2
        slope = weight * (1 / (1 + np.exp(-line)) - y)
        back = np.outer(slope, output) * (1 - inner**2)
        parts = [
            (x.T @ back + DECAY * hidden).ravel(),
            back.sum(axis=0),
            inner.T @ slope + DECAY * output,
            [slope.sum()],
        ]
        return float(value), np.concatenate(parts)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS}).x
    hidden, bias, output, last = np.split(found, cut)
    return SpotNetwork(mean, scale, hidden.reshape(size, UNITS), bias, output, float(last[0]))


def report(name: str, given: Sequence[Sample], scores: Sequence[Array]) -> None:
    """Print the share of the planted calcifications found at a number of false ones an image."""
    score, label = np.concatenate(scores), np.concatenate([one.label for one in given])
    false = np.sort(score[label == 0])[::-1]
    grains = sum(one.grains for one in given)
    cells = [
        f"{rate}: {(score[label == 1] > false[int(rate * len(given))]).sum() / grains:.2f}"
        for rate in (0.5, 1, 2, 5, 20)
    ]
    print(f"{name:<24}{len(given)} images, {grains} calcifications, found at false ones an image  " + "  ".join(cells))


def written(network: SpotNetwork) -> dict[str, Any]:
    """As the file has it: five digits."""

    def digits(values: Array) -> Any:
        return [digits(row) for row in values] if values.ndim > 1 else [float(f"{value:.5g}") for value in values]

    return {
        "mean": digits(network.mean),
        "scale": digits(network.scale),
        "hidden": digits(network.hidden),
        "hidden_bias": digits(network.hidden_bias),
        "output": digits(network.output),
        "output_bias": float(f"{network.output_bias:.5g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="simulated archives")
    parser.add_argument("--write", action="store_true", help="write the weights")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    every = [one for folder in given.folders for one in samples(folder, given.workers)]
    networks = {}
    for kind in (ImageKind.PRESENTATION, ImageKind.PROCESSING):
        mine = [one for one in every if one.kind is kind]
        women = sorted({one.woman for one in mine})
        held = [network_of_others(mine, frozenset(women[fold::FOLDS])) for fold in range(FOLDS)]
        fold_of = {woman: k % FOLDS for k, woman in enumerate(women)}
        report(f"{kind.value}, z", mine, [one.z for one in mine])
        report(f"{kind.value}, other women", mine, [held[fold_of[one.woman]].logit(one.features) for one in mine])
        networks[kind.value] = written(learned(mine))
    if given.write:
        seeds = [pq.read_table(folder / "truth" / "women.parquet")["seed"][0].as_py() for folder in given.folders]
        text = {
            "version": CalcificationParameters().learned.weights,
            "learned_on": f"reread simulate, seeds {', '.join(map(str, seeds))}; benchmarks/train_calcifications.py",
            "images": networks,
        }
        WEIGHTS.write_text(json.dumps(text) + "\n", encoding="utf-8")
        print(f"written: {WEIGHTS.name}")


def network_of_others(given: Sequence[Sample], women: frozenset[str]) -> SpotNetwork:
    """The network learned without some women."""
    return learned([one for one in given if one.woman not in women])


if __name__ == "__main__":
    main()
