"""Incoming associations: pynetdicom negotiates and serves, but waits for events instead of polling each millisecond.

pynetdicom 3.0.4 runs two threads an association, and each wakes a thousand times a second; 200 idle
associations take the machine. It reads 4,096 bytes at a time and copies each four times. Here the same
classes are subclassed: both threads sleep until something happens, bytes are read straight into one block,
and C-STORE requests take the short way of `store_lane.py`. What is overridden is checked when this module
is imported.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pynetdicom
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.command_set import StoreCommand
from reread.connectors.incoming import Incoming
from reread.connectors.store_lane import StoreAnswer, StoreArrival, StoreLane

LOG = logging.getLogger(__name__)

MAX_PDU_BYTES = 1 << 20
"""Offered to peers; a larger one that holds an object does no harm, it is never held in memory."""
_MAX_OTHER_PDU_BYTES = 1 << 20
"""of association requests and the like"""
_NAP_S = 0.5
"""how late an expired timer may be noticed"""
_P_DATA, _DATA_TRANSFER, _AWAITING_CLOSE = 0x04, "Sta6", "Sta13"
_HEAD, _ITEM = struct.Struct(">BxI"), struct.Struct(">IBB")

_OVERRIDDEN = (
    (DULServiceProvider, ("_is_transport_event", "_read_pdu_data", "run_reactor", "stop_dul", "kill_dul")),
    (Association, ("_run_reactor", "_serve_request", "kill")),
)
for _class, _names in _OVERRIDDEN:
    for _name in _names:
        if not hasattr(_class, _name):  # pragma: no cover
            raise ImportError(f"pynetdicom {pynetdicom.__version__} receives differently: no {_class.__name__}.{_name}")

Doors = tuple[Callable[[StoreCommand, str], Incoming], Callable[[StoreArrival], StoreAnswer]]
"""How a file for an object is opened, and who answers when it is whole."""


class _RingingQueue(queue.Queue[Any]):
    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._ring()


class InboundUpperLayer(DULServiceProvider):
    """The upper layer of one incoming association, in a thread of its own."""

    socket: Any
    assoc: Any

    def __init__(self, association: Any, doors: Doors) -> None:
        super().__init__(association)
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._run_loop_delay = 0.0
        self.to_provider_queue = _RingingQueue(self.ring)
        self.to_user_queue = _RingingQueue(association.bell.set)
        self.lane = StoreLane(association, self._contexts, *doors, self._to_toolkit)
        self.answering = False
        """inside a handler: silence of the peer is our doing"""

    def ring(self) -> None:
        """Wake the thread."""
        with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
            self._button.send(b"\0")

    def run_reactor(self) -> None:
        """The thread."""
        try:
            super().run_reactor()
        except InvalidEventError:  # the toolkit's state machine has no word for what this peer did
            LOG.warning("the peer breaks the protocol: its connection was closed")
            self.socket.close()
        finally:
            if self.lane.abandon():
                LOG.warning("the sender broke off inside an object; the half file was removed")
            self._bell.close()
            self._button.close()
            self.assoc.bell.set()
            self.assoc._server.over(self.assoc)

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self.ring()

    def stop_dul(self) -> bool:
        """End the thread if the connection is closed; whether it was."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join()
        return True

    def _is_transport_event(self) -> bool:
        if self.state_machine.current_state == _AWAITING_CLOSE:
            happened: bool = super()._is_transport_event()
            return happened
        if self.event_queue.empty() and self.socket.wait(self._bell, _NAP_S):
            self._read_pdu_data()
            return True
        return False

    def _read_pdu_data(self) -> None:
        if self.state_machine.current_state != _DATA_TRANSFER:
            self._read_other()
            return
        head = bytearray(6)
        try:
            while True:
                self.socket.read_into(memoryview(head))
                kind, length = _HEAD.unpack(head)
                if kind != _P_DATA:
                    self._read_other(bytes(head))
                    return
                self._read_values(length)
                self._idle_timer.restart()
                # inside an object more must come: no need to look around, unless somebody wants the line
                if not self.lane.receiving or self._kill_thread or not self.to_provider_queue.empty():
                    return
        except OSError:
            self.event_queue.put("Evt17")
        except NotDicom as error:
            LOG.warning("the peer breaks the protocol: %s", error.detail)
            self.event_queue.put("Evt19")

    def _read_values(self, length: int) -> None:
        """The presentation data values of one P-DATA-TF PDU (PS3.8 9.3.5)."""
        item = bytearray(6)
        while length:
            if length < 6:
                raise NotDicom(Reason.NOT_DICOM, "a PDU that ends inside a presentation data value")
            self.socket.read_into(memoryview(item))
            item_length, context_id, control = _ITEM.unpack(item)
            if item_length < 2 or item_length + 4 > length:
                raise NotDicom(Reason.NOT_DICOM, "a presentation data value longer than its PDU")
            self.answering = True
            try:
                self.lane.take(context_id, control, item_length - 2, self.socket)
            finally:
                self.answering = False
            length -= item_length + 4

    def _read_other(self, head: bytes = b"") -> None:
        """Every other PDU, as the toolkit reads it, with a bound."""
        try:
            if not head:
                head = bytes(self.socket.recv(6))
            if _HEAD.unpack(head)[1] > _MAX_OTHER_PDU_BYTES:
                LOG.warning("a PDU that is too large")
                self.event_queue.put("Evt19")
                return
        except OSError:
            self.event_queue.put("Evt17")
            return
        self.socket.unread(head)
        super()._read_pdu_data()

    def _contexts(self) -> dict[int, tuple[str, str]]:
        return {
            number: (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for number, context in self.assoc._accepted_cx.items()
        }

    def _to_toolkit(self, context_id: int, value: bytes) -> None:
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, value))
        self.assoc.dimse.receive_primitive(primitive)


class InboundAssociation(Association):
    """An association that a peer opened."""

    dul: Any

    def __init__(self, ae: Any, doors: Doors) -> None:
        self.bell = threading.Event()
        super().__init__(ae, "acceptor")
        self.dul = InboundUpperLayer(self, doors)
        self.acse_timeout = ae.acse_timeout  # the setters hand them to the new upper layer
        self.network_timeout = ae.network_timeout
        self.dimse.msg_queue = _RingingQueue(self.bell.set)

    def _run_reactor(self) -> None:
        self._is_paused = True
        while not self._kill:
            self.bell.wait(_NAP_S)
            self.bell.clear()
            self._reactor_checkpoint.wait()
            self._is_paused = False
            context_id, message = self.dimse.get_msg(block=False)
            if message and context_id is not None:
                self.bell.set()  # there may be another
                self._serve_request(message, context_id)
            if self._is_over():
                self.kill()
                return
            self._is_paused = True

    def _is_over(self) -> bool:
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            evt.trigger(self, evt.EVT_RELEASED, {})
            return True
        if self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted, self.is_established = True, False
            evt.trigger(self, evt.EVT_ABORTED, {})
            return True
        if not self.dul.is_alive():
            return True
        if self.dul.idle_timer_expired() and not self.dul.answering:
            LOG.warning("an association without traffic was aborted")
            self.abort()
            return True
        return False
