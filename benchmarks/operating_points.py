"""The table of operating points and probabilities, measured on mini-MIAS."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.referee import Candidates, Truth, hits, threshold_at
from reread.analytics.calibration import built_in_table
from reread.analytics.records import FindingKind, ImageResult

RATES = {FindingKind.MASS: (0.25, 0.5, 1.0), FindingKind.CALCIFICATION: (0.1, 0.25, 0.5)}
"""false marks a normal image at the operating points 0, 1 and 2"""
KINDS = {FindingKind.MASS: ("masses", "asymmetry and distortion"), FindingKind.CALCIFICATION: ("clusters",)}
VERSION = "3"


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


def measured_table(truth: Truth, results: Sequence[ImageResult]) -> str:
    """The table as JSON text. Two numbers of a curve and three thresholds a kind: no weights."""
    kinds = {}
    for kind in FindingKind:
        found = evidence(results, kind)
        false = truth.false(found)
        slope, intercept = platt(of_lesions(truth, found, kind), false)
        lesions = [lesion for name in KINDS[kind] for lesion in truth.of_kind(name)]
        best = truth.best(lesions, found)
        points = []
        for rate in RATES[kind]:
            least = threshold_at(false, rate * len(truth.normal))
            score = round(1 / (1 + float(np.exp(-(slope * least + intercept)))) + 5e-6, 5)
            points.append(
                {
                    "least_score": score,
                    "sensitivity": round(float(np.mean(best > least)), 3),
                    "false_marks_per_image": round(float((false > least).sum()) / len(truth.normal), 3),
                }
            )
        kinds[kind.value] = {
            "slope": round(slope, 5),
            "intercept": round(intercept, 5),
            "lesions": len(lesions),
            "normal_images": len(truth.normal),
            "points": points,
        }
    measured_on = "mini-MIAS, odd cases: 162 oblique film mammograms of 81 women, 0.2 mm, 8 bit"
    return json.dumps({"version": VERSION, "measured_on": measured_on, "kinds": kinds}, indent=2) + "\n"


def report_points(truth: Truth, results: Sequence[ImageResult]) -> None:
    """Print what the built-in operating points do on these images, and whether probabilities are what they say."""
    table = built_in_table()
    print(f"operating points, table {table.version}")
    for kind in FindingKind:
        calibration = table.kinds[kind]
        found = evidence(results, kind)
        lesions = [lesion for name in KINDS[kind] for lesion in truth.of_kind(name)]
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
