"""Peers that lie, dawdle, fall silent or come in crowds: they are cut off, memory stays bounded, others are served."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broken_nights import CONTEXTS, STORE, ListenerProcess, audit, listener_process, made_object, send, still_answers
from made_dicom import MAMMOGRAM
from raw_sender import (
    A_ABORT,
    COMMAND,
    IMPLICIT,
    LAST,
    P_DATA,
    VERIFICATION,
    RawSender,
    associate_rq,
    echo_command,
    message,
    pdu,
    pdv,
    store_command,
)

TIMEOUT_S = 2.0
PATIENCE_S = 12.0
"""a cut within this is a cut; machines of tests are slow"""


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerProcess]:
    """One impatient listener for all tests of this file: what one breaks, the next one sees."""
    with listener_process(tmp_path_factory.mktemp("house"), timeout_s=TIMEOUT_S, limit=300) as process:
        yield process


_numbers = iter(range(100_000, 200_000))
_stored = []


def goes_on(listener: ListenerProcess, folder: Path) -> None:
    """Still answering, nothing half, nothing acknowledged lost, no half file left."""
    _stored.append(still_answers(listener.port, folder / "out", next(_numbers)))
    audit(listener.folder, _stored)
    end = time.monotonic() + PATIENCE_S
    while list((listener.folder / "spool" / "incoming").iterdir()):
        assert time.monotonic() < end, "a half file was left"
        time.sleep(0.05)
    assert "Traceback" not in listener.log()


def connect(listener: ListenerProcess, timeout_s: float = 20.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout_s)


def closes(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side ends the connection before this time is over."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def half_sent(sender: RawSender, folder: Path) -> bytes:
    """Send half of an object; the other half of its PDUs."""
    one = made_object(folder / "out", next(_numbers), size=700)
    pdus = list(message(STORE, store_command(MAMMOGRAM, one.uid), one.content))
    sender.send(b"".join(pdus[: len(pdus) // 2]))
    return b"".join(pdus[len(pdus) // 2 :])


def test_bytes_that_trickle_in_are_cut_off_and_stop_nobody(listener, tmp_path):
    with listener.sender() as slow, listener.sender() as other:
        rest = half_sent(slow, tmp_path)
        over = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError, Exception):
                for byte in rest[:4000]:
                    slow.send(bytes([byte]))
                    if over.wait(0.05):
                        return

        drip = threading.Thread(target=trickle)
        start = time.monotonic()
        drip.start()
        for _ in range(5):
            one = made_object(tmp_path / "out", next(_numbers))
            assert send(other, one) == 0
            _stored.append(one)
        assert time.monotonic() - start < TIMEOUT_S, "a slow sender slows the others"
        other.release()
        assert slow.ends_within(PATIENCE_S)
        over.set()
        drip.join()
    goes_on(listener, tmp_path)


def test_a_trickling_request_is_cut_off(listener, tmp_path):
    with connect(listener) as connection:
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in associate_rq(CONTEXTS, "SENDER", "REREAD"):
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
                if time.monotonic() - start > PATIENCE_S:
                    pytest.fail("still listening to a request that does not end")
    goes_on(listener, tmp_path)


LIES = {
    "longer than sent": pdu(P_DATA, b"x" * 100, stated=5000),
    "four gigabytes": pdu(P_DATA, pdv(STORE, LAST, b"x" * 100), stated=0xFFFFFFFF),
    "four gigabytes, all in one value": pdu(P_DATA, pdv(STORE, 0, b"x" * 100, stated=0xFFFFFFF0), stated=0xFFFFFFF4),
    "zero": pdu(P_DATA, b""),
    "shorter than sent": pdu(P_DATA, pdv(STORE, 0, b"x" * 1000), stated=20),
    "unknown type": pdu(0x2A, b"x" * 100),
    "a response": pdu(2, b"x" * 100),
    "a second request": associate_rq(CONTEXTS, "SENDER", "REREAD"),
    "a huge request": pdu(1, b"x" * 100, stated=0x7FFFFFFF),
    "a huge abort": pdu(A_ABORT, b"", stated=0x7FFFFFFF),
    "value longer than its PDU": pdu(P_DATA, pdv(STORE, 0, b"x" * 100, stated=4000)),
    "value of four gigabytes": pdu(P_DATA, pdv(STORE, 0, b"x" * 100, stated=0xFFFFFFFF)),
    "value of length zero": pdu(P_DATA, pdv(STORE, 0, b"", stated=0)),
    "value of length one": pdu(P_DATA, struct.pack(">IB", 1, STORE)),
    "value without its length": pdu(P_DATA, b"\0\0"),
    "second value cut off": pdu(P_DATA, pdv(STORE, 0, b"x" * 100) + b"\0\0\0"),
    "another context": pdu(P_DATA, pdv(1, 0, b"x" * 100)),
    "a context that was not accepted": pdu(P_DATA, pdv(77, 0, b"x" * 100)),
    "a command inside the data set": pdu(P_DATA, pdv(STORE, COMMAND | LAST, echo_command())),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_inside_an_object_ends_the_association(listener, tmp_path, lie):
    with listener.sender() as sender:
        half_sent(sender, tmp_path)
        sender.send(LIES[lie])
        assert sender.ends_within(PATIENCE_S)
    goes_on(listener, tmp_path)


COMMAND_LIES = {
    "no length": b"",
    "garbage": bytes(range(200)),
    "element longer than the command": struct.pack("<HHI", 0, 0x0100, 0xFFFFFFFF) + b"\1\0",
    "no command field": struct.pack("<HHI", 0, 2, 4) + b"1.2\0",
    "odd field": struct.pack("<HHI", 0, 0x0100, 1) + b"\1",
    "unknown field": struct.pack("<HHIH", 0, 0x0100, 2, 0x7777) + struct.pack("<HHIH", 0, 0x0110, 2, 1),
    "a response nobody asked for": struct.pack("<HHIH", 0, 0x0100, 2, 0x8001) + struct.pack("<HHIH", 0, 0x0900, 2, 0),
    "store without its UIDs": struct.pack("<HHIH", 0, 0x0100, 2, 1)
    + struct.pack("<HHIH", 0, 0x0110, 2, 1)
    + struct.pack("<HHIH", 0, 0x0800, 2, 1),
    "store without a data set": store_command(MAMMOGRAM, "1.2.3")[:-10].replace(
        struct.pack("<HHIH", 0, 0x0800, 2, 1), struct.pack("<HHIH", 0, 0x0800, 2, 0x0101)
    ),
}


@pytest.mark.parametrize("lie", COMMAND_LIES)
def test_a_command_that_is_none_gets_an_answer_or_an_end(listener, tmp_path, lie):
    with listener.sender() as sender:
        sender.send(pdu(P_DATA, pdv(STORE, COMMAND | LAST, COMMAND_LIES[lie])))
        sender.send(pdu(P_DATA, pdv(STORE, LAST, b"\x08\x00\x16\x00UI\x04\x001.2\x00")))
        sender.socket.settimeout(PATIENCE_S)
        kind, _ = sender.read_pdu()
        assert kind in (P_DATA, A_ABORT)
    goes_on(listener, tmp_path)


def test_a_command_without_end_is_bounded(listener, tmp_path):
    before = listener.peak_mib()
    with listener.sender() as sender, contextlib.suppress(Exception):
        for _ in range(4000):  # 64 MB of command set
            sender.send(pdu(P_DATA, pdv(STORE, COMMAND, bytes(16000))))
    assert listener.peak_mib() - before < 40
    goes_on(listener, tmp_path)


def test_one_pdu_larger_than_negotiated_costs_no_memory(listener, tmp_path):
    """Senders exist that ignore our maximum; the object may be stored or refused, never held in memory."""
    one = made_object(tmp_path / "out", next(_numbers), size=9000)  # 81 MB
    before = listener.peak_mib()
    with listener.sender(60.0) as sender, contextlib.suppress(Exception):
        assert sender.max_pdu < len(one.content)
        (command, data) = message(STORE, store_command(MAMMOGRAM, one.uid), one.content, len(one.content))
        sender.send(command)
        sender.send(data)
        if sender.status() == 0:
            _stored.append(one)
    assert listener.peak_mib() - before < 40
    goes_on(listener, tmp_path)


def test_an_abort_inside_an_object(listener, tmp_path):
    with listener.sender() as sender:
        half_sent(sender, tmp_path)
        sender.send(pdu(A_ABORT, bytes(4)))
        assert sender.ends_within(PATIENCE_S)
    goes_on(listener, tmp_path)


def silent_after(listener: ListenerProcess, what: str) -> socket.socket:
    if what == "connecting":
        return connect(listener)
    if what == "half a request":
        connection = connect(listener)
        connection.sendall(associate_rq(CONTEXTS, "SENDER", "REREAD")[:50])
        return connection
    sender = listener.sender()
    if what == "an echo":
        assert sender.echo() == 0
    elif what == "a command":
        sender.send(pdu(P_DATA, pdv(STORE, COMMAND | LAST, store_command(MAMMOGRAM, "1.2.3"))))
    elif what == "half a command":
        sender.send(pdu(P_DATA, pdv(STORE, COMMAND, store_command(MAMMOGRAM, "1.2.3")[:20])))
    elif what == "half a data set":
        sender.send(pdu(P_DATA, pdv(STORE, COMMAND | LAST, store_command(MAMMOGRAM, "1.2.3"))))
        sender.send(pdu(P_DATA, pdv(STORE, 0, bytes(1000))))
    return sender.socket


def test_silence_is_timed_out(listener, tmp_path):
    """After TCP connect, after A-ASSOCIATE-AC, without a release, and inside messages; all at the same time."""
    kinds = ("connecting", "half a request", "the acceptance", "an echo", "a command", "half a command")
    with contextlib.ExitStack() as stack:
        silent = {what: stack.enter_context(silent_after(listener, what)) for what in (*kinds, "half a data set")}
        deadline = time.monotonic() + PATIENCE_S
        kept = [what for what, one in silent.items() if not closes(one, max(0.1, deadline - time.monotonic()))]
        assert not kept
    goes_on(listener, tmp_path)


def test_a_flood_of_connections(listener, tmp_path):
    """Hundreds of connections that say nothing or rubbish; the known sender is served meanwhile and afterwards."""
    rubbish = (b"", b"GET / HTTP/1.0\r\n\r\n", os.urandom(50), pdu(1, b"x" * 10), associate_rq((), "X", "Y")[:20])
    with contextlib.ExitStack() as stack:
        for number in range(500):
            connection = connect(listener)
            with contextlib.suppress(ConnectionError):
                connection.sendall(rubbish[number % len(rubbish)])
            if number % 2:
                connection.close()
            else:
                stack.enter_context(connection)
            if number == 250:
                goes_on(listener, tmp_path)
    goes_on(listener, tmp_path)


@pytest.mark.slow
def test_two_hundred_idle_associations(tmp_path):
    """They cost next to nothing, and a sender stores at its usual pace among them."""
    with listener_process(tmp_path, timeout_s=60.0, limit=300) as listener, contextlib.ExitStack() as stack:
        stored = [made_object(tmp_path / "out", n) for n in range(1, 61)]
        with listener.sender() as alone:
            start = time.monotonic()
            for one in stored[:30]:
                assert send(alone, one) == 0
            usual = time.monotonic() - start
        for _ in range(200):
            idle = stack.enter_context(RawSender(listener.port, ((VERIFICATION, IMPLICIT),)))
        before = listener.cpu_seconds()
        time.sleep(3.0)
        assert (listener.cpu_seconds() - before) / 3.0 < 0.5, "of one core"
        with listener.sender() as sender:
            start = time.monotonic()
            for one in stored[30:]:
                assert send(sender, one) == 0
            # generous: the machine of a test does other things
            assert time.monotonic() - start < 5 * usual + 2.0
            sender.release()
        assert idle.echo() == 0
        audit(tmp_path, stored)
