"""C-MOVE and C-GET with dcmtk, Orthanc and pynetdicom as peers (R3.90 to R3.96, R3.218 to R3.231, R4.217 to R4.227)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from loopback import House, free_port, house
from made_dicom import MAMMOGRAM, made, study, write
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1, RLELossless
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from reread.connectors.part10 import read_part10
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.retrieve_service import GetService, MoveService

BIN = Path("/usr/bin")
MOVESCU, GETSCU, STORESCP = (BIN / name for name in ("movescu", "getscu", "storescp"))
ORTHANC = Path("/usr/sbin/Orthanc")
SYNTAXES = Path(__file__).parents[2].parent / "shared" / "data" / "interop" / "syntaxes"
NODELAY = {**os.environ, "TCP_NODELAY": "1"}
STUDY_MOVE, PATIENT_MOVE = StudyRootQueryRetrieveInformationModelMove, PatientRootQueryRetrieveInformationModelMove
STUDY_GET, PATIENT_GET = StudyRootQueryRetrieveInformationModelGet, PatientRootQueryRetrieveInformationModelGet
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
ASKING = frozenset({PeerRole.QUERY})
needs_dcmtk = pytest.mark.skipif(
    not all(tool.is_file() for tool in (MOVESCU, GETSCU, STORESCP)), reason="dcmtk is not installed"
)


def dataset_of(path: Path) -> bytes:
    """A file without its file meta information, which is the receiver's own."""
    return path.read_bytes()[read_part10(path).dataset_offset :]


def station(port: int = 0) -> Peer:
    return Peer("ws", "WS", "127.0.0.1", port, ASKING)


def take(node: House, *paths: Path) -> None:
    list(node.listener.intake.import_files(paths))


