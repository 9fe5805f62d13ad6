"""Our archive against other people's query tools, and its matching rules."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pydicom
import pytest
from loopback import free_port, house
from made_dicom import study
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from reread.analytics.errors import ArchiveUnreachable
from reread.connectors.archive import StudyQuery
from reread.connectors.archive_index import ArchiveIndex, IdentifierInvalid
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.dimse import DimseArchive
from reread.connectors.peers import Peer

FINDSCU, MOVESCU, STORESCU = (Path("/usr/bin") / name for name in ("findscu", "movescu", "storescu"))
US = Peer("us", "REREAD", "127.0.0.1", 0)
NODELAY = {**os.environ, "TCP_NODELAY": "1"}


def query(**keys: object) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = "STUDY"
    dataset.StudyInstanceUID = ""
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def index(tmp_path):
    made_index = ArchiveIndex()
    paths = study(tmp_path, 3, study="2.25.1", patient="P1", study_date="20260105", study_time="081500")
    paths += study(tmp_path, 1, study="2.25.2", patient="p22", study_date="20260110", study_time="120000")
    paths += study(tmp_path, 2, study="2.25.3", patient="X", study_date="20250101", modality="CT", sop_class="1.2.3")
    for path in paths:
        made_index.add(path)
    return made_index


@pytest.mark.parametrize(
    ("keys", "hits"),
    [
        ({}, "123"),
        ({"PatientID": "P1"}, "1"),
        ({"PatientID": "p*"}, "12"),
        ({"PatientID": "P?"}, "1"),
        ({"PatientName": "secret^*"}, "123"),
        ({"StudyDate": "20260105"}, "1"),
        ({"StudyDate": "20260101-20260131"}, "12"),
        ({"StudyDate": "20260106-"}, "2"),
        ({"StudyDate": "-20251231"}, "3"),
        ({"StudyTime": "08-09"}, "1" + "3"),
        ({"StudyDate": "20260105", "StudyTime": "081501-"}, ""),
        ({"ModalitiesInStudy": "MG"}, "12"),
        ({"StudyInstanceUID": ["2.25.1", "2.25.3"]}, "13"),
        ({"PatientID": "[P]1"}, ""),
    ],
)
def test_matching(index, keys, hits):
    found = sorted(str(answer.StudyInstanceUID)[-1] for answer in index.find(query(**keys)))
    assert found == list(hits)


def test_answers_hold_the_requested_keys_and_counts_only(index):
    (answer,) = index.find(query(StudyInstanceUID="2.25.1", NumberOfStudyRelatedInstances="", ModalitiesInStudy=""))
    assert {item.keyword for item in answer} == {
        "QueryRetrieveLevel",
        "StudyInstanceUID",
        "NumberOfStudyRelatedInstances",
        "ModalitiesInStudy",
    }
    assert answer.NumberOfStudyRelatedInstances == 3


def test_a_level_is_needed(index):
    with pytest.raises(IdentifierInvalid):
        index.find(query(QueryRetrieveLevel="PATIENTS"))
    with pytest.raises(IdentifierInvalid):
        index.matches(query())


def test_strangers_are_refused(tmp_path):
    with (
        ArchiveServer(tmp_path / "pacs", "PACS", [US]) as server,
        pytest.raises(ArchiveUnreachable, match="result 1, source 1, reason 3"),
    ):
        DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "STRANGER").echo()


def test_get(tmp_path):
    paths = study(tmp_path / "pacs", 2)
    received = []
    with ArchiveServer(tmp_path / "pacs", "PACS", [US]) as server:
        model = StudyRootQueryRetrieveInformationModelGet
        mammogram = "1.2.840.10008.5.1.4.1.1.1.2"

        def keep(event):
            received.append(event.dataset_path.read_bytes()[-900:])
            event.request._dataset_file.close()
            event.dataset_path.unlink()
            return 0x0000

        association = AE("REREAD").associate(
            "127.0.0.1",
            server.port,
            ae_title="PACS",
            contexts=[build_context(model), build_context(mammogram, "1.2.840.10008.1.2.1")],
            ext_neg=[build_role(mammogram, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, keep)],
        )
        last = None
        for status, _ in association.send_c_get(query(StudyInstanceUID="2.25.1"), model):
            last = status
        association.release()
    assert (last.Status, last.NumberOfCompletedSuboperations) == (0x0000, 2)
    assert sorted(received) == sorted(path.read_bytes()[-900:] for path in paths)


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
