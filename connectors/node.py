"""A DICOM node: an application entity that listens, lets known callers in and provides services."""

from __future__ import annotations

import logging
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pynetdicom import AE, evt

from reread.connectors.command_set import StoreCommand
from reread.connectors.contexts import Contexts
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from reread.connectors.inbound import MAX_PDU_BYTES, Doors
from reread.connectors.inbound_server import InboundHandler, InboundServer, Load
from reread.connectors.incoming import Incoming
from reread.connectors.negotiation import UnknownClasses
from reread.connectors.peers import check_ae_title
from reread.connectors.services import Service
from reread.connectors.store_lane import StoreAnswer, StoreArrival
from reread.connectors.tls import ListenerTls, server_context
from reread.connectors.toolkit import prepare_pynetdicom

LOG = logging.getLogger(__name__)


class Node:
    """Listens; use it as a context manager or with `start` and `stop`.

    Parameters
    ----------
    ae_title
        Our own.
    address
        Host and TCP port; port 0 takes a free one.
    services
        What it provides.
    gate
        Who may call.
    doors
        Where objects of C-STORE requests go; None for a node that takes none.
    network_timeout_s
        An association without any traffic for this long is aborted.
    unknown_classes
        Whether storage classes that no service offers are taken too.
    tls
        With it every caller has to use TLS (SettingsInvalid if a file of it cannot be used).
    listening, load
        For a node that shares its port with other processes (`listener_pool.py`).
    """

    def __init__(
        self,
        ae_title: str,
        address: tuple[str, int],
        services: Sequence[Service],
        gate: Gatekeeper,
        doors: Doors | None = None,
        *,
        network_timeout_s: float = 60.0,
        unknown_classes: UnknownClasses = UnknownClasses.REFUSE,
        tls: ListenerTls | None = None,
        listening: socket.socket | None = None,
        load: Load | None = None,
    ) -> None:
        prepare_pynetdicom()
        self._address = address
        self._services = tuple(services)
        self._gate = gate
        self._doors = doors or (_no_file, _not_here)
        self._listening = listening
        self._load = load
        self._server: Any = None
        self.ae = AE(ae_title=check_ae_title(ae_title))
        self.ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self.ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self.ae.maximum_pdu_size = MAX_PDU_BYTES
        self.ae.maximum_associations = 100_000  # the gatekeeper counts, with R1.56's reason
        self.ae.network_timeout = network_timeout_s
        self.ae.acse_timeout = min(30.0, network_timeout_s)  # a caller that connects and requests nothing
        # pynetdicom listens with one context at least; each association gets its own in _on_requested
        self.ae.add_supported_context("1.2.840.10008.1.1")
        self._contexts = Contexts([offer for service in services for offer in service.offers()], unknown_classes)
        self._tls = tls
        self._tls_context = server_context(tls) if tls is not None else None

    @property
    def services(self) -> tuple[Service, ...]:
        """What it provides."""
        return self._services

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        if self._server is None:
            raise RuntimeError("the node is not started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen in background threads (OSError if the port is taken)."""
        handlers: list[Any] = [(evt.EVT_REQUESTED, self._on_requested)]
        for service in self._services:
            handlers += service.handlers()
        server: Any = self.ae.make_server(
            self._address,
            evt_handlers=handlers,
            server_class=InboundServer,
            request_handler=InboundHandler,
            ssl_context=self._tls_context,
            listening=self._listening,
            load=self._load,
        )
        server.doors = self._doors
        server.ended = self._gate.ended
        if self._tls is not None:
            server.handshake_s = self._tls.handshake_s
        self.ae._servers.append(server)  # as start_server does; the server's shutdown takes it away again
        threading.Thread(target=server.serve_forever, name=f"listener {self.ae.ae_title}", daemon=True).start()
        self._server = server
        LOG.info("listening on port %d", self.port)

    def stop(self) -> None:
        """Abort what is open and stop listening."""
        if self._server is not None:
            server, self._server = self._server, None
            self._gate.close()
            server.shutdown()

    def _on_requested(self, event: Any) -> None:
        caller = self._gate.admit(event.assoc)
        if caller is not None:
            self._contexts.prepare(event.assoc, caller)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _no_file(command: StoreCommand, transfer_syntax_uid: str) -> Incoming:
    """Nothing is kept of what was not asked for."""
    return Incoming(
        Path(tempfile.gettempdir()), 0, command.sop_class_uid, command.sop_instance_uid, transfer_syntax_uid
    )


def _not_here(arrival: StoreArrival) -> StoreAnswer:
    return StoreAnswer(0x0122, "this node takes no objects")
