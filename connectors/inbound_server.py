"""Accepting connections, alone or with other processes on the same port, and making associations of them."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import pynetdicom
from pynetdicom import evt
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from reread.connectors.inbound import Doors, InboundAssociation
from reread.connectors.inbound_socket import InboundSocket

LOG = logging.getLogger(__name__)

_AFTER_YOU_S = 0.01

for _class, _names in (
    (RequestHandler, ("_create_association", "handle")),
    (ThreadedAssociationServer, ("get_request", "process_request_thread", "server_close", "shutdown_request")),
):
    for _name in _names:
        if not hasattr(_class, _name):  # pragma: no cover
            raise ImportError(f"pynetdicom {pynetdicom.__version__} accepts differently: no {_class.__name__}.{_name}")


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

    def opened(self) -> None:
        """One more of ours."""
        ...

    def closed(self) -> None:
        """One less of ours."""
        ...

    def is_ours(self) -> bool:
        """Whether no other process has fewer."""
        ...


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
        """Bind, unless the socket is there."""
        if self._listening is None:
            super().server_bind()
        else:
            self.socket.close()
            self.socket = self._listening
            self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        """Listen, unless the socket does."""
        if self._listening is None:
            super().server_activate()

    def server_close(self) -> None:
        """Close our end of the listening socket."""
        if self._listening is None:
            super().server_close()
        else:  # a shutdown would end it for the other processes too
            self.socket.close()

    def get_request(self) -> Any:
        """Accept a connection."""
        if self.load is not None and not self.load.is_ours():
            time.sleep(_AFTER_YOU_S)  # whoever has fewer takes it; if nobody does, we do
        accepted = self.socket.accept()
        if self.load is not None:
            self.load.opened()
        return accepted

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands if TLS is wanted, and make the association."""
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
        """A connection that got no association."""
        error = sys.exc_info()[1]
        why = getattr(error, "reason", None) or type(error).__name__  # of TLS: "WRONG_VERSION_NUMBER" and the like
        LOG.warning("a connection from %s could not be served: %s", client_address[0], why)
        if self.load is not None:
            self.load.closed()
