"""A night with two analyses on a route, with Prefect, a Dask cluster and an archive that results go to."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from dicom_validators import assert_valid
from loopback import free_port
from made_nights import phantom_study
from pydicom import dcmread
from site_commands import reread

from reread.analytics.measurement import NAME
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.connectors.states import DeliveryState, StudyState
from reread.connectors.warehouse import Warehouse

pytest.importorskip("onnx", reason="the test makes its models with onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
from made_models import bright_spots, described

pytestmark = pytest.mark.slow

SITE = """
data = "data"
models = [{model}]
[listener]
port = {listener}
quiet_s = 0
[poll]
days_back = 36500
days_per_query = 36500
[cluster]
workers = 2
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {archive}
[[routes]]
source = "pacs"
analyses = ["mammography", "my-model"]
destinations = ["pacs"]
formats = ["mammography-cad-sr", "secondary-capture"]
"""


def test_a_night_with_two_analyses(prefect_url, tmp_path):
    model = described(
        bright_spots(tmp_path / "spots.onnx", above=0.3), output='kind = "heat-map"\nmarks_from = [0.4, 0.2, 0.1]'
    )
    for study in ("2.25.5001", "2.25.5002", "2.25.5003"):
        phantom_study(tmp_path / "archive", study, 2)
    listener = free_port()
    with ArchiveServer(tmp_path / "archive", "PACS", (Peer("reread", "REREAD", "127.0.0.1", listener),)) as archive:
        text = SITE.format(model=json.dumps(str(model)), listener=listener, archive=archive.port)
        (tmp_path / "site.toml").write_text(text)
        first = reread(tmp_path, prefect_url, "night")
        second = reread(tmp_path, prefect_url, "night")
        stored = archive.stored_instances()
    assert "Traceback" not in first.stdout + first.stderr, first.stderr[-3000:]
    assert first.returncode == second.returncode == 0, first.stdout + second.stdout
    headline = "3 studies found, 6 images fetched, 3 studies measured, 0 failed, 12 objects sent, 12 committed"
    assert headline in first.stdout
    assert "0 images fetched, 0 studies measured, 0 failed, 0 objects sent, 0 committed" in second.stdout
    rows = [line.split("│")[2].strip() for line in first.stdout.splitlines() if "R CC, L CC" in line]
    assert rows == ["my-model", NAME] * 3

    with open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}") as ledger:
        counts = ledger.counts()
        assert len(ledger.measurements("2.25.5002", 1)) == 2
    assert {state: count for state, count in counts.studies.items() if count} == {StudyState.DELIVERED: 3}
    assert {state: count for state, count in counts.deliveries.items() if count} == {DeliveryState.COMMITTED: 12}
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.sqlite")) as raw:
        assert raw.execute("SELECT DISTINCT attempts FROM deliveries").fetchall() == [(1,)]

    paths = sorted((tmp_path / "archive" / "stored").rglob("*.dcm"))
    objects = [dcmread(path) for path in paths]
    assert len(stored) == len({item.SOPInstanceUID for item in objects}) == 12
    assert set(Counter((item.StudyInstanceUID, item.Modality) for item in objects).values()) == {2}
    assert len({item.SeriesInstanceUID for item in objects}) == 12
    for path in paths[:4]:
        assert_valid(path)

    store = Warehouse(tmp_path / "data" / "warehouse")
    found = store.query("SELECT algorithm, count(*), count(DISTINCT run_id) FROM current_studies GROUP BY 1 ORDER BY 1")
    assert found.rows == (("my-model", 3, 1), (NAME, 3, 1))
    assert store.query("SELECT count(*) FROM problems").rows == ((0,),)
    page = (tmp_path / "data" / "report.html").read_text()
    pictures = set(re.findall(r'src="([^"]+)"', page))
    assert len(pictures) == 12  # of each image with the marks of each analysis
    # the studies show the same two phantoms
    assert len({(tmp_path / "data" / link).read_bytes() for link in pictures}) == 4
