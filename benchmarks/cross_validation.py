"""Detection on women that nothing was chosen on: five folds by woman, every choice inside the fold.

Each fold chooses one of a few settings and its thresholds on the other four fifths of the women (highest mean
sensitivity at 0.5, 1 and 2 false positives a normal image) and is marked with them. The settings are those between
which the defaults were chosen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from benchmarks.referee import Candidates, Lesion, Truth, threshold_at
from reread.analytics.asymmetry import AsymmetryParameters, compared
from reread.analytics.breast import find_breast
from reread.analytics.calcifications import CalcificationParameters, find_calcifications
from reread.analytics.calcifications_spots import SpotParameters
from reread.analytics.calibration import ImageKind, built_in_table
from reread.analytics.masses import MassParameters, find_masses
from reread.analytics.masses_maps import MassMapParameters
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Finding, FindingKind, Signature
from reread.analytics.signatures import signature_of
from reread.connectors.mammograms import read_mammogram

FOLDS, REPEATS, DRAWS = 5, 10, 2000
RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
CHOSEN_AT = (0.5, 1.0, 2.0)

MASSES = {
    "rings": MassMapParameters(weights=(1.0, 0.0, 0.0, 0.0)),
    "rings, band": MassMapParameters(weights=(1.0, 1.0, 0.0, 0.0)),
    "rings, band, contrast": MassMapParameters(weights=(1.0, 1.0, 1.0, 0.0)),
    "all four": MassMapParameters(),
}
LEFT_RIGHT = (0.0, 0.0625, 0.125, 0.25)
CLUSTERS = {
    f"z {least} radii {radii} line {line}": replace(
        CalcificationParameters(), spots=SpotParameters(least_z=least), radii_mm=radii, line_below=line
    )
    for least, radii, line in product((3.0, 3.5), ((1.5, 2.5, 4.0), (2.5, 5.5)), (0.001, 0.3))
}

Measured = tuple[str, Signature, dict[str, tuple[Finding, ...]], dict[str, list[tuple[float, float, float]]]]


def measure_variants(path: Path) -> Measured:
    """Candidates of one image under every setting."""
    cv2.setNumThreads(1)
    mammogram = read_mammogram(path)
    breast = find_breast(mammogram)
    pectoral = find_pectoral(breast, mammogram.header.view)
    nipple = find_nipple(breast, pectoral)
    masses = {name: find_masses(breast, pectoral, MassParameters(maps=maps)) for name, maps in MASSES.items()}
    clusters = {
        name: [
            (f.x_px, f.y_px, f.evidence or 0.0) for f in find_calcifications(mammogram, breast, pectoral, parameters)
        ]
        for name, parameters in CLUSTERS.items()
    }
    return mammogram.header.sop_instance_uid, signature_of(breast, pectoral, nipple), masses, clusters


def _mass_settings(truth: Truth, measured: Sequence[Measured]) -> dict[str, dict[str, Candidates]]:
    calibration = built_in_table().entries[ImageKind.FILM, FindingKind.MASS]
    by_woman = defaultdict(list)
    for image in measured:
        by_woman[truth.woman_of[image[0]]].append(image)
    settings: dict[str, dict[str, Candidates]] = {}
    for name, weight in product(MASSES, LEFT_RIGHT):
        parameters = AsymmetryParameters(weight=weight)
        found: dict[str, Candidates] = {}
        for images in by_woman.values():
            for uid, signature, masses, _ in images:
                other = next((image[1] for image in images if image[0] != uid), None)
                findings = masses[name]
                if other is not None and weight:
                    findings = compared(findings, signature, other, calibration, parameters)
                found[uid] = [(f.x_px, f.y_px, f.evidence or 0.0) for f in findings]
        settings[f"{name}; left-right {weight}"] = found
    return settings


def _folds(women: Sequence[str], seed: int) -> list[frozenset[str]]:
    shuffled = np.random.default_rng(seed).permutation(np.array(women))
    return [frozenset(part.tolist()) for part in np.array_split(shuffled, FOLDS)]


def _sensitivity(
    truth: Truth, lesions: Sequence[Lesion], found: Mapping[str, Candidates], women: frozenset[str], rate: float
) -> float:
    least = threshold_at(truth.false(found, women), rate * truth.normal_count(women))
    best = truth.best([lesion for lesion in lesions if lesion.woman in women], found)
    return float(np.mean(best > least)) if len(best) else 0.0


def _validated(
    truth: Truth, chosen_on: str, kinds: Sequence[str], settings: Mapping[str, Mapping[str, Candidates]]
) -> None:
    women = frozenset(truth.women)
    hit = {kind: np.zeros((REPEATS, len(truth.of_kind(kind)), len(RATES))) for kind in kinds}
    wrong = np.zeros((REPEATS, len(truth.normal), len(RATES)))
    picked: Counter[str] = Counter()
    for repeat in range(REPEATS):
        for fold in _folds(truth.women, repeat):
            rest = women - fold
            lesions = truth.of_kind(chosen_on)
            name = max(
                settings,
                key=lambda key: np.mean([_sensitivity(truth, lesions, settings[key], rest, r) for r in CHOSEN_AT]),
            )
            picked[name] += 1
            found = settings[name]
            false = truth.false(found, rest)
            for column, rate in enumerate(RATES):
                least = threshold_at(false, rate * truth.normal_count(rest))
                for kind in kinds:
                    all_of_kind = truth.of_kind(kind)
                    best = truth.best(all_of_kind, found)
                    for row, lesion in enumerate(all_of_kind):
                        if lesion.woman in fold:
                            hit[kind][repeat, row, column] = best[row] > least
                for row, image in enumerate(truth.normal):
                    if truth.woman_of[image] in fold:
                        wrong[repeat, row, column] = sum(s > least for *_, s in found.get(image, ()))
    print(f"cross-validated, {FOLDS} folds by woman, {REPEATS} divisions; chosen on {chosen_on}:")
    print("  wanted false positives an image     " + "".join(f"{rate:>22}" for rate in RATES))
    print("  found on the women left out         " + "".join(f"{value:>22.2f}" for value in wrong.mean(axis=(0, 1))))
    for kind in kinds:
        cells = []
        for column in range(len(RATES)):
            low, high = _interval(truth, kind, hit[kind][:, :, column].mean(axis=0))
            cells.append(f"{hit[kind][:, :, column].mean():>8.2f} [{low:.2f}, {high:.2f}]")
        print(f"  {kind:<36}" + "".join(f"{cell:>22}" for cell in cells))
    for name, count in picked.most_common(4):
        print(f"    chosen {count} of {FOLDS * REPEATS} times: {name}")


def _interval(truth: Truth, kind: str, hit: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval by woman."""
    rng = np.random.default_rng(20261121)
    women = truth.women
    index = {woman: number for number, woman in enumerate(women)}
    owner = np.array([index[lesion.woman] for lesion in truth.of_kind(kind)])
    draws = []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(women), len(women)), minlength=len(women))[owner]
        if weight.sum():
            draws.append(float((hit * weight).sum() / weight.sum()))
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def cross_validate(truth: Truth, pool: Executor) -> None:
    """Measure every setting, choose inside the folds, print."""
    measured = list(pool.map(measure_variants, truth.paths.values()))
    _validated(truth, "masses", ("masses", "asymmetry and distortion"), _mass_settings(truth, measured))
    clusters: dict[str, dict[str, Candidates]] = {
        name: {uid: found[name] for uid, _, _, found in measured} for name in CLUSTERS
    }
    _validated(truth, "clusters", ("clusters",), clusters)
