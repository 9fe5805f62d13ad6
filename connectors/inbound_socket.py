"""The socket of an incoming association: whole blocks, sleep instead of polling, a limit to patience."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from typing import Any

import pynetdicom
from pynetdicom.transport import AssociationSocket

for _name in ("recv", "ready", "_shutdown_socket"):
    if not hasattr(AssociationSocket, _name):  # pragma: no cover
        raise ImportError(f"pynetdicom {pynetdicom.__version__} reads differently: no AssociationSocket.{_name}")


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
