"""One suite for every archive: our own server, Orthanc, a folder."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from loopback import POLICY, House, free_port, house
from made_dicom import made, study, write

from reread.analytics.errors import ArchiveError
from reread.connectors.archive import Archive, StudyQuery
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.commitment import Reference
from reread.connectors.dimse import DimseArchive
from reread.connectors.folder_archive import FolderArchive
from reread.connectors.intake import Intake
from reread.connectors.outbox import OutboxPolicy, send_due
from reread.connectors.peers import Peer
from reread.connectors.poller import Window, poll
from reread.connectors.states import DeliveryState, StudyState

ORTHANC = Path("/usr/sbin/Orthanc")
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 31))


@dataclass
class Setting:
    archive: Archive
    house: House


def _orthanc(stack: ExitStack, root: Path, listener_port: int) -> Peer:
    if not ORTHANC.is_file():
        pytest.skip("Orthanc is not installed")
    port, folder = free_port(), root / "orthanc"
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpPort": free_port(),
        "HttpServerEnabled": False,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"reread": ["REREAD", "127.0.0.1", listener_port]},
        "Plugins": [],
        "ConcurrentJobs": 1,
        "StableAge": 1,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = stack.enter_context((root / "orthanc.log").open("wb"))
    process = subprocess.Popen(
        [ORTHANC, folder / "orthanc.json"], stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}
    )
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    peer = Peer("pacs", "ORTHANC", "127.0.0.1", port)
    archive = DimseArchive(peer, "REREAD")
    for _ in range(200):
        try:
            archive.echo()
            return peer
        except ArchiveError:
            time.sleep(0.1)
    pytest.fail("Orthanc did not start")


@pytest.fixture(params=["server", "server-apart", "folder", "orthanc"])
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        port = free_port()
        us = Peer("reread", "REREAD", "127.0.0.1", port)
        if request.param == "orthanc":
            peer = _orthanc(stack, tmp_path, port)
        elif request.param == "folder":
            peer = None
        else:
            server = stack.enter_context(
                ArchiveServer(tmp_path / "pacs", "PACS", [us], report_apart=request.param == "server-apart")
            )
            peer = Peer("pacs", "PACS", "127.0.0.1", server.port)
        home = stack.enter_context(house(tmp_path, *([peer] if peer else []), port=port))
        if peer is None:
            (tmp_path / "pacs").mkdir()
            intake = Intake(home.spool, home.ledger, home.pseudonyms, POLICY)
            yield Setting(FolderArchive(tmp_path / "pacs", intake, "pacs"), home)
        else:
            wait = 10.0 if request.param == "server" else 0.3  # the others report on an association of their own
            yield Setting(DimseArchive(peer, "REREAD", timeout_s=20.0, commitment_timeout_s=wait), home)


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("nothing happened within 10 s")


def test_store_find_poll_twice(setting: Setting, tmp_path: Path) -> None:
    archive, ledger = setting.archive, setting.house.ledger
    archive.echo()
    paths = study(tmp_path / "out", 4) + study(tmp_path / "out", 2, study="2.25.2", study_date="20260120", patient="P2")
    paths += study(tmp_path / "out", 1, study="2.25.3", modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2")
    assert all(outcome.stored for outcome in archive.store(paths))
    found = {item.study_instance_uid: item for item in archive.find_studies(StudyQuery(modality="MG"))}
    assert {uid: item.instance_count for uid, item in found.items()} == {"2.25.1": 4, "2.25.2": 2}
    assert found["2.25.2"].study_date == "20260120" and found["2.25.2"].modalities == ("MG",)
    day = date(2026, 1, 20)
    assert [item.study_instance_uid for item in archive.find_studies(StudyQuery(day, day, "MG"))] == ["2.25.2"]
    assert {item.sop_instance_uid for item in archive.find_instances("2.25.2")} == {"2.25.2.1", "2.25.2.2"}

    report = poll(archive, ledger, JANUARY)
    assert (report.studies_found, report.studies_fetched, report.instances_arrived) == (2, 2, 6)
    assert not report.incomplete and not report.failed
    work = {item.study_instance_uid: item for item in ledger.studies_to_measure()}
    assert {uid: len(item.instances) for uid, item in work.items()} == {"2.25.1": 4, "2.25.2": 2}
    assert work["2.25.1"].evidence == "count of pacs: 4 of 4"
    assert work["2.25.1"].woman != work["2.25.2"].woman
    for item in work["2.25.1"].instances:
        assert setting.house.spool.resolve(item.path).stat().st_size == item.size_bytes

    again = poll(archive, ledger, JANUARY)
    assert (again.studies_found, again.studies_fetched, again.instances_arrived) == (2, 0, 0)
    assert ledger.counts().duplicates == 0

    # one more image: only that one is fetched, and it opens a second revision
    assert archive.store([write(made(5), tmp_path / "out" / "late.dcm")])[0].stored
    late = poll(archive, ledger, JANUARY)
    assert (late.studies_fetched, late.instances_wanted, late.instances_arrived) == (1, 1, 1)
    assert ledger.counts().duplicates == 0
    assert {
        (w.revision, len(w.instances)) for w in ledger.studies_to_measure() if w.study_instance_uid == "2.25.1"
    } == {(2, 5)}


def test_deliver_and_commit(setting: Setting, tmp_path: Path) -> None:
    archive, ledger = setting.archive, setting.house.ledger
    source = study(tmp_path / "in", 2)
    list(Intake(setting.house.spool, ledger, setting.house.pseudonyms, POLICY).import_files(source))
    ledger.start_studies(["2.25.1"], "run")
    ledger.finish_study("2.25.1", 1, algorithm="a", version="1", parameters_digest="0" * 16)
    result = write(made(77, manufacturer="Reread", sop_class="1.2.840.10008.5.1.4.1.1.7"), tmp_path / "result.dcm")
    for _ in range(2):
        ledger.add_delivery(
            sop_instance_uid="2.25.1.77",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
            study_instance_uid="2.25.1",
            revision=1,
            destination="pacs",
            path=result.name,
        )
    report = send_due(archive, ledger, lambda path: tmp_path / path, OutboxPolicy(), datetime.now(UTC))
    assert report.sent == 1 and report.failed == 0
    _wait(lambda: ledger.deliveries()[0].state is DeliveryState.COMMITTED)
    assert ledger.counts().studies[StudyState.DELIVERED] == 1
    assert send_due(archive, ledger, lambda path: tmp_path / path, OutboxPolicy(), datetime.now(UTC)).sent == 0
    # our own result counts in the archive and is not fetched back
    archive.store(source)
    assert poll(archive, ledger, JANUARY).studies_fetched == 0


def test_commitment_names_what_is_not_there(setting: Setting, tmp_path: Path) -> None:
    archive = setting.archive
    if isinstance(archive, DimseArchive) and archive._commitment_timeout_s < 1:
        pytest.skip("the answer comes on another association")
    archive.store(study(tmp_path / "out", 1))
    there, lost = (Reference("1.2.840.10008.5.1.4.1.1.1.2", uid) for uid in ("2.25.1.1", "2.25.404"))
    outcome = archive.commit([there, lost])
    assert outcome.result is not None
    assert outcome.result.committed == (there,)
    assert outcome.result.failed == {"2.25.404": 0x0112}


def test_files_that_are_no_dicom_have_an_outcome(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "no.dcm").write_bytes(b"nothing")
    good = study(tmp_path / "out", 1)[0]
    outcomes = setting.archive.store([tmp_path / "no.dcm", good])
    assert [outcome.stored for outcome in outcomes] == [False, True]
