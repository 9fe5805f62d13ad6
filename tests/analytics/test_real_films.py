"""Real films: the odd cases of mini-MIAS, where they are present beside the checkout."""

import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.records import Acquisition, FindingKind, ImageResult, Laterality, Mammogram, Size, View

MIAS = Path(__file__).parents[2].parent / "shared" / "data" / "mias"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (MIAS / "labels.csv").is_file(), reason="shared/data/mias is not beside the checkout"),
]


def measured(row: dict[str, str]) -> ImageResult:
    pixels = np.asarray(cv2.imread(str(MIAS / f"{row['image']}.png"), cv2.IMREAD_GRAYSCALE), np.float32) / 255
    header = replace(
        phantom(rows=64, columns=64, spacing_mm=3.0).mammogram.header,
        view=View.MLO,
        laterality=Laterality(row["side"]),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        spacing=Size(0.2, 0.2),
        acquisition=Acquisition(detector_type="FILM"),
    )
    result = MammographyAnalysis().measure(Mammogram(header, pixels))
    assert result.succeeded, f"{row['image']}: {result.failure_detail}"
    return result


def labels() -> list[dict[str, str]]:
    with (MIAS / "labels.csv").open() as file:
        return list(csv.DictReader(file))


def test_most_masses_are_marked() -> None:
    """More than 0.60 of the masses, which an untrained floor reaches at one false positive an image."""
    hits = []
    for row in labels():
        if row["abnormality"] not in ("CIRC", "SPIC", "MISC") or not row["x_image"]:
            continue
        x, y, reach = float(row["x_image"]), float(row["y_image_from_top"]), max(float(row["radius_px"]), 25.0)
        marks = [f for f in measured(row).findings if f.kind is FindingKind.MASS and f.operating_point is not None]
        hits.append(any(np.hypot(f.x_px - x, f.y_px - y) <= reach for f in marks))
    assert len(hits) == 29
    assert np.mean(hits) > 0.60


def test_normal_films_have_few_marks_and_density_follows_the_reader() -> None:
    marks, density = [], defaultdict(list)
    for row in [r for r in labels() if r["abnormality"] == "NORM"][::4]:
        result = measured(row)
        marks.append(sum(f.operating_point is not None for f in result.findings))
        assert result.pectoral is not None
        assert result.density is not None
        density[row["tissue"]].append(result.density.percent_density)
    assert np.mean(marks) < 2.0
    assert np.median(density["F"]) < np.median(density["G"]) < np.median(density["D"])
