"""`reread evaluate`: tables in, figures, JSON and a page out; on mini-MIAS the figures of the review."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_studies import PROVENANCE, image_result, study_result
from phantoms import phantom

from reread.analytics.evaluation import EvaluationInvalid
from reread.analytics.tables import tables
from reread.connectors.truth_tables import read_measured, read_truth
from reread.connectors.warehouse import Warehouse, write_flat
from reread.deployments.evaluations import evaluate, evaluate_folder, figure_lines, write_evaluation

SHARED = Path(__file__).parents[2].parent / "shared"
DRAWS = 120


def labels(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def made(folder: Path, women: int = 12) -> tuple[Path, Path]:
    """Truth by SOP Instance UID, and results: odd women have a mass that the left image shows."""
    generator = np.random.default_rng(4)
    truth, findings, density, images = [], [], [], []
    for woman in range(women):
        for side in "LR":
            uid, percent = f"1.2.{woman}.{'LR'.index(side)}", 5.0 + 3 * woman + generator.random()
            sick = woman % 2 == 1 and side == "L"
            truth.append(
                {
                    "sop_instance_uid": uid,
                    "image": f"w{woman}{side}",
                    "case": woman,
                    "side": side,
                    "tissue": "FGD"[woman * 3 // women],
                    "abnormality": "SPIC" if sick else "NORM",
                    "area_percent": percent,
                    **({"x_image": 50, "y_image_from_top": 60, "radius_px": 4} if sick else {}),
                }
            )
            for score in (0.9 if sick else 0.4, 0.2):
                place = {"x_px": 50.0, "y_px": 60.0 + 9.0 * (score < 0.5), "score": score}
                findings.append({"sop_instance_uid": uid, "kind": "mass", **place})
            density.append({"sop_instance_uid": uid, "percent_density": percent + generator.normal()})
            images.append({"sop_instance_uid": uid, "source": f"w{woman}{side}.dcm", "row_spacing_mm": 1.0})
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("findings", findings), ("density", density), ("images", images)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return labels(folder.parent / "truth.csv", truth), folder


def test_figures_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    truth, results = made(tmp_path / "results")
    assert evaluate(truth, measured=results, bootstrap=DRAWS) == 0
    said = capsys.readouterr().out
    assert "Masses: 6 lesions" in said
    assert "not a medical device" in said
    figures = json.loads((results / "evaluation" / "evaluation.json").read_text())
    assert [one["value"] for one in figures["detection"]["mass"]["sensitivity"]] == [1.0] * 5
    assert figures["image_level"]["any_lesion"]["auc"]["value"] == 1.0
    assert figures["detection"]["calcification_cluster"]["sensitivity"][0]["value"] is None
    assert figures["tissue"]["spearman"]["value"] > 0.9
    assert (
        figures["numbers"]["area_percent"]["limit_low"]["value"] < figures["numbers"]["area_percent"]["bias"]["value"]
    )
    assert figures["left_right"]["area_percent"]["value"] > 0.9
    page = (results / "evaluation" / "evaluation.html").read_text("utf-8")
    assert "not a medical device" in page
    assert page.count("<svg") == 5  # FROC, ROC of images, ROC of density, measured against true, Bland-Altman
    assert not re.search(r"<script|https?://|src=|1\.2\.\d|nan", page)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    written = [write_evaluation(*evaluate_folder(truth, results, draws=30), tmp_path / name) for name in "ab"]
    first, second = ([path.read_bytes() for path in paths] for paths in written)
    assert first == second


def test_truth_by_file_name_is_truth_by_uid(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    by_uid, _ = evaluate_folder(truth, results, draws=30)
    with truth.open() as file:
        rows = [
            {name: value for name, value in row.items() if name != "sop_instance_uid"} for row in csv.DictReader(file)
        ]
    by_name, _ = evaluate_folder(labels(tmp_path / "named.csv", rows), results, draws=30)
    assert repr(by_name) == repr(by_uid)  # a NaN equals no other
    again = pq.read_table(results / "images.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist([*again, {**again[0], "sop_instance_uid": "1.9"}]), results / "images.parquet")
    with pytest.raises(EvaluationInvalid, match="2 measured files are called w0L"):
        evaluate_folder(tmp_path / "named.csv", results, draws=30)


def test_the_least_reach_is_5_mm_of_the_image(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    (lesion,) = next(one.lesions for one in read_truth(truth, read_measured(results)) if one.lesions)
    assert lesion.reach_px == 5.0  # the radius is 4 px, a pixel 1 mm


def test_images_without_a_result_count_unless_they_are_left_out(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    for name in ("findings", "density", "images"):
        rows = pq.read_table(results / f"{name}.parquet").to_pylist()
        kept = [row for row in rows if not row["sop_instance_uid"].startswith("1.2.1.")]
        pq.write_table(pa.Table.from_pylist(kept), results / f"{name}.parquet")
    whole, sources = evaluate_folder(truth, results, draws=30)
    assert (sources.not_measured, sources.left_out) == (2, 0)
    assert whole.detection["mass"].sensitivity[2].value == pytest.approx(5 / 6)
    assert "2 images of the truth have no result: their lesions count as missed" in figure_lines(whole, sources)
    part, sources = evaluate_folder(truth, results, draws=30, measured_only=True)
    assert sources.left_out == 2
    assert part.detection["mass"].sensitivity[2].value == 1.0


def test_a_warehouse_gives_what_its_tables_give(tmp_path: Path):
    header = phantom(rows=100, columns=80, spacing_mm=2.0).mammogram.header
    found = tables([study_result(image_result(header))], PROVENANCE)
    write_flat(found, tmp_path / "flat")
    warehouse = Warehouse(tmp_path / "data" / "warehouse")
    warehouse.prepare()
    warehouse.record(found, part="one")
    flat, kept = read_measured(tmp_path / "flat"), read_measured(tmp_path / "data")
    assert flat.numbers.findings
    assert sorted(kept.numbers.findings or (), key=repr) == sorted(flat.numbers.findings, key=repr)
    assert kept.numbers.numbers == flat.numbers.numbers
    assert kept.known == flat.known
    assert kept.algorithms == flat.algorithms != ()


def test_of_several_algorithms_one_is_chosen(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    for name in ("findings", "density", "images"):
        rows = pq.read_table(results / f"{name}.parquet").to_pylist()
        both = [{**row, "algorithm": which, "version": "1"} for which in ("ours", "theirs") for row in rows]
        for row in both:
            if name == "findings" and row["algorithm"] == "theirs":
                row["x_px"] += 500.0
        pq.write_table(pa.Table.from_pylist(both), results / f"{name}.parquet")
    with pytest.raises(EvaluationInvalid, match="results of ours, theirs: say which"):
        evaluate_folder(truth, results, draws=5)
    with pytest.raises(EvaluationInvalid, match="no result of 'mine'; there are ours, theirs"):
        evaluate_folder(truth, results, draws=5, algorithm="mine")
    hit, sources = evaluate_folder(truth, results, draws=5, algorithm="ours")
    missed, _ = evaluate_folder(truth, results, draws=5, algorithm="theirs")
    assert sources.algorithms == ("ours 1",)
    assert hit.detection["mass"].sensitivity[4].value == 1.0
    assert missed.detection["mass"].sensitivity[4].value == 0.0


def test_the_tables_of_a_simulation_are_joined(tmp_path: Path):
    _, results = made(tmp_path / "results")
    folder = tmp_path / "truth"
    folder.mkdir()
    rows = [
        {"sop_instance_uid": f"1.2.{woman}.{index}", "image": f"i{woman}{side}", "case": woman, "side": side}
        for woman in range(3)
        for index, side in enumerate("LR")
    ]
    labels(folder / "labels.csv", [{**row, "tissue": "G", "abnormality": "NORM"} for row in rows])
    numbers = [
        {
            "sop_instance_uid": row["sop_instance_uid"],
            "patient_id": f"SIM-{row['case']}",
            "laterality": row["side"],
            "view": "CC",
            "year": 0,
            "intent": "processing",
            "lesion_count": 0,
            "area_percent": 7.0,
            "volumetric_percent": 9.0,
            "breast_cm3": 800.0,
        }
        for row in rows
    ]
    labels(folder / "images.csv", numbers)
    found = read_truth(folder, read_measured(results))
    assert len(found) == 6
    assert found[0].numbers == {"area_percent": 7.0, "volumetric_percent": 9.0, "breast_volume_cm3": 800.0}
    assert (found[0].woman, found[0].tissue, found[0].pairing) == ("0", "G", "0 CC processing")
    alone = read_truth(folder / "images.csv", read_measured(results))
    assert (alone[0].woman, alone[0].normal) == ("SIM-0", True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"abnormality": "CYST"}, "abnormality 'CYST' is not known"),
        ({"tissue": "X"}, "tissue 'X' is not known"),
        ({"x_image": "left"}, "x_image is no number"),
        ({"radius_px": ""}, "no radius_px"),
        ({"case": ""}, "no case"),
    ],
)
def test_bad_truth_is_named(tmp_path: Path, change: dict[str, str], says: str):
    _, results = made(tmp_path / "results")
    row = {"sop_instance_uid": "1.2.1.0", "image": "a", "case": "1", "tissue": "F", "abnormality": "CIRC"}
    place = {"x_image": "1", "y_image_from_top": "2", "radius_px": "3"}
    with pytest.raises(EvaluationInvalid, match=says):
        evaluate_folder(labels(tmp_path / "bad.csv", [{**row, **place, **change}]), results, draws=5)


def test_what_is_no_truth_and_no_result_is_named(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    with pytest.raises(EvaluationInvalid, match="holds no findings"):
        evaluate_folder(truth, tmp_path, draws=5)
    with pytest.raises(EvaluationInvalid, match="no such table"):
        evaluate_folder(tmp_path / "none.csv", results, draws=5)
    with pytest.raises(EvaluationInvalid, match="is no table of truth"):
        evaluate_folder(results / "density.parquet", results, draws=5)
    (tmp_path / "words.parquet").write_text("words")
    with pytest.raises(EvaluationInvalid, match="neither CSV nor Parquet"):
        evaluate_folder(tmp_path / "words.parquet", results, draws=5)
    stranger = {"sop_instance_uid": "1.2.999", "case": 1, "abnormality": "NORM"}
    with pytest.raises(EvaluationInvalid, match="none of the 1 images"):
        evaluate_folder(labels(tmp_path / "other.csv", [stranger]), results, draws=5)
    twice = [stranger, stranger | {"abnormality": "CALC"}]
    with pytest.raises(EvaluationInvalid, match="is normal in one row and not in another"):
        evaluate_folder(labels(tmp_path / "twice.csv", twice), results, draws=5)


def review(truth: Path, results: Path) -> dict:
    """The figures of the referee, from a process of its own."""
    score = [sys.executable, SHARED / "tools" / "score.py", truth, "--bootstrap", str(DRAWS)]
    given = ["--findings", results / "findings.parquet", "--density", results / "density.parquet"]
    done = subprocess.run([*score, *given], capture_output=True, text=True, check=True, timeout=200)
    return json.loads(done.stdout)


def compare(truth: Path, results: Path) -> None:
    """Every figure that the referee prints, to its last digit."""
    theirs = review(truth, results)
    ours, _ = evaluate_folder(truth, results, draws=DRAWS)
    assert (ours.images, ours.women, ours.normal_images, ours.findings_on_unknown_images) == tuple(
        theirs[name] for name in ("images", "women", "normal_images", "findings_on_unknown_images")
    )
    for name, group in ours.detection.items():
        assert group.lesions == theirs[name]["lesions"]
        assert group.false_marks_per_normal_image == theirs[name]["false_positives_per_normal_image_in_table"]
        figures = [[round(v, 3) for v in (one.value, one.low, one.high)] for one in group.sensitivity]
        assert dict(zip(map(str, group.rates), figures, strict=True)) == theirs[name]["sensitivity"], name
    tissue, density = ours.tissue, theirs["density"]
    assert tissue is not None
    assert tissue.images == density["images_scored"]
    spearman = tissue.spearman
    assert [round(v, 3) for v in (spearman.value, spearman.low, spearman.high)] == density["spearman_vs_tissue"]
    assert round(tissue.dense.auc.value, 3) == density["auc_dense_vs_rest"]
    assert round(tissue.fatty.auc.value, 3) == density["auc_fatty_vs_rest"]
    assert round(ours.left_right["area_percent"].value, 3) == density["left_right_spearman"]
    assert {name: round(v, 1) for name, v in tissue.median_by_tissue.items()} == density["median_by_tissue"]
    assert not math.isnan(ours.detection["mass"].sensitivity[2].low)


@pytest.mark.slow
def test_on_mini_mias_every_figure_is_that_of_the_referee(tmp_path: Path):
    """All lesions and images of the odd cases; findings thrown at random, many near lesions, scores with ties."""
    truth = SHARED / "data" / "mias" / "labels.csv"
    if not (truth.is_file() and (SHARED / "tools" / "score.py").is_file()):
        pytest.skip("the shared mini-MIAS labels and the referee are not beside this checkout")
    sys.path.insert(0, str(SHARED / "tools"))
    try:
        uid = pytest.importorskip("mias_to_dicom").uid
    finally:
        sys.path.remove(str(SHARED / "tools"))
    generator = np.random.default_rng(11)
    findings, density = [], {}
    with truth.open() as file:
        for row in csv.DictReader(file):
            name = uid("image", row["image"])
            density[name] = {"sop_instance_uid": name, "percent_density": 30 * "FGD".index(row["tissue"])}
            places = generator.uniform(0, 1023, (6, 2)).tolist()
            if row["x_image"]:
                centre = np.array([float(row["x_image"]), float(row["y_image_from_top"])])
                places += (centre + generator.normal(0, 30, (2, 2))).tolist()
            for x, y in places:
                kind = "mass" if generator.random() < 0.6 else "calcification"
                score = round(float(generator.random()), 2)
                findings.append({"sop_instance_uid": name, "kind": kind, "x_px": x, "y_px": y, "score": score})
    findings.append({"sop_instance_uid": "1.2.3", "kind": "mass", "x_px": 1.0, "y_px": 1.0, "score": 0.5})
    for row in density.values():
        row["percent_density"] += float(generator.normal(0, 25))
    pq.write_table(pa.Table.from_pylist(findings), tmp_path / "findings.parquet")
    pq.write_table(pa.Table.from_pylist(list(density.values())), tmp_path / "density.parquet")
    compare(truth, tmp_path)


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path):
    truth, results = made(tmp_path / "results")
    reread = [sys.executable, "-m", "reread.deployments.cli", "evaluate"]
    given = [str(truth), "--measured", str(results), "--bootstrap", "20", "--out", str(tmp_path / "out")]
    done = subprocess.run([*reread, *given], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "AUC of images, any lesion against none: 1.000" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["evaluation.html", "evaluation.json"]
    given[0] = str(tmp_path / "none.csv")
    done = subprocess.run([*reread, *given], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no such table of truth" in done.stderr
