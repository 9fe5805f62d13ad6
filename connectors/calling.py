"""Opening an association to a peer."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt

from reread.analytics.errors import ArchiveUnreachable
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from reread.connectors.pacing import pace, serve_no_more
from reread.connectors.peers import Peer
from reread.connectors.tls import tls_arguments, why_no_tls
from reread.connectors.toolkit import prepare_pynetdicom

_SEND_S = 60
MOST_ASSOCIATION_S = 30.0
"""for a connection and for the answer to an association request, whatever the time-out of operations is"""
ANY_PDU = 0
"""maximum length that we offer to who we call: no limit (PS3.8 D.1)"""


def calling_entity(own_ae_title: str, timeout_s: float) -> Any:
    """pynetdicom's application entity for associations that we open, under our implementation's own name (R3.109)."""
    ae = AE(ae_title=own_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.connection_timeout = min(timeout_s, MOST_ASSOCIATION_S)
    ae.dimse_timeout = ae.network_timeout = timeout_s
    return ae


@contextmanager
def association_with(
    peer: Peer,
    own_ae_title: str,
    contexts: list[Any],
    *,
    timeout_s: float,
    handlers: Sequence[tuple[Any, Any]] = (),
    negotiation: Sequence[Any] = (),
) -> Iterator[Any]:
    """An established association for the block; released at its end, aborted when it fails.

    `negotiation` are extended negotiation items, for example of role selection.

    Raises
    ------
    ArchiveUnreachable
        There is none; the text says why.
    """
    prepare_pynetdicom()
    ae = calling_entity(own_ae_title, timeout_s)
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.ae_title,
        max_pdu=ANY_PDU,
        evt_handlers=[(evt.EVT_CONN_OPEN, no_delay), *handlers],
        ext_neg=list(negotiation),
        tls_args=tls_arguments(peer),
    )
    if not association.is_established:
        close_socket(association)
        rejected: Any = association.acceptor.primitive
        why = "no answer"
        if association.is_rejected:
            triple = (rejected.result, rejected.result_source, rejected.diagnostic)
            why = "rejected (result {}, source {}, reason {})".format(*triple)
        elif association.rejected_contexts:
            why = "none of the proposed presentation contexts was accepted"
        elif peer.tls is not None:
            why = why_no_tls(peer) or why
        raise ArchiveUnreachable(f"{peer.name}: no association: {why}")
    pace(association)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    else:
        serve_no_more(association)
        association.release()


def close_socket(association: Any) -> None:
    """Close the connection of an association that was not established; pynetdicom leaves some of them open."""
    connection = association.dul.socket.socket if association.dul.socket is not None else None
    if connection is not None:
        connection.close()


def no_delay(event: Any) -> None:
    """Set the socket: without this, Nagle and delayed acknowledgement cost 45 ms a message.

    A peer that takes nothing for a minute is given up (R3.525); otherwise a send would block for ever.
    """
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))