@contextmanager
def storescp(folder: Path, port: int, *options: str) -> Iterator[Path]:
    """dcmtk's receiver, up."""
    folder.mkdir()
    command = [str(STORESCP), "-aet", "WS", "-od", str(folder), "+B", *options, str(port)]
    process = subprocess.Popen(command, env=NODELAY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield folder
    finally:
        process.terminate()
        process.wait(10)


def movescu(node: House, *keys: str, destination: str = "WS", root: str = "-S", more: tuple[str, ...] = ()) -> str:
    command = [str(MOVESCU), "-v", root, "-aet", "WS", "-aec", "REREAD", "-aem", destination, *more]
    for key in keys:
        command += ["-k", key]
    command += ["127.0.0.1", str(node.listener.port)]
    done = subprocess.run(command, env=NODELAY, timeout=60, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def request(node: House, model: str, destination: str = "WS", **keys: object) -> list[tuple[Dataset, Dataset | None]]:
    """Statuses and identifiers of one C-MOVE."""
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    address = ("127.0.0.1", node.listener.port)
    association = AE("WS").associate(*address, ae_title="REREAD", contexts=[build_context(model)])
    assert association.is_established
    answers = list(association.send_c_move(identifier, destination, model))
    association.release()
    return answers


class Receiver:
    """A pynetdicom storage SCP whose answers a test decides."""

    def __init__(self, port: int, contexts: list[tuple[str, list[str]]], status: Any = 0x0000) -> None:
        self.got: list[tuple[str, str]] = []
        self.events: list[Any] = []
        self._status = status
        ae = AE("WS")
        for uid, syntaxes in contexts:
            ae.add_supported_context(uid, syntaxes)
        self._server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.got.append((uid, str(event.context.transfer_syntax)))
        self.events.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        status = self._status
        return int(status(event, uid) if callable(status) else status)

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()


@needs_dcmtk
def test_all_levels_of_both_roots_byte_for_byte(tmp_path):
    port = free_port()
    with house(tmp_path, station(port)) as node:
        paths = study(tmp_path / "out", 3) + study(tmp_path / "out", 2, study="2.25.2")
        paths += study(tmp_path / "out", 1, study="2.25.3", patient="P3")
        take(node, *paths)
        levels = [
            ("-P", ("QueryRetrieveLevel=PATIENT", "PatientID=P1"), 5),
            ("-P", ("QueryRetrieveLevel=STUDY", "PatientID=P1", "StudyInstanceUID=2.25.2"), 2),
            ("-S", ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.1"), 3),
            ("-S", ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.1\\2.25.3"), 4),
            ("-S", ("QueryRetrieveLevel=SERIES", "StudyInstanceUID=2.25.1", "SeriesInstanceUID=2.25.1.900"), 3),
            (
                "-S",
                (
                    "QueryRetrieveLevel=IMAGE",
                    "StudyInstanceUID=2.25.1",
                    "SeriesInstanceUID=2.25.1.900",
                    "SOPInstanceUID=2.25.1.2\\2.25.1.3",
                ),
                2,
            ),
        ]
        for number, (root, keys, count) in enumerate(levels):
            with storescp(tmp_path / f"in{number}", port) as received:
                said = movescu(node, *keys, root=root)
                assert "Received Final Move Response (Success)" in said  # R3.227
                assert said.count("Received Move Response") == count - 1  # R4.227: after each but the last
                assert len(list(received.iterdir())) == count
        sent = {read_part10(path).sop_instance_uid: dataset_of(path) for path in paths}
        for path in (tmp_path / "in3").iterdir():
            assert dataset_of(path) == sent[read_part10(path).sop_instance_uid]
        assert not list(node.spool.incoming.iterdir())


def compressed(folder: Path) -> tuple[Path, np.ndarray]:
    """One mammogram in RLE, and its pixels."""
    values = (np.arange(64 * 64, dtype=np.uint16) % 4096).reshape(64, 64)
    dataset = made(1, size=64)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = values.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.compress(RLELossless, generate_instance_uid=False)
    return write(dataset, folder / "rle.dcm"), values


@needs_dcmtk
@pytest.mark.parametrize(("options", "syntax"), [(("+xa",), RLELossless), (("+xe",), EXPLICIT), (("+xi",), IMPLICIT)])
def test_compressed_as_it_lies_or_decompressed(tmp_path, options, syntax):
    port = free_port()
    path, values = compressed(tmp_path / "out")
    with house(tmp_path, station(port)) as node, storescp(tmp_path / "in", port, *options) as received:
        take(node, path)
        said = movescu(node, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.1")
        assert "Received Final Move Response (Success)" in said
        (got,) = received.iterdir()
        dataset = pydicom.dcmread(got)
        assert dataset.file_meta.TransferSyntaxUID == syntax  # R3.94
        assert np.array_equal(dataset.pixel_array, values) and dataset.SOPInstanceUID == "2.25.1.1"
        if syntax == RLELossless:
            assert dataset_of(got) == dataset_of(path)
        assert not list(node.spool.incoming.iterdir())


@needs_dcmtk
@pytest.mark.skipif(not SYNTAXES.is_dir(), reason="shared/data/interop/syntaxes is not there")
def test_syntaxes_of_others_go_out_as_they_came(tmp_path):
    port = free_port()
    files = [SYNTAXES / f"1.2.840.10008.1.2{tail}.dcm" for tail in (".4.70", ".4.90", ".4.50", ".1.99", ".2", ".5")]
    with house(tmp_path, station(port)) as node, storescp(tmp_path / "in", port, "+xa") as received:
        take(node, *files)
        sent = {read_part10(path).sop_instance_uid: dataset_of(path) for path in files}
        studies = "\\".join({read_part10(path).study_instance_uid for path in files})
        said = movescu(node, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={studies}")
        assert "Received Final Move Response (Success)" in said
        got = {read_part10(path).sop_instance_uid: dataset_of(path) for path in received.iterdir()}
        deflated = read_part10(files[3]).sop_instance_uid
        assert len(sent[deflated]) % 2 == 1, "this file lacks its padding, and a message may not (PS3.5 A.5)"
        assert got == sent | {deflated: sent[deflated] + b"\0"}


def test_what_cannot_be_decompressed_fails_alone(tmp_path):
    port = free_port()
    broken = made(1)
    broken.PixelData = encapsulate([b"\xff\xd8no JPEG\xff\xd9"])
    broken["PixelData"].is_undefined_length = True
    broken.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    with house(tmp_path, station(port)) as node, Receiver(port, [(MAMMOGRAM, [EXPLICIT])]) as receiver:
        take(node, write(broken, tmp_path / "b.dcm"), write(made(2), tmp_path / "g.dcm"))
        answers = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
    status, identifier = answers[-1]
    assert status.Status == 0xB000 and identifier is not None  # R3.226, R3.95
    assert identifier.FailedSOPInstanceUIDList == "2.25.1.1"
    assert (status.NumberOfCompletedSuboperations, status.NumberOfFailedSuboperations) == (1, 1)
    assert receiver.got == [("2.25.1.2", EXPLICIT)]


def test_statuses(tmp_path):
    port = free_port()
    by_uid = {"2.25.1.2": 0xB000, "2.25.1.3": 0xA700}
    with (
        house(tmp_path, station(port), Peer("silent", "SILENT", "127.0.0.1", free_port(), frozenset())) as node,
        Receiver(port, [(MAMMOGRAM, [EXPLICIT])], lambda event, uid: by_uid.get(uid, 0)) as receiver,
    ):
        take(node, *study(tmp_path / "out", 4), *study(tmp_path / "out", 2, study="2.25.2", sop_class="1.2.3"))
        answers = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
        assert [status.Status for status, _ in answers] == [0xFF00] * 3 + [0xB000]
        assert [status.NumberOfRemainingSuboperations for status, _ in answers[:-1]] == [3, 2, 1]
        last, identifier = answers[-1]
        counts = [
            last.NumberOfCompletedSuboperations,
            last.NumberOfWarningSuboperations,
            last.NumberOfFailedSuboperations,
        ]
        assert counts == [2, 1, 1] and identifier.FailedSOPInstanceUIDList == "2.25.1.3"
        assert "NumberOfRemainingSuboperations" not in last
        assert receiver.events[0] == ("WS", 1), "who asked for it, not who sends it"

        def only(model: str = STUDY_MOVE, destination: str = "WS", **keys: object) -> Dataset:
            ((status, _),) = request(node, model, destination, **keys)
            return status

        this = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "2.25.1"}
        assert only(destination="NOBODY", **this).Status == 0xA801  # R3.223
        unreachable = request(node, STUDY_MOVE, "SILENT", **this)[-1][0]
        assert unreachable.Status == 0xA702 and "no association" in unreachable.ErrorComment  # R4.220
        nothing = only(QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.404")
        assert nothing.Status == 0xA701  # R4.219
        wrong = only(QueryRetrieveLevel="FRAME")
        assert (wrong.Status, wrong.OffendingElement) == (0xA900, 0x00080052)  # R3.224
        assert only(PATIENT_MOVE, **this).OffendingElement == 0x00100020
        # a class that the receiver does not take: all fail
        refused = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.2")[-1]
        assert refused[0].Status == 0xA702


def test_who_may_not_retrieve(tmp_path):
    sender = Peer("sender", "SENDER", "127.0.0.1", 11999)
    with house(tmp_path, station(), sender) as node:
        take(node, *study(tmp_path / "out", 1))
        for model in (STUDY_MOVE, STUDY_GET):
            association = AE("SENDER").associate(
                "127.0.0.1", node.listener.port, ae_title="REREAD", contexts=[build_context(model)]
            )
            identifier = Dataset()
            identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "2.25.1"
            if model == STUDY_MOVE:
                answers = list(association.send_c_move(identifier, "SENDER", model))
            else:
                answers = list(association.send_c_get(identifier, model))
            association.release()
            assert [status.Status for status, _ in answers] == [0x0124]


def test_a_receiver_that_always_breaks_off(tmp_path):
    port = free_port()

    def abort(event: Any, uid: str) -> int:
        event.assoc.abort()
        return 0x0000

    with house(tmp_path, station(port)) as node, Receiver(port, [(MAMMOGRAM, [EXPLICIT])], abort) as receiver:
        take(node, *study(tmp_path / "out", 30))
        answers = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
    assert answers[-1][0].Status == 0xA702 and len(receiver.got) == 3, "three associations, then it is given up"
    assert answers[-1][0].NumberOfFailedSuboperations == 30


@needs_dcmtk
def test_more_contexts_than_an_association_has(tmp_path):
    port = free_port()
    classes = [f"1.2.826.0.1.3680043.9.3811.88.{number}" for number in range(140)]
    with house(tmp_path, station(port)) as node, storescp(tmp_path / "in", port, "-pm") as received:
        take(node, *(write(made(n, sop_class=uid), tmp_path / "o" / f"{n}.dcm") for n, uid in enumerate(classes)))
        answers = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
        assert answers[-1][0].Status == 0x0000 and len(list(received.iterdir())) == 140


def test_a_receiver_that_breaks_off_loses_one_object_only(tmp_path):
    port = free_port()

    def abort(event: Any, uid: str) -> int:
        if uid == "2.25.1.2":
            event.assoc.abort()
        return 0x0000

    with house(tmp_path, station(port)) as node, Receiver(port, [(MAMMOGRAM, [EXPLICIT])], abort) as receiver:
        take(node, *study(tmp_path / "out", 4))
        answers = request(node, STUDY_MOVE, QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")
    status, identifier = answers[-1]
    assert (status.Status, identifier.FailedSOPInstanceUIDList) == (0xB000, "2.25.1.2")
    assert [uid for uid, _ in receiver.got] == ["2.25.1.1", "2.25.1.2", "2.25.1.3", "2.25.1.4"]


def test_a_move_goes_on_without_its_requester(tmp_path):
    port = free_port()
    first, go_on = threading.Event(), threading.Event()

    def slow(event: Any, uid: str) -> int:
        first.set()
        go_on.wait(20)
        return 0x0000

    with house(tmp_path, station(port)) as node, Receiver(port, [(MAMMOGRAM, [EXPLICIT])], slow) as receiver:
        take(node, *study(tmp_path / "out", 5))
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "2.25.1"
        ae = AE("WS")
        ae.dimse_timeout = 1
        association = ae.associate(
            "127.0.0.1", node.listener.port, ae_title="REREAD", contexts=[build_context(STUDY_MOVE)]
        )
        asking = threading.Thread(target=lambda: list(association.send_c_move(identifier, "WS", STUDY_MOVE)))
        asking.start()
        assert first.wait(20)
        association.abort()  # R3.230
        asking.join(20)
        go_on.set()
        for _ in range(400):
            if len(receiver.got) == 5:
                break
            time.sleep(0.02)
        assert [uid for uid, _ in receiver.got] == [f"2.25.1.{n}" for n in range(1, 6)]


@needs_dcmtk
def test_cancel(tmp_path):
    port = free_port()
    with house(tmp_path, station(port)) as node, Receiver(port, [(MAMMOGRAM, [EXPLICIT])], _slowly) as receiver:
        take(node, *study(tmp_path / "out", 20))
        said = movescu(node, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.1", more=("--cancel", "2"))
        assert "Received Final Move Response (Cancel" in said  # R3.231, R4.224
        assert 2 <= len(receiver.got) < 15


def _slowly(event: Any, uid: str) -> int:
    time.sleep(0.02)
    return 0x0000


@needs_dcmtk
@pytest.mark.parametrize("root", ["-S", "-P"])
def test_get_with_dcmtk(tmp_path, root):
    with house(tmp_path, station()) as node:
        paths = study(tmp_path / "out", 3)
        take(node, *paths)
        folder = tmp_path / "in"
        folder.mkdir()
        keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.1", *(["PatientID=P1"] if root == "-P" else [])]
        command = [str(GETSCU), root, "-aet", "WS", "-aec", "REREAD", "+B", "-od", str(folder)]
        for key in keys:
            command += ["-k", key]
        command += ["127.0.0.1", str(node.listener.port)]
        subprocess.run(command, env=NODELAY, timeout=60, check=True, capture_output=True)
        got = {read_part10(path).sop_instance_uid: dataset_of(path) for path in folder.iterdir()}
        assert got == {read_part10(path).sop_instance_uid: dataset_of(path) for path in paths}


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [([RLELossless, EXPLICIT], EXPLICIT), ([RLELossless], RLELossless), ([IMPLICIT], IMPLICIT)],
)
def test_get_in_what_the_requester_takes(tmp_path, proposed, expected):
    path, values = compressed(tmp_path / "out")
    got: list[tuple[str, np.ndarray]] = []

    def keep(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        got.append((str(event.context.transfer_syntax), dataset.pixel_array))
        return 0x0000

    with house(tmp_path, station()) as node:
        take(node, path, write(made(2, sop_class="1.2.840.10008.5.1.4.1.1.7"), tmp_path / "o" / "2.dcm"))
        association = AE("WS").associate(
            "127.0.0.1",
            node.listener.port,
            ae_title="REREAD",
            contexts=[build_context(STUDY_GET), build_context(MAMMOGRAM, proposed)],
            ext_neg=[build_role(MAMMOGRAM, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, keep)],
        )
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "2.25.1"
        *_, (status, failed) = association.send_c_get(identifier, STUDY_GET)
        association.release()
    ((syntax, pixels),) = got
    assert syntax == expected and np.array_equal(pixels, values)
    assert (status.Status, failed.FailedSOPInstanceUIDList) == (0xB000, "2.25.1.2")


@pytest.mark.slow
@pytest.mark.skipif(not ORTHANC.is_file(), reason="Orthanc is not installed")
def test_orthanc_asks_us(tmp_path):
    port, http, folder = free_port(), free_port(), tmp_path / "orthanc"
    folder.mkdir()
    orthanc = Peer("orthanc", "ORTHANC", "127.0.0.1", port, ASKING)
    with house(tmp_path, orthanc) as node:
        take(node, *study(tmp_path / "out", 3))
        settings = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "DicomPort": port,
            "DicomAet": "ORTHANC",
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomModalities": {"reread": ["REREAD", "127.0.0.1", node.listener.port]},
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        with (tmp_path / "orthanc.log").open("wb") as log:
            process = subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=log, stderr=log, env=NODELAY)
        try:
            query = {"Level": "Study", "Query": {"PatientName": "secret*", "StudyDate": "20260101-20260131"}}
            (found,) = [_rest(http, "/modalities/reread/query", query)]
            answers = _rest(http, f"/queries/{found['ID']}/answers")
            assert answers == ["0"]
            content = _rest(http, f"/queries/{found['ID']}/answers/0/content?simplify")
            assert content["StudyInstanceUID"] == "2.25.1" and content["PatientID"] == "P1"
            _rest(http, f"/queries/{found['ID']}/answers/0/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
            assert len(_rest(http, "/instances")) == 3
        finally:
            process.terminate()
            process.wait(20)


def _rest(port: int, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if attempt == 99:
                raise
            time.sleep(0.1)
    raise AssertionError


def test_statuses_are_in_the_tables(tmp_path):
    with house(tmp_path, station()) as node:
        services = {type(service): service for service in node.listener.node.services}
        codes = {0x0000, 0xB000, 0xFF00, 0xFE00, 0x0124, 0xA701, 0xA702, 0xA900, 0xC000}
        assert {status.code for status in services[GetService].statuses()} == codes
        assert {status.code for status in services[MoveService].statuses()} == codes | {0xA801}
        offered = {offer.abstract_syntax: offer for offer in services[GetService].offers()}
        assert {STUDY_GET, PATIENT_GET, MAMMOGRAM} <= offered.keys() and offered[MAMMOGRAM].peer_scp
