"""The listener of an installation: the node with everything that it receives with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.closing import CaseCloser
from reread.connectors.commitment_ear import CommitmentEar
from reread.connectors.commitment_service import CommitmentService
from reread.connectors.completeness import ClosingPolicy
from reread.connectors.disk_space import disk_state
from reread.connectors.gatekeeper import Crowding, Gatekeeper
from reread.connectors.inbound_server import Load
from reread.connectors.intake import Intake, Reception
from reread.connectors.ledger import Ledger
from reread.connectors.negotiation import UnknownClasses
from reread.connectors.node import Node
from reread.connectors.notification import BASIC_STUDY_CONTENT_NOTIFICATION, NotificationService
from reread.connectors.peers import Peer
from reread.connectors.procedure_steps import ProcedureStepService
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.query_retrieve import QueryRetrieve
from reread.connectors.services import Service
from reread.connectors.slots import Slots
from reread.connectors.spool import Spool
from reread.connectors.storage_service import StorageService
from reread.connectors.tls import ListenerTls
from reread.connectors.verification import VerificationService


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """How the listener listens.

    Port 0 takes a free one. Times in seconds.
    """

    ae_title: str = "REREAD"
    host: str = "127.0.0.1"
    port: int = 11112
    peers: tuple[Peer, ...] = ()
    """the only ones that may call; SOURCE may store, all may verify and report commitment"""
    max_associations: int = 10
    policy: AdmissionPolicy = field(default_factory=AdmissionPolicy)
    network_timeout_s: float = 60.0
    """an association without any traffic for this long is aborted"""
    retry_interval_s: float = 60.0
    """for deliveries whose commitment failed"""
    retry_duration_s: float = 86400.0
    also_called: tuple[str, ...] = ()
    """further called AE titles that are accepted"""
    crowding: Crowding = field(default_factory=Crowding)
    unknown_classes: UnknownClasses = UnknownClasses.ACCEPT
    """storage classes that are in no table of ours"""
    tls: ListenerTls | None = None
    """with it every caller has to use TLS"""
    closing: ClosingPolicy = field(default_factory=ClosingPolicy)
    """when a study is complete"""
    data: Path | None = None
    """the folder that paths of our results are relative to; None: results cannot be queried"""


@dataclass(frozen=True, slots=True)
class SharedPort:
    """What the processes of a listener have in common."""

    listening: socket.socket
    """non-blocking"""
    slots: Slots
    slots_of_peer: Callable[[Peer], Slots]
    load: Load


class Listener:
    """Receives; use it as a context manager or with `start` and `stop`.

    Parameters
    ----------
    settings, spool, ledger, pseudonyms
        The ledger and the spool stay open when the listener stops.
    on_reception
        Called after each acknowledged object, in the association's thread; must be quick and not raise.
    shared
        For one of several processes on one port (`listener_pool.py`).
    """

    def __init__(
        self,
        settings: ListenerSettings,
        spool: Spool,
        ledger: Ledger,
        pseudonyms: Pseudonyms,
        on_reception: Callable[[Reception], None] | None = None,
        shared: SharedPort | None = None,
    ) -> None:
        self._spool = spool
        self._owns_spool = shared is None
        policy = settings.policy
        gate = Gatekeeper(
            (settings.ae_title, *settings.also_called),
            settings.peers,
            shared.slots if shared else settings.max_associations,
            lambda: disk_state(spool.free_bytes(), policy.min_free_bytes, policy.low_free_bytes),
            settings.crowding,
            *((shared.slots_of_peer,) if shared else ()),
        )
        self.intake = Intake(spool, ledger, pseudonyms, policy)
        closer = CaseCloser(ledger, settings.closing, spool.root)
        notification = NotificationService(ledger, closer)
        storage = StorageService(
            self.intake, gate, on_reception, {BASIC_STUDY_CONTENT_NOTIFICATION: notification.answer}
        )
        self._commitment = CommitmentService(
            ledger,
            spool,
            gate,
            settings.peers,
            retry_interval_s=settings.retry_interval_s,
            retry_duration_s=settings.retry_duration_s,
        )
        self._query_retrieve = QueryRetrieve(settings.ae_title, settings.peers, gate, spool, ledger, settings.data)
        services: tuple[Service, ...] = (
            VerificationService(),
            storage,
            notification,
            ProcedureStepService(ledger, gate, closer),
            self._commitment,
            CommitmentEar(ledger, settings.retry_interval_s, settings.retry_duration_s),
            *self._query_retrieve.services,
        )
        address = (settings.host, settings.port)
        self.node = Node(
            settings.ae_title,
            address,
            services,
            gate,
            storage.doors,
            network_timeout_s=settings.network_timeout_s,
            unknown_classes=settings.unknown_classes,
            tls=settings.tls,
            listening=shared.listening if shared else None,
            load=shared.load if shared else None,
        )

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        return self.node.port

    def start(self) -> None:
        """Listen in background threads (OSError if the port is taken). Clears half-received files."""
        if self._owns_spool:
            self._spool.clear_incoming()
        self.node.start()
        self._commitment.start()
        self._query_retrieve.start()

    def stop(self) -> None:
        """Abort what is open and stop listening; what was acknowledged is safe."""
        self.node.stop()
        self._commitment.stop()
        self._query_retrieve.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
