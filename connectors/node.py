"""A DICOM node: an application entity that listens, lets known callers in and provides services."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from pynetdicom import AE, evt

from reread.connectors.chunked import MAX_PDU_BYTES, abandon, prepare_pynetdicom
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.peers import check_ae_title
from reread.connectors.services import Service

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
    network_timeout_s
        An association without any traffic for this long is aborted.
    """

    def __init__(
        self,
        ae_title: str,
        address: tuple[str, int],
        services: Sequence[Service],
        gate: Gatekeeper,
        *,
        network_timeout_s: float = 60.0,
    ) -> None:
        prepare_pynetdicom()
        self._address = address
        self._services = tuple(services)
        self._gate = gate
        self._server: Any = None
        self.ae = AE(ae_title=check_ae_title(ae_title))
        self.ae.maximum_pdu_size = MAX_PDU_BYTES
        self.ae.maximum_associations = 100_000  # the gatekeeper counts, with R1.56's reason
        self.ae.network_timeout = network_timeout_s
        for service in services:
            for offer in service.offers():
                self.ae.add_supported_context(
                    offer.abstract_syntax,
                    list(offer.transfer_syntaxes),
                    scu_role=offer.peer_scu,
                    scp_role=offer.peer_scp,
                )

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
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._gate.on_requested),
            (evt.EVT_CONN_CLOSE, lambda event: abandon(event.assoc)),
        ]
        for service in self._services:
            handlers += service.handlers()
        self._server = self.ae.start_server(self._address, block=False, evt_handlers=handlers)
        LOG.info("listening on port %d", self.port)

    def stop(self) -> None:
        """Abort what is open and stop listening."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
