"""The process-wide switches of pynetdicom that Reread relies on."""

from __future__ import annotations

import contextlib
import socket

import pynetdicom
from pynetdicom import _config, transport


def prepare_pynetdicom() -> None:
    """Set them; may be called often.

    Files are sent in chunks; no data set in any log (patient data). What is accepted is negotiated by our own
    rules (`negotiation.py`), never by pynetdicom's "unrestricted storage", which takes a sender's first choice.
    """
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
    if not hasattr(transport.AssociationSocket, "_shutdown_socket"):
        raise RuntimeError(f"pynetdicom {pynetdicom.__version__} closes differently; toolkit.py has to be adapted")
    transport.AssociationSocket._shutdown_socket = _shutdown_and_close  # type: ignore[method-assign]


def _shutdown_and_close(self: transport.AssociationSocket) -> None:
    """3.0.4 skips the close when the shutdown fails, that is whenever the peer has gone: the socket leaks."""
    if self.socket is not None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.socket.close()
