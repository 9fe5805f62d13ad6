"""C-FIND over the network: dcmtk's findscu; a pynetdicom requester for the statuses (R3.154 to R3.164, R4.151 on)."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from loopback import House, house
from made_dicom import made, study, write
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from reread.analytics.errors import CatalogueBehind, CatalogueError
from reread.connectors.catalogue import Catalogue
from reread.connectors.catalogue_header import read_header
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.query_service import QueryService

FINDSCU = Path("/usr/bin/findscu")
CHARSETS = Path(__file__).parents[2].parent / "shared" / "data" / "interop" / "charsets"
NODELAY = {**os.environ, "TCP_NODELAY": "1"}
STATION = Peer("ws", "WS", "127.0.0.1", 0, frozenset({PeerRole.QUERY}))
SENDER = Peer("sender", "SENDER", "127.0.0.1", 0, frozenset({PeerRole.SOURCE}))
STUDY_ROOT, PATIENT_ROOT = StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind
needs_findscu = pytest.mark.skipif(not FINDSCU.is_file(), reason="dcmtk's findscu is not installed")


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("site")
    with house(root, STATION, SENDER, data=root) as opened:
        files = study(root / "out", 3, study="2.25.1", patient="P1", study_date="20260105", study_time="081500")
        files += study(root / "out", 2, study="2.25.2", patient="p22", study_date="20260110", study_time="120000")
        files += study(
            root / "out", 2, study="2.25.3", patient="X", study_date="20250101", modality="CT", sop_class="1.2.3"
        )
        coded = made(9, study="2.25.4", patient="Y", study_date="20240101")
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "MAM", "99REREAD", "Mammography"
        coded.ProcedureCodeSequence, coded.AccessionNumber, coded.StudyID = [item], "ACC-7", "S 7"
        coded.SpecificCharacterSet, coded.PatientName = "ISO_IR 100", "Müller^Ägidius"
        files.append(write(coded, root / "out" / "coded.dcm"))
        list(opened.listener.intake.import_files(files))
        result = made(77, study="2.25.1", sop_class="1.2.840.10008.5.1.4.1.1.7", modality="OT", series="2.25.1.901")
        write(result, root / "results" / "r.dcm")
        opened.ledger.add_result("2.25.1.77", "results/r.dcm")
        yield opened


def find(node: House, folder: Path, *keys: str, root: str = "-S", more: tuple[str, ...] = ()) -> list[Dataset]:
    """What findscu gets."""
    folder.mkdir()
    command = [str(FINDSCU), root, "-aet", "WS", "-aec", "REREAD", *more]
    for key in keys:
        command += ["-k", key]
    command += ["-X", "-od", str(folder), "127.0.0.1", str(node.listener.port)]
    subprocess.run(command, env=NODELAY, timeout=60, check=True, capture_output=True)
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.iterdir())]


@needs_findscu
@pytest.mark.parametrize(
    ("keys", "hits"),
    [
        ((), "1234"),
        (("PatientID=p1",), "1"),  # R3.154
        (("PatientID=P*",), "12"),
        (("PatientID=P?",), "1"),
        (("PatientName=secret p1",), "1"),  # R4.153
        (("PatientName=SECRET^*",), "123"),
        (("PatientName=muller*",), "4"),
        (("StudyDate=20260105",), "1"),
        (("StudyDate=20260101-20260131",), "12"),
        (("StudyDate=20260106-",), "2"),
        (("StudyDate=-20251231",), "34"),
        (("StudyTime=08-09",), "134"),
        (("StudyDate=20260105", "StudyTime=081501-"), ""),
        (("ModalitiesInStudy=MG",), "124"),
        (("ModalitiesInStudy=OT",), "1"),  # R4.548: our results are found like received ones
        (("AccessionNumber=acc-7",), "4"),
        (("AccessionNumber=acc*",), "4"),
        (("StudyID=s?7",), "4"),
        (("StudyInstanceUID=2.25.1\\2.25.3",), "13"),
        (("NumberOfStudyRelatedInstances=4",), "1"),
        (("NumberOfStudyRelatedSeries=2",), "1"),
        (("(0008,1032)[0].CodeValue=mam",), "4"),  # R3.141
        (("(0008,1032)[0].CodeValue=mam", "(0008,1032)[0].CodingSchemeDesignator=SRT"), ""),
        (("PatientID=[P]1",), ""),
        (("PatientID=*'; DROP TABLE studies; --",), ""),
    ],
)
def test_studies(node, tmp_path, keys, hits):
    found = find(node, tmp_path / "a", "QueryRetrieveLevel=STUDY", "StudyInstanceUID", *keys)
    assert sorted(str(answer.StudyInstanceUID)[-1] for answer in found) == list(hits)


@needs_findscu
def test_all_levels_of_both_roots(node, tmp_path):
    above = ("StudyInstanceUID=2.25.1", "SeriesInstanceUID=2.25.1.900")
    patients = find(node, tmp_path / "p", "QueryRetrieveLevel=PATIENT", "PatientID", "PatientName", root="-P")
    assert sorted(answer.PatientID for answer in patients) == ["P1", "X", "Y", "p22"]
    studies = find(
        node, tmp_path / "s", "QueryRetrieveLevel=STUDY", "PatientID=P1", "StudyInstanceUID", "StudyDate", root="-P"
    )
    assert [(answer.StudyInstanceUID, answer.StudyDate) for answer in studies] == [("2.25.1", "20260105")]
    for number, (root, patient) in enumerate((("-S", ()), ("-P", ("PatientID=P1",)))):
        series = find(
            node,
            tmp_path / f"e{number}",
            "QueryRetrieveLevel=SERIES",
            *patient,
            above[0],
            "SeriesInstanceUID",
            "Modality",
            "NumberOfSeriesRelatedInstances",
            root=root,
        )
        assert sorted((answer.Modality, answer.NumberOfSeriesRelatedInstances) for answer in series) == [
            ("MG", 3),
            ("OT", 1),
        ]
        images = find(
            node,
            tmp_path / f"i{number}",
            "QueryRetrieveLevel=IMAGE",
            *patient,
            *above,
            "SOPInstanceUID",
            "InstanceNumber=2",
            "Rows",
            "SOPClassUID",
            root=root,
        )
        (image,) = images
        assert (image.SOPInstanceUID, image.InstanceNumber, image.Rows) == ("2.25.1.2", 2, 32)


@needs_findscu
def test_answers_hold_what_was_asked_for(node, tmp_path):
    (answer,) = find(node, tmp_path / "a", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.4", "PatientName")
    assert {element.keyword for element in answer} == {
        "SpecificCharacterSet",
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "InstanceAvailability",
        "PatientName",
        "StudyInstanceUID",
    }
    assert answer.SpecificCharacterSet == "ISO_IR 192" and answer.PatientName == "Müller^Ägidius"
    assert answer.RetrieveAETitle == "REREAD" and answer.InstanceAvailability == "ONLINE"
    (answer,) = find(node, tmp_path / "b", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.4", "(0008,1032)")
    (code,) = answer.ProcedureCodeSequence
    assert (code.CodeValue, code.CodeMeaning) == ("MAM", "Mammography")


@needs_findscu
def test_a_new_object_is_found_at_once(node, tmp_path):
    keys = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.50")
    assert not find(node, tmp_path / "a", *keys)
    node.listener.intake.import_file(study(tmp_path / "new", 1, study="2.25.50", patient="NEW")[0])
    assert len(find(node, tmp_path / "b", *keys)) == 1
    node.ledger.reject_instance(
        "2.25.50.1", __import__("reread.analytics.reasons", fromlist=["Reason"]).Reason.NOT_DICOM, ""
    )
    assert not find(node, tmp_path / "c", *keys)


@needs_findscu
def test_cancel_between_answers(tmp_path):
    with house(tmp_path, STATION) as many:
        files = (write(made(1, study=f"2.25.{n + 10}", size=1), tmp_path / "o" / f"{n}.dcm") for n in range(120))
        list(many.listener.intake.import_files(list(files)))
        command = [str(FINDSCU), "-v", "-S", "-aet", "WS", "-aec", "REREAD", "--cancel", "3"]
        command += ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "127.0.0.1", str(many.listener.port)]
        done = subprocess.run(command, env=NODELAY, timeout=60, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "Cancel: MatchingTerminatedDueToCancelRequest" in said  # R3.164, R4.156
    assert 3 <= said.count("(Pending)") < 60


@needs_findscu
@pytest.mark.skipif(not CHARSETS.is_dir(), reason="shared/data/interop/charsets is not there")
def test_scripts(tmp_path):
    with house(tmp_path, STATION) as node:
        files = sorted(CHARSETS.glob("*.dcm"))
        list(node.listener.intake.import_files(files))
        headers = [header.values for path in files if (header := read_header(path)) is not None]
        expected = {values["StudyInstanceUID"]: values["PatientName"] for values in headers}
        assert len(expected) == len(files)
        found = find(node, tmp_path / "a", "QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName")
        assert {str(answer.StudyInstanceUID): str(answer.PatientName) for answer in found} == expected
        assert {answer.get("SpecificCharacterSet") for answer in found} <= {"ISO_IR 192", None}
        greek = next(uid for uid, name in expected.items() if any("Ͱ" <= letter <= "Ͽ" for letter in name))
        # (0008,0005) comes first by its tag, so dcmtk takes the bytes of the key as they are
        keys = (f"PatientName={expected[greek].swapcase()}", "SpecificCharacterSet=ISO_IR 192")
        found = find(node, tmp_path / "b", "QueryRetrieveLevel=STUDY", "StudyInstanceUID", *keys)
        assert [answer.StudyInstanceUID for answer in found] == [greek]


def ask(node: House, model: str = STUDY_ROOT, title: str = "WS", **keys: object) -> list[Dataset]:
    """All statuses of one C-FIND."""
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    address = ("127.0.0.1", node.listener.port)
    association = AE(title).associate(*address, ae_title="REREAD", contexts=[build_context(model)])
    assert association.is_established
    statuses = [status for status, _ in association.send_c_find(identifier, model)]
    association.release()
    return statuses


def test_statuses(node):
    (*pending, last) = ask(node, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
    assert [status.Status for status in pending] == [0xFF00] and last.Status == 0x0000  # R4.157, R4.158
    (pending, last) = ask(node, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1", Modality="CT")
    assert (pending.Status, last.Status) == (0xFF01, 0x0000)  # R4.159
    (last,) = ask(node, StudyInstanceUID="")
    assert (last.Status, last.OffendingElement) == (0xA900, 0x00080052) and last.ErrorComment  # R3.160
    (last,) = ask(node, QueryRetrieveLevel="PATIENT", PatientID="")
    assert last.Status == 0xA900
    (last,) = ask(node, PATIENT_ROOT, QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    assert (last.Status, last.OffendingElement) == (0xA900, 0x00100020)
    (last,) = ask(node, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.404")
    assert last.Status == 0x0000


def test_who_may_not_query_is_told_so(node):
    (last,) = ask(node, title="SENDER", QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    assert last.Status == 0x0124 and "may not" in last.ErrorComment


def test_without_a_peer_that_may_query_nothing_is_offered(tmp_path):
    with house(tmp_path, SENDER) as plain:
        address = ("127.0.0.1", plain.listener.port)
        association = AE("SENDER").associate(*address, ae_title="REREAD", contexts=[build_context(STUDY_ROOT)])
        assert not association.is_established
        assert not (plain.spool.root / "catalogue.sqlite").exists()


def test_when_the_catalogue_fails(node, monkeypatch, caplog):
    def fails(error: Exception):
        def catch_up(self: Catalogue, patience_s: float | None = None) -> int:
            raise error

        return catch_up

    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "PatientName": "Secret*"}
    for error, status in (
        (CatalogueBehind("ask again later"), 0xA700),  # R4.154
        (CatalogueError("does not answer"), 0xC000),  # R3.161
        (ValueError("Secret^P1"), 0xC000),  # R4.155
    ):
        monkeypatch.setattr(Catalogue, "catch_up", fails(error))
        (last,) = ask(node, **keys)
        assert last.Status == status and last.ErrorComment
    assert "Secret" not in caplog.text
    monkeypatch.undo()
    assert len(ask(node, **keys)) > 1


def test_no_patient_in_the_log(node, caplog):
    caplog.set_level(logging.DEBUG)
    ask(node, QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="Secret^P1", PatientID="P1")
    ask(node, QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="Secret^P1", StudyDate="")
    own = "\n".join(record.getMessage() for record in caplog.records if record.threadName != "MainThread")
    assert "Secret" not in own


def test_every_status_is_in_the_table(node):
    service = next(service for service in node.listener.node.services if isinstance(service, QueryService))
    assert {status.code for status in service.statuses()} == {
        *(0x0000, 0xFF00, 0xFF01, 0xFE00, 0x0124, 0xA700, 0xA900, 0xC000)
    }
    assert {offer.abstract_syntax for offer in service.offers()} == {STUDY_ROOT, PATIENT_ROOT}
