"""A C-STORE request whose data set goes from the file to the socket without a copy in this process.

pynetdicom reads a fragment, copies it four times, and hands it from thread to thread; that costs more than
the network. Here the PDUs are made of a header of 12 bytes and of what the kernel copies (`sendfile`).
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import pynetdicom
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE

_PDU = struct.Struct(">BBIIB")
_COMMAND, _LAST = 1, 2
_P_DATA = 0x04
_HEAD_BYTES = 6
"""of a presentation data value: length, context ID, message control header (PS3.8 9.3.5.1)"""


def can_send(association: Any, primitive: Any) -> bool:
    """Whether this is a C-STORE request from a file on a connection without TLS."""
    connection = association.dul.socket.socket if association.dul.socket is not None else None
    return (
        isinstance(primitive, C_STORE)
        and isinstance(primitive._dataset_path, tuple)
        and isinstance(connection, socket.socket)
        and not isinstance(connection, ssl.SSLSocket)
    )


def send_file(association: Any, primitive: Any, context_id: int, pdu_bytes: int) -> None:
    """Send it, in the thread that calls; nothing else may be waiting to be sent on the association.

    Parameters
    ----------
    primitive
        The request, with path of the file and offset of its data set.
    pdu_bytes
        Largest PDU; the length in its header does not count the header (PS3.8 D.1.1).

    Raises
    ------
    ConnectionError
        The peer has gone or takes nothing; the association has to be aborted, as after any OSError.
    """
    connection: socket.socket = association.dul.socket.socket
    path, offset = primitive._dataset_path
    with Path(path).open("rb") as file:
        try:
            for command in _command(primitive, context_id, pdu_bytes):
                connection.sendall(command, socket.MSG_MORE)
            _data(connection, file.fileno(), offset, context_id, pdu_bytes - _HEAD_BYTES)
        except BlockingIOError:
            raise ConnectionError("the peer takes nothing any more") from None


def _command(primitive: Any, context_id: int, pdu_bytes: int) -> list[bytes]:
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    pdus = []
    for values in message.encode_msg(context_id, pdu_bytes):
        ((_, value),) = values.presentation_data_value_list
        pdus.append(_PDU.pack(_P_DATA, 0, len(value) + 5, len(value) + 1, context_id) + value)
        if value[0] & _LAST:  # the data set would follow
            break
    return pdus


def _data(connection: socket.socket, descriptor: int, offset: int, context_id: int, most: int) -> None:
    end = os.fstat(descriptor).st_size
    while offset < end:
        length = min(most, end - offset)
        control = 0 if offset + length < end else _LAST
        head = _PDU.pack(_P_DATA, 0, length + 6, length + 2, context_id) + bytes([control])
        connection.sendall(head, socket.MSG_MORE)
        until = offset + length
        while offset < until:
            sent = os.sendfile(connection.fileno(), descriptor, offset, until - offset)
            if not sent:
                raise ConnectionError("the file became shorter while it was sent")
            offset += sent


if not hasattr(C_STORE(), "_dataset_path") or not hasattr(C_STORE_RQ, "encode_msg"):  # pragma: no cover
    raise ImportError(f"pynetdicom {pynetdicom.__version__} sends differently; direct_sending.py has to be adapted")
