"""Sending at the pace of the peer, and files straight from the disk: memory does not grow with what is sent."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

import pytest
from made_dicom import MAMMOGRAM, made, write
from pynetdicom import AE, build_context, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from reread.connectors import pacing
from reread.connectors.calling import association_with
from reread.connectors.dimse import DimseArchive
from reread.connectors.pacing import LARGEST_PDU_BYTES, Pace, pace
from reread.connectors.part10 import read_part10
from reread.connectors.peers import Peer

EXPLICIT = "1.2.840.10008.1.2.1"


class Receiver:
    """A pynetdicom storage SCP that keeps data sets and the largest PDU."""

    def __init__(self, largest_pdu: int) -> None:
        self.got: list[bytes] = []
        self.largest = 0
        ae = AE("PACS")
        ae.maximum_pdu_size = largest_pdu
        ae.add_supported_context(MAMMOGRAM, EXPLICIT)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_PDU_RECV, self._seen)]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.peer = Peer("pacs", "PACS", "127.0.0.1", self._server.server_address[1])

    def _store(self, event):
        path = getattr(event.request, "_dataset_path", None)
        self.got.append(event.encoded_dataset(False) if path is None else path.read_bytes())
        return 0x0000

    def _seen(self, event):
        if isinstance(event.pdu, P_DATA_TF):
            self.largest = max(self.largest, event.pdu.pdu_length)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._server.shutdown()


@pytest.mark.parametrize("largest", [0, 16384, 4096, 1 << 20])
def test_bytes_and_sizes(tmp_path, largest):
    paths = [write(made(n, size=300 * n), tmp_path / f"{n}.dcm") for n in (1, 2, 3)]
    with Receiver(largest) as receiver:
        assert [item.status for item in DimseArchive(receiver.peer, "REREAD").store(paths)] == [0, 0, 0]
    assert receiver.got == [path.read_bytes()[read_part10(path).dataset_offset :] for path in paths]
    assert receiver.largest <= (min(largest, LARGEST_PDU_BYTES) if largest else LARGEST_PDU_BYTES)


def test_what_takes_the_long_way_is_bounded_too(tmp_path, monkeypatch):
    """As over TLS, where the kernel cannot copy."""
    monkeypatch.setattr(pacing, "can_send", lambda association, primitive: False)
    path = write(made(1, size=3000), tmp_path / "a.dcm")
    waiting = []
    with Receiver(0) as receiver, _association(receiver.peer) as association:
        send = association.dul.send_pdu

        def watched(primitive):
            waiting.append(association.dul.to_provider_queue.qsize())
            send(primitive)

        monkeypatch.setattr(association.dul, "send_pdu", watched)
        assert association.send_c_store(path).Status == 0x0000
    assert len(waiting) > 30 and max(waiting) <= 9
    assert receiver.got == [path.read_bytes()[read_part10(path).dataset_offset :]]


def _association(peer):
    return association_with(peer, "REREAD", [build_context(MAMMOGRAM, EXPLICIT)], timeout_s=20.0)


def test_the_reactor_does_not_take_the_answer(monkeypatch):
    """It may be past its checkpoint when it is paused; here it always is."""
    with Receiver(0) as receiver, _association(receiver.peer) as association:
        send = association.dimse.send_msg

        def and_the_reactor_asks(primitive, context_id):
            send(primitive, context_id)
            for _ in range(50):
                assert association.dimse.get_msg(block=False) == (None, None)
                time.sleep(0.002)

        monkeypatch.setattr(association.dimse, "send_msg", and_the_reactor_asks)
        dataset = made(1)
        assert association.send_c_store(dataset).Status == 0x0000
        assert association.send_c_store(dataset).Status == 0x0000


def test_pacing_twice_is_pacing_once():
    with Receiver(0) as receiver, _association(receiver.peer) as association:
        assert pace(association) is pace(association)


def _sending(alive=True, established=True):
    """A Pace over an association whose peer takes nothing."""
    dul = SimpleNamespace(send_pdu=lambda primitive: None, is_alive=lambda: alive)
    return Pace(SimpleNamespace(dul=dul, is_established=established, _serve_request=None), stall_s=0.3)


def test_a_peer_that_takes_nothing_is_given_up():
    stalled = _sending()
    for _ in range(8):
        stalled.send_pdu(P_DATA())
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="takes nothing"):
        stalled.send_pdu(P_DATA())
    assert time.monotonic() - began < 10
    with pytest.raises(ConnectionError, match="has ended"):
        _sending(established=False).send_pdu(P_DATA())
    dead = _sending(alive=False)
    for _ in range(8):
        dead.send_pdu(P_DATA())
    with pytest.raises(ConnectionError, match="has ended"):
        dead.wait(8)


@pytest.mark.slow
def test_a_receiver_that_stops_reading_inside_an_object(tmp_path, monkeypatch):
    monkeypatch.setattr("reread.connectors.calling._SEND_S", 1)
    path = write(made(1, size=6000), tmp_path / "a.dcm")
    silent, over = threading.Event(), threading.Event()

    def stop_reading(event):
        if isinstance(event.pdu, P_DATA_TF) and not silent.is_set():
            silent.set()
            over.wait(60)

    ae = AE("PACS")
    ae.add_supported_context(MAMMOGRAM, EXPLICIT)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_PDU_RECV, stop_reading)])
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    peer = Peer("pacs", "PACS", "127.0.0.1", server.server_address[1])
    try:
        with pytest.raises(ConnectionError, match="takes nothing"), _association(peer) as association:
            association.send_c_store(path)
    finally:
        over.set()
        server.shutdown()
    assert silent.is_set()
