"""The door: durable before acknowledged, known peers only, nothing half."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest
from loopback import House, house
from made_dicom import made, study, write
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, HTJ2KLossless
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from reread.analytics.errors import ArchiveUnreachable, LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.admission import AdmissionPolicy
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_records import Outcome
from reread.connectors.peers import Peer, PeerRole

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)


def sender(node: House, ae_title: str = "SENDER", called: str = "REREAD") -> DimseArchive:
    peer = Peer("us", called, "127.0.0.1", node.listener.port)
    return DimseArchive(peer, ae_title, timeout_s=20.0)


def test_acknowledged_means_durable_and_booked(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with house(tmp_path, SENDER) as node:
        paths = study(tmp_path / "out", 3)
        assert [item.status for item in sender(node).store(paths)] == [0, 0, 0]
        node.ledger.close_study("2.25.1", "test")
        (work,) = node.ledger.studies_to_measure()
        assert len(work.instances) == 3 and work.woman == node.pseudonyms.woman("P1")
        for item, path in zip(work.instances, paths, strict=True):
            received = node.spool.resolve(item.path).read_bytes()
            # the data set as sent; only the file meta information is ours
            sent = path.read_bytes()
            assert received[-1000:] == sent[-1000:] and received[128:132] == b"DICM"
            assert item.source == "sender"
        assert not list(node.spool.incoming.iterdir())
    text = caplog.text + (tmp_path / "ledger.sqlite").read_bytes().decode("latin-1")
    assert "Secret" not in text and "P1" not in text


def test_duplicate_and_conflict(tmp_path):
    with house(tmp_path, SENDER) as node:
        path = write(made(1), tmp_path / "a.dcm")
        other = write(made(1, value=9), tmp_path / "b.dcm")
        for sent in (path, path, other, path):
            assert sender(node).store([sent])[0].status == 0x0000
        counts = node.ledger.counts()
        assert counts.duplicates == 2
        (flag,) = node.ledger.instance_reasons()
        assert flag.reason is Reason.CONFLICT
        assert len(list((node.spool.root / "objects").rglob("*.dcm"))) == 2
        assert bytes([9]) * 100 in node.spool.resolve(flag.path).read_bytes()


def test_a_lost_file_is_restored_by_the_same_object(tmp_path):
    with house(tmp_path, SENDER) as node:
        path = write(made(1), tmp_path / "a.dcm")
        sender(node).store([path])
        node.ledger.close_study("2.25.1", "test")
        (stored,) = node.ledger.studies_to_measure()[0].instances
        node.spool.resolve(stored.path).unlink()
        sender(node).store([path])
        (again,) = node.ledger.studies_to_measure()[0].instances
        assert node.spool.holds(again.path)


@pytest.mark.parametrize(
    ("calling", "called", "triple"), [("STRANGER", "REREAD", (1, 1, 3)), ("SENDER", "OTHER", (1, 1, 7))]
)
def test_strangers_are_refused(tmp_path, calling, called, triple):
    with house(tmp_path, SENDER) as node:
        with pytest.raises(ArchiveUnreachable, match=r"result {}, source {}, reason {}".format(*triple)):
            sender(node, calling, called).echo()
        sender(node).echo()


def test_nobody_is_known_without_peers(tmp_path):
    with house(tmp_path) as node, pytest.raises(ArchiveUnreachable, match="reason 3"):
        sender(node).echo()


def test_too_many_and_no_space(tmp_path):
    with house(tmp_path, SENDER, limit=1) as node:
        ae = AE("SENDER")
        first = ae.associate("127.0.0.1", node.listener.port, contexts=[build_context(Verification)], ae_title="REREAD")
        assert first.is_established
        with pytest.raises(ArchiveUnreachable, match="result 2, source 3, reason 1"):
            sender(node).echo()
        first.release()
    with (
        house(tmp_path / "full", SENDER, policy=AdmissionPolicy(min_free_bytes=1 << 60)) as node,
        pytest.raises(ArchiveUnreachable, match="result 2, source 3, reason 2"),
    ):
        sender(node).echo()


def test_a_destination_may_not_store(tmp_path):
    reader = Peer("reader", "SENDER", "127.0.0.1", 11999, frozenset({PeerRole.DESTINATION}))
    with house(tmp_path, reader) as node:
        with pytest.raises(ArchiveUnreachable, match="none of the proposed presentation contexts was accepted"):
            sender(node).store(study(tmp_path / "out", 1))
        sender(node).echo()
        assert not [path for path in node.files if path.suffix == ".dcm"]


def test_too_large_is_refused_and_the_next_one_is_taken(tmp_path):
    with house(tmp_path, SENDER, policy=AdmissionPolicy(min_free_bytes=1, max_object_bytes=100_000)) as node:
        large, small = write(made(1, size=600), tmp_path / "l.dcm"), write(made(2), tmp_path / "s.dcm")
        outcomes = sender(node).store([large, small])
        assert [item.status for item in outcomes] == [0xC014, 0x0000]
        assert "larger" in outcomes[0].detail
        assert not list(node.spool.incoming.iterdir())


def test_a_contradicting_object_is_refused_with_its_element(tmp_path):
    with house(tmp_path, SENDER) as node:
        broken = made(1)
        del broken.StudyInstanceUID
        ae = AE("SENDER")
        association = ae.associate(
            "127.0.0.1",
            node.listener.port,
            contexts=[build_context(broken.SOPClassUID, broken.file_meta.TransferSyntaxUID)],
            ae_title="REREAD",
        )
        status = association.send_c_store(write(broken, tmp_path / "a.dcm"))
        association.release()
        assert (status.Status, status.OffendingElement) == (0xA900, 0x0020000D)
        (rejected,) = node.ledger.rejections()
        assert rejected.sop_instance_uid == "2.25.1.1" and node.spool.holds(rejected.path)


def test_private_class_and_any_transfer_syntax(tmp_path):
    with house(tmp_path, SENDER) as node:
        compressed = made(1, syntax=HTJ2KLossless)
        compressed.PixelData = encapsulate([b"\xff\x4f" + bytes(1000)])
        compressed["PixelData"].is_undefined_length = True
        private = made(2, sop_class="1.2.826.0.1.3680043.9.3811.77.1", modality="OT")
        deflated = made(3, syntax=DeflatedExplicitVRLittleEndian)
        paths = [write(item, tmp_path / f"{n}.dcm") for n, item in enumerate((compressed, private, deflated))]
        assert [item.status for item in sender(node).store(paths)] == [0, 0, 0]
        node.ledger.close_study("2.25.1", "test")
        images = node.ledger.studies_to_measure()[0].instances
        assert [item.transfer_syntax_uid for item in images] == [HTJ2KLossless, DeflatedExplicitVRLittleEndian]
        assert node.ledger.known_instances("2.25.1") == {"2.25.1.1", "2.25.1.2", "2.25.1.3"}
        assert pydicom.dcmread(node.spool.resolve(images[1].path)).PixelData == deflated.PixelData


def test_a_sender_that_dies_inside_an_object_leaves_nothing(tmp_path):
    with house(tmp_path, SENDER) as node:
        large = write(made(1, size=4000), tmp_path / "large.dcm")
        code = f"""
