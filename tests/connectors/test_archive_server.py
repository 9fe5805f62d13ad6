"""Our archive against other people's tools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pydicom
import pytest
from loopback import free_port, house
from made_dicom import study

from reread.analytics.errors import ArchiveUnreachable
from reread.connectors.archive import StudyQuery
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.dimse import DimseArchive
from reread.connectors.peers import Peer

FINDSCU, MOVESCU, STORESCU = (Path("/usr/bin") / name for name in ("findscu", "movescu", "storescu"))
US = Peer("us", "REREAD", "127.0.0.1", 0)
NODELAY = {**os.environ, "TCP_NODELAY": "1"}


def test_strangers_are_refused(tmp_path):
    with (
        ArchiveServer(tmp_path / "pacs", "PACS", [US]) as server,
        pytest.raises(ArchiveUnreachable, match="result 1, source 1, reason 3"),
    ):
        DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "STRANGER").echo()


def test_results_are_cut_off(tmp_path):
    for number in range(4):
        study(tmp_path / "pacs", 1, study=f"2.25.{number + 1}")
    with ArchiveServer(tmp_path / "pacs", "PACS", [US], max_find_results=3) as server:
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
        assert len(list(archive.find_studies(StudyQuery()))) == 3


def test_what_was_stored_is_there_after_a_restart(tmp_path):
    study(tmp_path / "pacs", 2)
    paths = study(tmp_path / "out", 2, study="2.25.2")
    for stored in (paths, []):
        with ArchiveServer(tmp_path / "pacs", "PACS", [US]) as server:
            archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
            assert all(outcome.stored for outcome in archive.store(stored))
            assert [item.sop_instance_uid for item in server.stored_instances()] == ["2.25.2.1", "2.25.2.2"]
            assert len(server.instances()) == 4
            assert {item.study_instance_uid for item in archive.find_studies(StudyQuery())} == {"2.25.1", "2.25.2"}
    with pytest.raises(RuntimeError, match="not started"):
        server.instances()


@pytest.mark.skipif(not FINDSCU.is_file(), reason="dcmtk's findscu is not installed")
def test_dcmtk_finds_and_moves(tmp_path):
    study(tmp_path / "pacs", 3)
    port = free_port()
    peers = [Peer("us", "REREAD", "127.0.0.1", port)]
    with ArchiveServer(tmp_path / "pacs", "PACS", peers) as server:
        source = Peer("pacs", "PACS", "127.0.0.1", server.port)
        with house(tmp_path, source, port=port) as node:
            common = ["-S", "-aet", "REREAD", "-aec", "PACS"]
            address = ["127.0.0.1", str(server.port)]
            keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.1"]
            folder = tmp_path / "answers"
            folder.mkdir()
            more = ["-k", "NumberOfStudyRelatedInstances", "-X", "-od", str(folder)]
            subprocess.run([FINDSCU, *common, *keys, *more, *address], env=NODELAY, timeout=60, check=True)
            (answer,) = [pydicom.dcmread(path, force=True) for path in folder.iterdir()]
            assert answer.NumberOfStudyRelatedInstances == 3
            move = [MOVESCU, *common, "-aem", "REREAD", *keys, *address]
            subprocess.run(move, env=NODELAY, timeout=60, check=True, capture_output=True)
            assert len(node.ledger.known_instances("2.25.1")) == 3


@pytest.mark.skipif(not STORESCU.is_file(), reason="dcmtk's storescu is not installed")
def test_dcmtk_stores_and_we_find(tmp_path):
    paths = study(tmp_path / "out", 2)
    with ArchiveServer(tmp_path / "pacs", "PACS", [US]) as server:
        send = [STORESCU, "-aet", "REREAD", "-aec", "PACS", "127.0.0.1", str(server.port), *map(str, paths)]
        subprocess.run(send, env=NODELAY, timeout=60, check=True, capture_output=True)
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
        (found,) = archive.find_studies(StudyQuery())
        assert found.instance_count == 2 and len(server.stored_instances()) == 2
