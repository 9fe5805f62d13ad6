"""Faults of processes, disk and ledger: what was acknowledged is there, nothing half is seen, the service goes on."""

from __future__ import annotations

import random
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from broken_nights import CONTEXTS, STORE, ListenerProcess, MadeObject, audit, listener_process, made_object, send
from broken_nights import still_answers as answers
from loopback import free_port, house
from made_dicom import MAMMOGRAM, made, write
from raw_sender import PeerGone, RawSender, message, store_command

from reread.connectors.peers import Peer

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)
STORESCU = Path("/usr/bin/storescu")


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {seconds} s"
        time.sleep(0.02)


def incoming(root: Path) -> list[Path]:
    return list((root / "spool" / "incoming").iterdir())


def reset(connection: socket.socket) -> None:
    """Close without goodbye: the peer gets RST, as from a machine that lost its power and came back."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("end", [socket.socket.close, reset], ids=["closed", "reset"])
def test_a_connection_that_ends_inside_an_object_leaves_nothing(tmp_path, end):
    one = made_object(tmp_path / "out", 1, size=2000)
    with house(tmp_path, SENDER) as node:
        sender = RawSender(node.listener.port, CONTEXTS)
        pdus = list(message(STORE, store_command(MAMMOGRAM, one.uid), one.content))
        for pdu in pdus[: len(pdus) // 2]:
            sender.send(pdu)
        sender.send(pdus[len(pdus) // 2][:1000])  # and inside a PDU
        until(lambda: bool(incoming(tmp_path)))
        end(sender.socket)
        until(lambda: not incoming(tmp_path))
        assert sum(node.ledger.counts().instances.values()) == 0
        audit(tmp_path, [answers(node.listener.port, tmp_path / "out")])


@pytest.mark.skipif(not STORESCU.is_file(), reason="dcmtk's storescu is not installed")
def test_storescu_killed_inside_an_object(tmp_path):
    large = write(made(1, size=20_000), tmp_path / "out" / "large.dcm")  # 400 MB
    with house(tmp_path, SENDER) as node:
        command = [STORESCU, "-aet", "SENDER", "-aec", "REREAD", "127.0.0.1", str(node.listener.port), large]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
            until(lambda: any(path.stat().st_size > 1_000_000 for path in incoming(tmp_path)))
            sender.kill()
        assert sender.returncode == -signal.SIGKILL, "it was through before it could be killed"
        until(lambda: not incoming(tmp_path))
        assert sum(node.ledger.counts().instances.values()) == 0
        audit(tmp_path, [answers(node.listener.port, tmp_path / "out")])


@pytest.mark.slow
def test_the_listener_killed_at_any_moment(tmp_path):
    """Three senders; after each kill all that was acknowledged is there, and the rest is sent again."""
    chance = random.Random(20261121)
    objects = [made_object(tmp_path / "out", n, size=chance.choice([32, 32, 300, 1500])) for n in range(150)]
    objects.append(objects[0])
    port, acknowledged = free_port(), dict[str, MadeObject]()
    kills = 0
    while missing := [one for one in objects if one.uid not in acknowledged]:
        listener = ListenerProcess(tmp_path, port=port)
        try:
            assert not incoming(tmp_path), "a half file of the last life was left"
            lanes = [
                threading.Thread(target=send_all, args=(port, missing[first::3], acknowledged)) for first in range(3)
            ]
            for lane in lanes:
                lane.start()
            if kills < 10:
                enough = len(acknowledged) + chance.randrange(1, 12)
                until(lambda goal=enough, here=lanes: len(acknowledged) >= goal or not any(x.is_alive() for x in here))
                time.sleep(chance.uniform(0.0, 0.012))
                listener.kill()
                kills += 1
            for lane in lanes:
                lane.join(60)
                assert not lane.is_alive()
            audit(tmp_path, acknowledged.values(), objects)
            if listener.process.returncode is None:
                listener.stop()
        finally:
            listener.kill()
    assert kills == 10
    audit(tmp_path, objects)


def send_all(port: int, objects: list[MadeObject], acknowledged: dict[str, MadeObject]) -> None:
    try:
        with RawSender(port, CONTEXTS) as sender:
            for one in objects:
                if send(sender, one) == 0:
                    acknowledged[one.uid] = one
            sender.release()
    except (PeerGone, ConnectionError):
        pass  # it was killed; what has no answer is sent again


def limit_file_size(listener: ListenerProcess, size_bytes: int | None) -> None:
    """No file of the process may grow beyond this (EFBIG): a full disk that needs no mount and no root."""
    _, hard = resource.prlimit(listener.process.pid, resource.RLIMIT_FSIZE)
    soft = resource.RLIM_INFINITY if size_bytes is None else size_bytes
    resource.prlimit(listener.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_the_disk_is_full_in_the_middle_of_an_object(tmp_path):
    small, large = made_object(tmp_path / "out", 1), made_object(tmp_path / "out", 2, size=2000)
    with listener_process(tmp_path) as listener, listener.sender() as sender:
        assert send(sender, small) == 0
        limit_file_size(listener, 1_000_000)
        assert send(sender, large) & 0xFF00 == 0xA700
        # the same association goes on, as does another
        assert sender.echo() == 0
        assert not incoming(tmp_path)
        other = answers(listener.port, tmp_path / "out")
        limit_file_size(listener, None)
        assert send(sender, large) == 0
        sender.release()
        audit(tmp_path, [small, large, other])


def test_the_disk_of_the_ledger_is_full(tmp_path):
    first, second = made_object(tmp_path / "out", 1), made_object(tmp_path / "out", 2)
    with listener_process(tmp_path) as listener, listener.sender() as sender:
        assert send(sender, first) == 0
        # the objects are smaller than this, the ledger's write-ahead log is larger
        assert (tmp_path / "ledger.sqlite-wal").stat().st_size > 16_000 > len(second.content)
        limit_file_size(listener, 8_000)
        assert send(sender, second) & 0xFF00 == 0xA700
        assert sender.echo() == 0
        audit(tmp_path, [first], [second])
        limit_file_size(listener, None)
        assert send(sender, second) == 0
        sender.release()
        audit(tmp_path, [first, second, answers(listener.port, tmp_path / "out")])


def test_the_incoming_folder_cannot_be_written(tmp_path):
    one = made_object(tmp_path / "out", 1)
    with house(tmp_path, SENDER) as node, RawSender(node.listener.port, CONTEXTS) as sender:
        folder = tmp_path / "spool" / "incoming"
        folder.rmdir()
        folder.write_text("in the way")
        assert send(sender, one) & 0xFF00 == 0xA700
        assert sender.echo() == 0
        folder.unlink()
        folder.mkdir(mode=0o700)
        assert send(sender, one) == 0
        sender.release()
        audit(tmp_path, [one])


def test_the_ledger_is_locked_for_longer_than_we_wait(tmp_path, monkeypatch):
    monkeypatch.setattr("reread.connectors.ledger_store._BUSY_S", 0.5)
    one = made_object(tmp_path / "out", 1)
    with house(tmp_path, SENDER) as node, RawSender(node.listener.port, CONTEXTS) as sender:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            assert send(sender, one) & 0xFF00 == 0xA700
            assert time.monotonic() - start < 15
            with RawSender(node.listener.port, CONTEXTS) as second:
                assert second.echo() == 0
            other.execute("ROLLBACK")
        audit(tmp_path, [], [one])
        assert send(sender, one) == 0
        sender.release()
        audit(tmp_path, [one, answers(node.listener.port, tmp_path / "out")])
