"""`reread simulate`: a whole archive with its truth, the same bytes on any number of processes."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from reread.analytics.errors import RereadError
from reread.analytics.simulation_tables import TRUTH_TABLES
from reread.analytics.simulation_voxels import VoxelBreast
from reread.connectors.mammograms import read_header
from reread.connectors.simulated_phantoms import read_phantom
from reread.deployments.folder_runs import measure_paths
from reread.deployments.simulations import SimulationPlan, plan_of_words, simulate_archive

pytest.importorskip("spekpy")
pytest.importorskip("xraydb")

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "victre-phantom"


def plan(out: Path, **changes: object) -> SimulationPlan:
    plain = {
        "women": 1,
        "years": 1,
        "seed": 4,
        "vendors": "A",
        "views": "CC",
        "lesions": "all",
        "lesion_share": 1.0,
        "objects": "presentation",
        "quick": True,
    }
    return plan_of_words(out, **plain | changes)  # type: ignore[arg-type]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_an_archive_is_the_same_bytes_on_one_and_on_two_processes(tmp_path: Path):
    for workers in (1, 2):
        seen: list[tuple[int, int]] = []
        simulate_archive(
            plan(tmp_path / str(workers), women=2, vendors="A,F"),
            workers=workers,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert seen == [(1, 2), (2, 2)]
    one, two = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert one == two
    assert sum(name.endswith(".dcm") for name in one) == 4
    assert not [name for name in one if name.endswith(".part")]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("archive")
    outcome = simulate_archive(plan(out, years=2, objects="processing,presentation"), workers=1)
    assert (outcome.women, outcome.objects) == (1, 8)
    return out


def test_the_truth_knows_every_object(archive: Path):
    tables = {name: pq.read_table(archive / "truth" / f"{name}.parquet") for name in TRUTH_TABLES}
    for name, schema in TRUTH_TABLES.items():
        assert tables[name].schema.names == schema.names
        assert [field.nullable for field in tables[name].schema] == [field.nullable for field in schema]
        assert all(field.metadata[b"meaning"] for field in tables[name].schema)
        with (archive / "truth" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == tables[name].num_rows
        assert list(rows[0] if rows else schema.names) == schema.names
    rows = tables["images"].to_pylist()
    assert {row["file"] for row in rows} == {path.relative_to(archive).as_posix() for path in archive.rglob("*.dcm")}
    for row in rows:
        header = read_header(archive / row["file"])
        assert header.sop_instance_uid == row["sop_instance_uid"]
        assert header.study_instance_uid == row["study_instance_uid"]
        assert (header.laterality, header.view) == (row["laterality"], row["view"])
        assert (header.rows, header.columns) == (row["rows"], row["columns"])
        assert header.study_date == row["study_date"]
        assert 0 < row["volumetric_percent"] < 60
        assert row["breast_cm3"] > row["gland_cm3"] + row["skin_cm3"]
    assert len({row["study_instance_uid"] for row in rows}) == 2
    known = {row["sop_instance_uid"] for row in rows}
    for table in ("lesions", "calcifications"):
        assert {row["sop_instance_uid"] for row in tables[table].to_pylist()} <= known
    density = {row["year"]: row["gland_cm3"] for row in rows if row["laterality"] == "L"}
    assert density[1] != density[0]
    lesions = tables["lesions"].to_pylist()
    assert lesions
    for row in lesions:
        image = next(one for one in rows if one["sop_instance_uid"] == row["sop_instance_uid"])
        assert row["visible"] == (0 <= row["x_px"] < image["columns"] and 0 <= row["y_px"] < image["rows"])


def test_labels_say_what_lesions_say(archive: Path):
    labels = pq.read_table(archive / "truth" / "labels.parquet").to_pylist()
    images = {row["sop_instance_uid"]: row for row in pq.read_table(archive / "truth" / "images.parquet").to_pylist()}
    assert {row["sop_instance_uid"] for row in labels} == set(images)
    for row in labels:
        image = images[row["sop_instance_uid"]]
        assert f"{row['image']}.dcm" == image["file"]
        assert (row["abnormality"] == "NORM") == (image["lesion_count"] == 0)
        if row["x_image"] is not None:
            assert row["radius_px"] * image["spacing_mm"] >= 5 - 1e-9


def test_reread_measures_what_it_simulated(archive: Path, tmp_path: Path):
    outcome = measure_paths((archive / "dicom",), tmp_path, workers=1)
    assert not outcome.rejected
    assert all(case.failure is None for case in outcome.outcomes)
    measured = {row["sop_instance_uid"]: row for row in pq.read_table(tmp_path / "images.parquet").to_pylist()}
    for row in pq.read_table(archive / "truth" / "images.parquet").to_pylist():
        if row["intent"] == "presentation":
            # within a few percent: the nipple counts or does not
            assert measured[row["sop_instance_uid"]]["breast_area_mm2"] == pytest.approx(
                row["breast_area_mm2"], rel=0.06
            )


def made_phantom(folder: Path, *, size: int = 40, label_outside: int = 0) -> Path:
    """A half cylinder of fat with a ball of gland and a mass, between two paddles; voxels of 1 mm."""
    z, y, x = np.mgrid[0 : size // 2, 0 : 2 * size, 0:size]
    labels = np.full(z.shape, label_outside, dtype=np.uint8)
    body = np.hypot(x, y - size) < size - 6
    labels[body] = 2
    labels[np.hypot(x, y - size) < size - 8] = 1
    labels[np.sqrt((x - 12) ** 2 + (y - size) ** 2 + (z - 10) ** 2) < 6] = 29
    labels[np.sqrt((x - 20) ** 2 + (y - size + 15) ** 2 + (z - 10) ** 2) < 3] = 200
    labels[0] = labels[-1] = 50
    (folder / "made.raw.gz").write_bytes(gzip.compress(labels.tobytes()))
    header = folder / "made.mhd"
    header.write_text(
        f"NDims = 3\nElementSpacing = 1 1 1\nDimSize = {size} {2 * size} {size // 2}\n"
        "ElementType = MET_UCHAR\nElementDataFile = made.raw\n"
    )
    return header


def test_a_voxel_phantom_is_projected_with_the_volumes_of_its_voxels(tmp_path: Path):
    header = made_phantom(tmp_path)
    phantom = read_phantom(header)
    simulate_archive(plan(tmp_path / "out", lesion_share=0.0, years=1, seed=2, phantoms=(header,)), workers=1)
    (row,) = pq.read_table(tmp_path / "out" / "truth" / "images.parquet").to_pylist()
    assert row["gland_cm3"] == pytest.approx(phantom.volume_mm3(29) / 1000)
    assert row["breast_cm3"] == pytest.approx(phantom.volume_mm3(1, 2, 29, 200) / 1000)
    assert row["thickness_mm"] == 18
    (mass,) = pq.read_table(tmp_path / "out" / "truth" / "lesions.parquet").to_pylist()
    assert mass["kind"] == "mass"
    assert mass["volume_mm3"] == pytest.approx(phantom.volume_mm3(200))
    # 20.5 mm from the chest wall, 15 mm above the middle of the detector, enlarged by the beam
    grow = 650 / (650 - 12 - 9.5)
    assert mass["x_px"] == pytest.approx(20.5 * grow / row["spacing_mm"] - 0.5, abs=1.5)
    assert mass["y_px"] == pytest.approx(row["rows"] / 2 - 0.5 - 15 * grow / row["spacing_mm"], abs=2.5)


@pytest.mark.slow
def test_a_victre_phantom_is_projected(tmp_path: Path):
    header = SHARED / "pcl_1.mhd"
    if not header.exists():
        pytest.skip("the VICTRE phantom is not here")
    simulate_archive(plan(tmp_path, phantoms=(header,)), workers=1)
    (row,) = pq.read_table(tmp_path / "truth" / "images.parquet").to_pylist()
    assert row["breast_cm3"] == pytest.approx(149.7, abs=0.1)
    assert row["gland_cm3"] == pytest.approx(63.07 + 2.25 + 0.08 + 0.78 + 0.47 + 0.50, abs=0.05)


def test_phantoms_that_cannot_be_used_are_refused(tmp_path: Path):
    header = made_phantom(tmp_path)
    text = header.read_text()
    header.write_text(text.replace("DimSize = 40", "DimSize = 41"))
    with pytest.raises(RereadError, match="voxels, the header says"):
        read_phantom(header)
    header.write_text(text.replace("MET_UCHAR", "MET_FLOAT"))
    with pytest.raises(RereadError, match="MET_UCHAR"):
        read_phantom(header)
    header.write_text(text.replace("made.raw", "other.raw"))
    with pytest.raises(RereadError, match="not beside it"):
        read_phantom(header)
    header.write_text(text)
    data = tmp_path / "made.raw.gz"
    data.write_bytes(data.read_bytes()[:50])
    with pytest.raises(RereadError, match="cut off"):
        read_phantom(header)
    with pytest.raises(RereadError, match="not known"):
        VoxelBreast("odd", np.full((4, 4, 4), 77, dtype=np.uint8), 1.0)
    with pytest.raises(RereadError, match="no paddle"):
        VoxelBreast("uncompressed", np.ones((4, 4, 4), dtype=np.uint8), 1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"women": 0}, "at least one woman"),
        ({"vendors": "Q"}, "no vendor"),
        ({"views": "ML"}, "CC and MLO are"),
        ({"objects": "raw"}, "no objects"),
        ({"lesions": "cyst"}, "no lesions"),
        ({"lesion_share": 2.0}, "0 to 1"),
    ],
)
def test_a_wish_that_cannot_be_met_is_named(tmp_path: Path, changes: dict[str, object], said: str):
    with pytest.raises(RereadError, match=said):
        plan(tmp_path, **changes)
