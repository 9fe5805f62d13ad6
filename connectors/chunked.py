"""Receiving large objects straight to the disk, in the right folder and with a bound.

pynetdicom's chunked receive writes each C-STORE into a `NamedTemporaryFile` of the process's temporary
folder, which may lie on another file system (then "receive" ends in a copy), has no bound, and leaves a
half file behind when the sender dies. This module gives its message decoder another file: in the folder of
the receiving application entity, bounded, and removed when the association ends before its message does.
The decoder runs in the association's own thread, which tells whose file it is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from weakref import WeakKeyDictionary

import pynetdicom
from pynetdicom import _config, dimse_messages, transport

LOG = logging.getLogger(__name__)

MAX_PDU_BYTES = 1 << 20
"""Offered to peers. Without a limit (0) a sender may put a whole object into one PDU, and so into our memory;
what larger PDUs gain is gained at 128 KiB."""

_places: WeakKeyDictionary[Any, tuple[Path, int]] = WeakKeyDictionary()
_open: WeakKeyDictionary[Any, Incoming] = WeakKeyDictionary()


class Incoming:
    """The file object that pynetdicom writes a C-STORE data set into."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.name = str(path)
        self.path = path
        self.too_large = False
        self.failure: OSError | None = None
        self._left = max_bytes
        self._file = path.open("xb")

    @property
    def file(self) -> Incoming:
        """pynetdicom flushes this after every fragment; the flush is done once, at the end."""
        return self

    def write(self, block: bytes) -> int:
        """Write, or forget the block if the object grew over its bound or the disk refused before."""
        self._left -= len(block)
        if self._left < 0:
            self.too_large = True
        elif self.failure is None:
            # an error here would kill the association's thread without an answer; the handler answers instead
            try:
                self._file.write(block)
            except OSError as error:
                self.failure = error
        return len(block)

    def flush(self) -> None:
        """Nothing; see `file`."""

    def close(self) -> None:
        """Flush and close."""
        try:
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error


def prepare_pynetdicom() -> None:
    """Set the process-wide switches of pynetdicom that Reread relies on. May be called often.

    Chunked receive and send; no data set in any log (patient data).
    """
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.STORE_RECV_CHUNKED_DATASET = True
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
    if not hasattr(dimse_messages, "NamedTemporaryFile"):
        raise RuntimeError(f"pynetdicom {pynetdicom.__version__} receives differently; chunked.py has to be adapted")
    dimse_messages.NamedTemporaryFile = _file_for_this_thread
    # 3.0.4 skips the close when the shutdown fails, that is whenever the peer has gone: the socket leaks
    transport.AssociationSocket._shutdown_socket = _shutdown_and_close  # type: ignore[method-assign]


def receive_into(application_entity: Any, folder: Path, max_bytes: int) -> None:
    """Let an application entity receive into this folder, at most `max_bytes` an object."""
    folder.mkdir(parents=True, exist_ok=True)
    _places[application_entity] = (folder, max_bytes)


def take(association: Any) -> Incoming | None:
    """The complete file of the C-STORE that is being handled, closed; the caller owns it from here."""
    incoming = _open.pop(association, None)
    if incoming is not None:
        incoming.close()
    return incoming


def abandon(association: Any) -> None:
    """The association is over: remove what it left half received."""
    incoming = _open.pop(association, None)
    if incoming is not None:
        incoming.close()
        with contextlib.suppress(OSError):
            incoming.path.unlink(missing_ok=True)
        LOG.warning("the sender broke off inside an object; the half file was removed")


def _file_for_this_thread(**arguments: Any) -> Any:
    association = getattr(threading.current_thread(), "assoc", None)
    place = _places.get(getattr(association, "ae", None)) if association is not None else None
    if place is None:  # not one of our application entities
        return NamedTemporaryFile(**arguments)
    folder, max_bytes = place
    incoming = Incoming(folder / f"{os.getpid()}-{secrets.token_hex(8)}.part", max_bytes)
    _open[association] = incoming
    return incoming


def _shutdown_and_close(self: transport.AssociationSocket) -> None:
    if self.socket is not None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.socket.close()
