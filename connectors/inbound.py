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
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import pynetdicom
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

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
_AFTER_YOU_S = 0.01
_NAP_S = 0.5
"""how late an expired timer may be noticed"""
_P_DATA, _DATA_TRANSFER, _AWAITING_CLOSE = 0x04, "Sta6", "Sta13"
_HEAD, _ITEM = struct.Struct(">BxI"), struct.Struct(">IBB")

_OVERRIDDEN = (
    (DULServiceProvider, ("_is_transport_event", "_read_pdu_data", "run_reactor", "stop_dul", "kill_dul")),
    (Association, ("_run_reactor", "_serve_request", "kill")),
    (AssociationSocket, ("recv", "ready", "_shutdown_socket")),
    (RequestHandler, ("_create_association", "handle")),
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


class InboundSocket(AssociationSocket):
    """Reads whole blocks, and gives up on a peer that takes longer than the network time-out for one."""

    def __init__(self, association: Any, connection: socket.socket, timeout_s: float | None) -> None:
        super().__init__(association, client_socket=connection)
        self._timeout_s = timeout_s
        self._again = b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if timeout_s is not None:
            limit = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6))
            # in the kernel, so that a plain socket stays blocking and one call fills the block
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def read_into(self, block: memoryview) -> None:
        """Fill the block (OSError if the peer has gone or is too slow)."""
        connection = self.socket
        if connection is None:
            raise ConnectionError("the connection is closed")
        if isinstance(connection, ssl.SSLSocket):
            deadline = time.monotonic() + (self._timeout_s or 3600.0)
            while block:
                count = connection.recv_into(block)
                if not count or time.monotonic() > deadline:
                    raise ConnectionError("the peer has gone or is too slow")
                block = block[count:]
        elif block and connection.recv_into(block, len(block), socket.MSG_WAITALL) < len(block):
            raise ConnectionError("the peer has gone or is too slow")

    def recv(self, nr_bytes: int) -> bytearray:
        """As the toolkit calls it."""
        block = bytearray(nr_bytes)
        again, self._again = self._again[:nr_bytes], self._again[nr_bytes:]
        block[: len(again)] = again
        self.read_into(memoryview(block)[len(again) :])
        return block

    def unread(self, head: bytes) -> None:
        """Give these bytes once more with the next `recv`."""
        self._again = head

    @property
    def has_buffered(self) -> bool:
        """Bytes that were decrypted already and that the kernel knows nothing of."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def wait(self, bell: socket.socket, timeout_s: float) -> bool:
        """Sleep until the peer sent something (True), the bell rings or time is over."""
        connection = self.socket
        if connection is None or connection.fileno() < 0:
            time.sleep(min(timeout_s, 0.01))
            return False
        if self.has_buffered:
            return True
        # poll, not select: that ends at 1,024 open files
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(bell, select.POLLIN)
        ready = {number for number, _ in poll.poll(timeout_s * 1000)}
        if bell.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                bell.recv(4096)
        return connection.fileno() in ready

    @property
    def ready(self) -> bool:
        """Whether there is something to read now."""
        connection = self.socket
        if connection is None or connection.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return self.has_buffered or bool(poll.poll(0))

    def _shutdown_socket(self) -> None:
        # the toolkit skips the close when the shutdown fails, that is whenever the peer has gone: a leak
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                self.socket.close()


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
        try:
            super().run_reactor()
        finally:
            if self.lane.abandon():
                LOG.warning("the sender broke off inside an object; the half file was removed")
            self._bell.close()
            self._button.close()
            self.assoc.bell.set()
            self.assoc._server.over(self.assoc)

    def kill_dul(self) -> None:
        super().kill_dul()
        self.ring()

    def stop_dul(self) -> bool:
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


class InboundHandler(RequestHandler):
    """Makes our association for an accepted connection; the server's `doors` say where objects go."""

    def _create_association(self) -> InboundAssociation:
        server: Any = self.server
        association = InboundAssociation(self.ae, server.doors)
        association._server = server
        association.name = f"AcceptorThread@{datetime.now():%Y%m%d%H%M%S}"
        association.set_socket(InboundSocket(association, self.request, self.ae.network_timeout))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = list(server.contexts)
        association.requestor.address_info = self.remote
        for event, bound in server._handlers.items():
            if event.is_intervention and bound:
                association.bind(event, *bound)
            elif isinstance(event, evt.NotificationEvent):
                for function, arguments in bound:
                    association.bind(event, function, arguments)
        return association


class Load(Protocol):
    """Counts connections; says whether the next one is for this process."""

    def opened(self) -> None: ...
    def closed(self) -> None: ...
    def is_ours(self) -> bool: ...


class InboundServer(ThreadedAssociationServer):
    """Accepts connections; `doors` must be set before the first.

    Parameters
    ----------
    listening
        A non-blocking socket that listens already and that other processes accept on too; None makes one.
    load
        Shares the connections out among those processes.
    """

    socket: Any
    doors: Doors
    handshake_s = 10.0
    """for TLS"""
    ended: Callable[[Any], None] = staticmethod(lambda association: None)
    """told of each association that is over"""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any, listening: socket.socket | None = None, load: Load | None = None, **more: Any):
        self._listening = listening
        self.load = load
        super().__init__(*arguments, **more)

    def server_bind(self) -> None:
        if self._listening is None:
            super().server_bind()
        else:
            self.socket.close()
            self.socket = self._listening
            self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        if self._listening is None:
            super().server_activate()

    def server_close(self) -> None:
        if self._listening is None:
            super().server_close()
        else:  # a shutdown would end it for the other processes too
            self.socket.close()

    def get_request(self) -> Any:
        if self.load is not None and not self.load.is_ours():
            time.sleep(_AFTER_YOU_S)  # whoever has fewer takes it; if nobody does, we do
        accepted = self.socket.accept()
        if self.load is not None:
            self.load.opened()
        return accepted

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # the toolkit shakes hands in the loop that accepts, where one silent caller stops all others
        try:
            if self.ssl_context is not None:
                request.settimeout(self.handshake_s)
                request = self.ssl_context.wrap_socket(request, server_side=True)
                request.settimeout(None)
        except OSError:
            self.handle_error(request, client_address)
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def over(self, association: Any) -> None:
        """An association has ended, whatever way; called once for each."""
        self.ended(association)
        if self.load is not None:
            self.load.closed()

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.warning("a connection could not be served: %s", type(sys.exc_info()[1]).__name__)
        if self.load is not None:
            self.load.closed()