import os, threading, time
from pynetdicom import AE, build_context, _config, evt
_config.STORE_SEND_CHUNKED_DATASET = True
sent = 0
def stop(event):
    global sent
    sent += len(event.data)
    if sent > 3_000_000: os._exit(9)
a = AE("SENDER").associate("127.0.0.1", {node.listener.port}, ae_title="REREAD",
    contexts=[build_context("1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.1.2.1")],
    evt_handlers=[(evt.EVT_DATA_SENT, stop)])
a.send_c_store({str(large)!r})
"""
        assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 9
        for _ in range(100):
            if not list(node.spool.incoming.iterdir()) and not [p for p in node.files if p.suffix == ".dcm"]:
                break
            time.sleep(0.05)
        assert not list(node.spool.incoming.iterdir())
        assert sum(node.ledger.counts().instances.values()) == 0
        assert sender(node).store([large])[0].status == 0x0000


def test_restart_keeps_what_was_acknowledged_and_clears_halves(tmp_path):
    paths = study(tmp_path / "out", 2)
    with house(tmp_path, SENDER) as node:
        sender(node).store(paths[:1])
        (node.spool.incoming / "99999999-dead.part").write_bytes(b"half")
    with house(tmp_path, SENDER) as node:
        assert not list(node.spool.incoming.iterdir())
        assert [item.status for item in sender(node).store(paths)] == [0, 0]
        assert node.ledger.counts().duplicates == 1
        assert len(node.ledger.known_instances("2.25.1")) == 2


def test_no_success_without_the_ledger(tmp_path, monkeypatch):
    with house(tmp_path, SENDER) as node:

        def broken(*arguments: object) -> Outcome:
            raise LedgerError("disk I/O error")

        monkeypatch.setattr(node.ledger, "add_instance", broken)
        paths = study(tmp_path / "out", 1)
        assert sender(node).store(paths)[0].status == 0xA710
        monkeypatch.undo()
        assert sender(node).store(paths)[0].status == 0x0000


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_import_books_every_file(tmp_path):
    folder = tmp_path / "media"
    study(folder / "a", 4)
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "readme.txt").write_text("hello")
    shutil.copy(folder / "a" / "2.25.1-1.dcm", folder / "copy.dcm")
    (folder / "cut.dcm").write_bytes(write(made(9), tmp_path / "x.dcm").read_bytes()[:-200])
    with house(tmp_path) as node:
        files = files_below(folder)
        receptions = [reception for _, reception in node.listener.intake.import_files(files)]
        assert Counter(reception.outcome for reception in receptions) == {
            Outcome.NEW: 4,
            Outcome.DUPLICATE: 1,
            None: 3,
        }
        assert {item.reason for item in node.ledger.rejections()} == {
            Reason.EMPTY,
            Reason.NOT_DICOM,
            Reason.TRUNCATED,
        }
        assert all(node.spool.holds(item.path) for item in node.ledger.rejections())
        (work,) = node.ledger.studies_to_measure()
        assert len(work.instances) == 4 and work.evidence == "import of 8 files"
        again = [reception.outcome for _, reception in node.listener.intake.import_files(files)]
        assert Outcome.NEW not in again and len(node.ledger.rejections()) == 3
        assert node.ledger.studies_to_measure() == (work,)


def test_women_without_patient_id_are_not_one_woman(tmp_path):
    with house(tmp_path) as node:
        for number in (1, 2):
            write(made(1, study=f"2.25.{number}", patient=""), tmp_path / "in" / f"{number}.dcm")
        list(node.listener.intake.import_files(files_below(tmp_path / "in")))
        assert len({work.woman for work in node.ledger.studies_to_measure()}) == 2


STORESCU = Path("/usr/bin/storescu")


@pytest.mark.skipif(not STORESCU.is_file(), reason="dcmtk's storescu is not installed")
def test_dcmtk_sends(tmp_path):
    paths = study(tmp_path / "out", 3)
    with house(tmp_path, SENDER) as node:
        done = subprocess.run(
            [STORESCU, "-aet", "SENDER", "-aec", "REREAD", "127.0.0.1", str(node.listener.port), *map(str, paths)],
            env={**os.environ, "TCP_NODELAY": "1"},
            timeout=60,
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert len(node.ledger.known_instances("2.25.1")) == 3


def test_garbage_on_the_port_does_no_harm(tmp_path):
    with house(tmp_path, SENDER) as node:
        for rubbish in (b"GET / HTTP/1.0\r\n\r\n", b"\x01\x00\xff\xff\xff\xff" + b"A" * 64, os.urandom(300)):
            with socket.create_connection(("127.0.0.1", node.listener.port)) as connection:
                connection.sendall(rubbish)
        sender(node).echo()
        with open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as other:
            assert sum(other.counts().instances.values()) == 0


def test_parallel_senders_of_the_same_and_of_different_objects(tmp_path):
    shared = study(tmp_path / "shared", 5, study="2.25.7")
    own = [study(tmp_path / "own", 5, study=f"2.25.{n}") for n in range(10, 16)]
    with house(tmp_path, SENDER) as node:
        with ThreadPoolExecutor(6) as pool:
            answers = pool.map(lambda paths: sender(node).store([*paths, *shared]), own)
            assert {item.status for outcomes in answers for item in outcomes} == {0x0000}
        counts = node.ledger.counts()
        assert (sum(counts.instances.values()), counts.duplicates) == (35, 25)
        assert len(node.ledger.known_instances("2.25.7")) == 5
        node.ledger.close_study("2.25.7", "test")
        assert all(node.spool.holds(item.path) for item in node.ledger.studies_to_measure()[0].instances)
        assert len(list((node.spool.root / "objects").rglob("*.dcm"))) == 35
