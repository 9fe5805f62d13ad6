"""A night in which things go wrong: a source is down and a file is cut off; the rest is measured and delivered."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from foreign_reports import cad_tree, document
from loopback import free_port
from made_nights import PATIENT_NAME, phantom_file, phantom_study
from site_commands import reread

from reread.connectors.archive_server import ArchiveServer
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.connectors.states import DeliveryState, StudyState
from reread.connectors.warehouse import Warehouse

pytestmark = pytest.mark.slow

SITE = """
data = "data"
[listener]
port = {listener}
quiet_s = 0
[poll]
days_back = 36500
days_per_query = 36500
[cluster]
workers = 1
[[peers]]
name = "down"
ae_title = "DOWN"
host = "127.0.0.1"
port = {closed}
roles = ["source"]
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {archive}
[[routes]]
source = "pacs"
destinations = ["pacs"]
[[routes]]
source = "import"
destinations = ["pacs"]
formats = ["mammography-cad-sr"]
"""


@dataclass(frozen=True)
class Night:
    site: Path
    done: subprocess.CompletedProcess[str]
    stored: int
    prefect_url: str

    @property
    def data(self) -> Path:
        return self.site / "data"


@pytest.fixture(scope="module")
def night(prefect_url, tmp_path_factory) -> Night:
    site = tmp_path_factory.mktemp("site")
    phantom_study(site / "archive", "2.25.5001", 2)
    document(cad_tree((80.0, 60.0), (40.0, 50.0)), site / "archive" / "report.dcm", study="2.25.5001")
    files = phantom_study(site / "in", "2.25.5002", 2)
    cut_off = phantom_file(site / "in" / "cut.dcm", 9, view="MLO", study="2.25.5002")
    cut_off.write_bytes(cut_off.read_bytes()[:-1000])
    listener = free_port()
    us = Peer("reread", "REREAD", "127.0.0.1", listener)
    with ArchiveServer(site / "archive", "PACS", (us,)) as archive:
        text = SITE.format(listener=listener, closed=free_port(), archive=archive.port)
        (site / "site.toml").write_text(text)
        imported = reread(site, prefect_url, "import", *files, cut_off)
        assert "3 files" in imported.stdout, imported.stdout + imported.stderr
        done = reread(site, prefect_url, "night")
        return Night(site, done, len(archive.stored_instances()), prefect_url)


def test_the_source_that_is_down_is_reported_and_the_night_goes_on(night):
    assert "Traceback" not in night.done.stdout + night.done.stderr, night.done.stderr[-3000:]
    assert night.done.returncode == 1  # somebody should look
    (problem,) = (line for line in night.done.stdout.splitlines() if line.startswith("down: "))
    assert len(problem) > len("down: ")
    assert "1 studies found, 3 images fetched, 2 studies measured, 0 failed, 4 objects sent, 4 committed" in (
        night.done.stdout
    )


def test_both_studies_are_measured_and_delivered(night):
    with open_ledger(f"sqlite:///{night.data / 'ledger.sqlite'}") as ledger:
        counts = ledger.counts()
    assert {state: count for state, count in counts.studies.items() if count} == {StudyState.DELIVERED: 2}
    assert {state: count for state, count in counts.deliveries.items() if count} == {DeliveryState.COMMITTED: 4}
    assert night.stored == 4  # SR, picture and density page of the one, by its route the SR of the other


def test_the_report_of_another_product_that_came_with_the_study_is_read(night):
    assert " committed; reports: 1 read (4 findings, 0 densities, 5 other items)" in night.done.stdout
    rows = Warehouse(night.data / "warehouse").query(
        "SELECT r.producer, r.woman = s.woman, r.origin"
        " FROM current_reports AS r JOIN current_studies AS s USING (study_instance_uid)"
    )
    assert rows.rows == (("Lookwell", True, "others"),)


def test_the_file_that_is_cut_off_is_named_and_its_neighbours_are_measured(night):
    store = Warehouse(night.data / "warehouse")
    rows = store.query("SELECT sop_instance_uid, reason FROM images WHERE status <> 'measured'").rows
    assert rows == (("2.25.5002.9", "truncated"),)
    rows = store.query("SELECT study_instance_uid, views, measured_count FROM current_studies ORDER BY 1").rows
    assert rows == (("2.25.5001", "R CC, L CC", 2), ("2.25.5002", "R CC, L CC", 2))
    assert "cut off before its end" in night.done.stdout


def test_the_report_is_written(night):
    page = (night.data / "report.html").read_text()
    assert page.count("<article") >= 2
    assert PATIENT_NAME not in page + night.done.stdout + night.done.stderr


def test_the_sites_own_prefect_server_has_the_run(night):
    request = urllib.request.Request(
        f"{night.prefect_url}/flow_runs/filter", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        runs = json.load(answer)
    assert [run["state"]["type"] for run in runs] == ["COMPLETED"]
    # Prefect shows and stores parameters: the path of the plan, never its content
    assert runs[0]["parameters"] == {"plan_file": str(night.data / "night-plan.json")}
    assert not (night.data / "prefect" / "server.log").exists()
