"""Who is let in, who is rejected with what, who waits (R1.54 to R1.58, R0.73, R4.98)."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import House, house
from made_dicom import MAMMOGRAM, made, study, write
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification
from raw_sender import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, associate_rq

from reread.analytics.errors import ArchiveUnreachable
from reread.connectors.admission import AdmissionPolicy
from reread.connectors.calling import close_socket
from reread.connectors.dimse import DimseArchive
from reread.connectors.disk_space import DiskState, disk_state
from reread.connectors.gatekeeper import REJECTIONS, Crowding, Gatekeeper, WhenFull
from reread.connectors.peer_addresses import PeerAddresses, plain_address
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.slots import ProcessSlots

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)
OTHER = Peer("other", "OTHER", "127.0.0.1", 11998)
HOLD = Crowding(WhenFull.HOLD, max_held=1, hold_s=30.0)
ECHOSCU = Path("/usr/bin/echoscu")


def archive(node: House, ae_title: str = "SENDER", called: str = "REREAD") -> DimseArchive:
    return DimseArchive(Peer("us", called, "127.0.0.1", node.listener.port), ae_title, timeout_s=20.0)


def associate(node: House, ae_title: str = "SENDER", *contexts: str) -> Any:
    ae = AE(ae_title)
    wanted = [build_context(uid) for uid in contexts or (Verification,)]
    association = ae.associate("127.0.0.1", node.listener.port, contexts=wanted, ae_title="REREAD")
    if not association.is_established:
        close_socket(association)
    return association


def triple(association: Any) -> tuple[int, int, int] | None:
    if not association.is_rejected:
        return None
    answer = association.acceptor.primitive
    return answer.result, answer.result_source, answer.diagnostic


def soon(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.02)
    return False


def raw_answer(node: House, request: bytes) -> tuple[int, bytes]:
    """PDU type and body of the answer to an A-ASSOCIATE-RQ that is written byte by byte."""
    with socket.create_connection(("127.0.0.1", node.listener.port), timeout=10.0) as connection:
        connection.sendall(request)
        head = connection.recv(6, socket.MSG_WAITALL)
        return head[0], connection.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)


@pytest.mark.parametrize(
    ("calling", "called", "expected"),
    [("SENDER", "REREAD", None), ("STRANGER", "REREAD", (1, 1, 3)), ("SENDER", "NOBODY", (1, 1, 7))],
)
def test_titles(tmp_path, calling, called, expected):
    with house(tmp_path, SENDER) as node:
        if expected is None:
            archive(node, calling, called).echo()
        else:
            with pytest.raises(ArchiveUnreachable, match="result {}, source {}, reason {}".format(*expected)):
                archive(node, calling, called).echo()


def test_further_called_titles(tmp_path):
    with house(tmp_path, SENDER, also_called=("REREAD_MULTI",)) as node:
        archive(node, called="REREAD_MULTI").echo()
        archive(node).echo()


def test_another_application_context(tmp_path):
    request = associate_rq([(Verification, "1.2.840.10008.1.2")], "SENDER", "REREAD")
    wrong = request.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9")
    assert wrong != request
    with house(tmp_path, SENDER) as node:
        assert raw_answer(node, request)[0] == A_ASSOCIATE_AC
        kind, body = raw_answer(node, wrong)
    assert (kind, tuple(body[1:])) == (A_ASSOCIATE_RJ, (1, 1, 2))


def test_the_address_of_a_peer(tmp_path):
    elsewhere = replace(SENDER, host="127.9.9.9")
    nowhere = replace(OTHER, host="no-such-host.invalid")
    careless = Peer("careless", "CARELESS", "no-such-host.invalid", 1, check_address=False)
    local = Peer("local", "LOCAL", "localhost", 1)
    with house(tmp_path, elsewhere, nowhere, careless, local) as node:
        for title in ("SENDER", "OTHER"):
            assert triple(associate(node, title)) == (1, 1, 3)
        for title in ("CARELESS", "LOCAL"):
            archive(node, title).echo()


def test_two_peers_with_one_title_are_told_apart_by_their_address(tmp_path):
    """Their roles count, and their name stands in the ledger."""
    far = Peer("far", "MAMMO", "127.9.9.9", 1, frozenset({PeerRole.DESTINATION}))
    near = Peer("near", "MAMMO", "127.0.0.1", 1, frozenset({PeerRole.SOURCE}))
    with house(tmp_path, far, near) as node:
        assert archive(node, "MAMMO").store(study(tmp_path / "out", 1))[0].status == 0
        node.ledger.close_study("2.25.1", "test")
        assert node.ledger.studies_to_measure()[0].instances[0].source == "near"


def test_addresses():
    assert plain_address("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("pacs.example.org") is None
    addresses = PeerAddresses()
    assert addresses.fits("127.0.0.1", "::ffff:127.0.0.1")
    assert addresses.fits("localhost", "127.0.0.1")
    assert not addresses.fits("127.0.0.1", "127.0.0.2")
    assert not addresses.fits("no-such-host.invalid", "127.0.0.1")


def test_a_resolver_that_falls_silent(monkeypatch):
    addresses = PeerAddresses()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.1.2.3", 0))])
    assert addresses.fits("pacs.example.org", "10.1.2.3")

    def silent(*_, **__):
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    later = time.monotonic() + 3600.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert addresses.fits("pacs.example.org", "10.1.2.3")


def test_one_too_many_is_rejected(tmp_path):
    with house(tmp_path, SENDER, OTHER, limit=2) as node:
        first, second = associate(node), associate(node, "OTHER")
        assert triple(associate(node)) == (2, 3, 1)
        second.release()
        assert soon(lambda: associate(node).is_established)
        first.release()


def test_a_peer_may_have_a_limit_of_its_own(tmp_path):
    with house(tmp_path, replace(SENDER, max_associations=1), OTHER) as node:
        first = associate(node)
        assert triple(associate(node)) == (2, 3, 1)
        archive(node, "OTHER").echo()
        first.abort()
        assert soon(lambda: associate(node).is_established)


ENDINGS: dict[str, Callable[[House], None]] = {
    "released": lambda node: archive(node).echo(),
    "aborted": lambda node: associate(node).abort(),
    "closed": lambda node: associate(node).dul.socket.socket.shutdown(socket.SHUT_RDWR),
    "no context accepted": lambda node: associate(node, "SENDER", "1.2.840.10008.5.1.4.31"),
    "rejected": lambda node: associate(node, "STRANGER"),
    "gone before the answer": lambda node: _request_and_close(node),
}


def _request_and_close(node: House) -> None:
    with socket.create_connection(("127.0.0.1", node.listener.port)) as connection:
        connection.sendall(associate_rq([(Verification, "1.2.840.10008.1.2")], "SENDER", "REREAD"))


@pytest.mark.parametrize("way", ENDINGS)
def test_a_place_is_free_again_whatever_way_the_association_ended(tmp_path, way):
    with house(tmp_path, SENDER, limit=1) as node:
        for _ in range(3):
            ENDINGS[way](node)
            last: list[Any] = []

            def let_in(last: list[Any] = last) -> bool:
                last[:] = [associate(node)]
                return bool(last[0].is_established)

            assert soon(let_in)
            last[0].release()


def test_one_too_many_is_held_until_a_place_is_free(tmp_path):
    """R0.73, R0.518: no answer; then accepted. A third finds no room to wait."""
    with house(tmp_path, SENDER, OTHER, limit=1, crowding=HOLD, network_timeout_s=2.0) as node:
        first = associate(node)
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(associate(node, "OTHER", Verification, MAMMOGRAM)))
        waiting.start()
        time.sleep(1.0)
        assert not answers
        assert triple(associate(node)) == (2, 3, 1)
        time.sleep(0.8)
        assert first.send_c_echo().Status == 0  # or the time-out of a silent association would end the first one
        time.sleep(0.8)  # longer than that time-out in all: nobody holds it against the one that waits
        first.release()
        waiting.join(10.0)
        (second,) = answers
        assert second.is_established
        assert second.send_c_store(made(1)).Status == 0
        second.release()


def test_who_gives_up_waiting_leaves_no_trace(tmp_path):
    with house(tmp_path, SENDER, limit=1, crowding=HOLD) as node:
        first = associate(node)
        gate = node.listener.node._gate
        with socket.create_connection(("127.0.0.1", node.listener.port)) as connection:
            connection.sendall(associate_rq([(Verification, "1.2.840.10008.1.2")], "SENDER", "REREAD"))
            assert soon(lambda: gate.held == 1)
        assert soon(lambda: gate.held == 0)
        first.release()
        assert soon(lambda: associate(node).is_established)


def test_waiting_has_an_end(tmp_path):
    with house(tmp_path, SENDER, limit=1, crowding=Crowding(WhenFull.HOLD, hold_s=0.5)) as node:
        first = associate(node)
        assert triple(associate(node)) == (2, 3, 1)
        first.release()


@pytest.mark.skipif(not ECHOSCU.is_file(), reason="dcmtk's echoscu is not installed")
def test_dcmtk_waits(tmp_path):
    with house(tmp_path, SENDER, limit=1, crowding=HOLD) as node:
        first = associate(node)
        call = [ECHOSCU, "-aet", "SENDER", "-aec", "REREAD", "127.0.0.1", str(node.listener.port)]
        with subprocess.Popen(call, env={**os.environ, "TCP_NODELAY": "1"}) as process:
            assert soon(lambda: node.listener.node._gate.held == 1)
            assert process.poll() is None
            first.release()
            assert process.wait(20) == 0


def test_the_two_marks():
    assert disk_state(10, 5, 8) is DiskState.PLENTY
    assert disk_state(7, 5, 8) is DiskState.LOW
    assert disk_state(4, 5, 8) is DiskState.FULL
    assert disk_state(4, 5, 0) is DiskState.FULL  # a lower mark above the upper one


def test_low_disk_rejects_who_wants_to_store(tmp_path, caplog):
    """Open associations go on; others may verify."""
    policy = AdmissionPolicy(min_free_bytes=1 << 20)
    with house(tmp_path, SENDER, policy=policy) as node:
        running = associate(node, "SENDER", MAMMOGRAM)
        free = node.spool.free_bytes()
        # the marks belong to the installation; here the disk moves
        node.spool.free_bytes = lambda: 2 << 20  # type: ignore[method-assign]
        object.__setattr__(policy, "low_free_bytes", 4 << 20)
        assert triple(associate(node, "SENDER", MAMMOGRAM)) == (2, 3, 2)
        assert triple(associate(node, "SENDER", "1.2.826.0.1.3680043.9.3811.77.1")) == (2, 3, 2)
        archive(node).echo()
        assert running.send_c_store(made(1)).Status == 0
        node.spool.free_bytes = lambda: 1000  # type: ignore[method-assign]
        assert running.send_c_store(made(2)).Status == 0xA700
        assert triple(associate(node)) == (2, 3, 2)
        node.spool.free_bytes = lambda: free  # type: ignore[method-assign]
        assert running.send_c_store(made(2)).Status == 0
        running.release()
    assert "disk space is low now" in caplog.text and "disk space is full now" in caplog.text


def test_an_object_that_would_cross_the_lower_mark_is_given_up_on_the_way(tmp_path, monkeypatch):
    """Not at its end: several large ones at once would have filled the disk by then."""
    large = write(made(1, size=4000), tmp_path / "large.dcm")  # 16 MB
    with house(tmp_path, SENDER) as node:
        real = os.fstatvfs
        written: list[int] = []

        class Shrinking:
            f_frsize = 1

            def __init__(self, descriptor: int) -> None:
                written.append(os.fstat(descriptor).st_size)
                self.f_bavail = (9 << 20) - written[-1]

        monkeypatch.setattr(os, "fstatvfs", Shrinking)
        (outcome,) = archive(node).store([large])
        monkeypatch.setattr(os, "fstatvfs", real)
        assert outcome.status == 0xA700
        assert 0 < max(written) <= 12 << 20
        assert not list(node.spool.incoming.iterdir())
        assert archive(node).store([large])[0].status == 0


def test_an_error_of_our_own_is_answered(tmp_path):
    """R1.57."""

    def broken() -> int:
        raise OSError("the disk does not answer")

    with house(tmp_path, SENDER) as node:
        node.spool.free_bytes = broken  # type: ignore[method-assign]
        assert triple(associate(node)) == (2, 1, 1)


def test_the_log_says_who_and_why_and_no_more(tmp_path, caplog):
    with house(tmp_path, SENDER) as node:
        associate(node, "STRANGER")
        write(made(1), tmp_path / "a.dcm")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "reread.connectors.gatekeeper"]
    assert "'STRANGER' at 127.0.0.1" in line
    assert "1, 1, 3" in line


def test_every_rejection_is_one_of_the_standard():
    valid = {(1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 1, 7), (2, 1, 1), (2, 3, 1), (2, 3, 2)}
    assert {(item.result, item.source, item.reason) for item in REJECTIONS} <= valid


def test_slots():
    slots = ProcessSlots(2)
    assert slots.acquire(0.0) and slots.acquire(0.0) and not slots.acquire(0.01)
    taken: list[bool] = []
    waiting = threading.Thread(target=lambda: taken.append(slots.acquire(10.0)))
    waiting.start()
    slots.release()
    waiting.join(10.0)
    assert taken == [True] and slots.taken == 2
    slots.release()
    slots.release()
    with pytest.raises(RuntimeError):
        slots.release()
    with pytest.raises(ValueError):
        ProcessSlots(0)


def test_associations_nobody_reported_are_reaped():
    """Should a thread end without a word, its place does not stay taken."""
    slots = ProcessSlots(1)
    gate = Gatekeeper("REREAD", [SENDER], slots)
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    assert slots.acquire(0.0)
    gate._inside[dead] = SENDER
    gate._reap()
    assert slots.taken == 0
    gate.ended(dead)
    assert slots.taken == 0
