"""The listener: Storage SCP, Verification SCP, and the ear for storage commitment results.

An object is durable on the disk and booked in the ledger before 0x0000 is answered. Nothing is decoded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from reread.analytics.errors import InputError, LedgerError
from reread.connectors.admission import OUT_OF_RESOURCES, WILL_NOT_PROCESS, Admission, AdmissionPolicy, Disposition
from reread.connectors.chunked import MAX_PDU_BYTES, abandon, prepare_pynetdicom, receive_into, take
from reread.connectors.commitment import ALL_COMMITTED, FAILURES_EXIST, CommitmentResult, read_result
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.intake import Intake, Reception
from reread.connectors.ledger import Ledger
from reread.connectors.peers import Peer, PeerRole, check_ae_title
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool

LOG = logging.getLogger(__name__)

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_NO_RESOURCES = Admission(Disposition.REJECTED, OUT_OF_RESOURCES, None, "Out of resources")
_TOO_LARGE = Admission(Disposition.REJECTED, WILL_NOT_PROCESS, None, "the object is larger than this server takes")
_PROCESSING_FAILURE, _NO_SUCH_EVENT, _UID_MISMATCH = 0x0110, 0x0113, 0x0119


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


class Listener:
    """Receives; use it as a context manager or with `start` and `stop`.

    Parameters
    ----------
    settings, spool, ledger, pseudonyms
        The ledger and the spool stay open when the listener stops.
    on_reception
        Called after each acknowledged object, in the association's thread; must be quick and not raise.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        spool: Spool,
        ledger: Ledger,
        pseudonyms: Pseudonyms,
        on_reception: Callable[[Reception], None] | None = None,
    ) -> None:
        check_ae_title(settings.ae_title)
        self._settings = settings
        self._spool = spool
        self._ledger = ledger
        self._intake = Intake(spool, ledger, pseudonyms, settings.policy)
        self._on_reception = on_reception
        self._server: Any = None
        self._gate = Gatekeeper(
            settings.ae_title,
            settings.peers,
            settings.max_associations,
            lambda: spool.free_bytes() >= settings.policy.min_free_bytes,
        )

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        if self._server is None:
            raise RuntimeError("the listener is not started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen in background threads (OSError if the port is taken). Clears half-received files."""
        prepare_pynetdicom()
        self._spool.clear_incoming()
        settings = self._settings
        ae = AE(ae_title=settings.ae_title)
        ae.maximum_pdu_size = MAX_PDU_BYTES
        ae.maximum_associations = settings.max_associations + 1000  # the gatekeeper counts, with R1.56's reason
        ae.network_timeout = settings.network_timeout_s
        ae.add_supported_context(Verification)
        ae.add_supported_context(StorageCommitmentPushModel, list(UNCOMPRESSED), scu_role=True, scp_role=True)
        receive_into(ae, self._spool.incoming, settings.policy.max_object_bytes)
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._gate.on_requested),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_ECHO, lambda event: 0x0000),
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
            (evt.EVT_CONN_CLOSE, lambda event: abandon(event.assoc)),
        ]
        self._server = ae.start_server((settings.host, settings.port), block=False, evt_handlers=handlers)
        LOG.info("listening on port %d", self.port)

    def stop(self) -> None:
        """Abort what is open and stop listening; what was acknowledged is safe."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _on_store(self, event: Any) -> Dataset:
        incoming = take(event.assoc)
        peer = self._gate.peer(str(event.assoc.requestor.ae_title))
        try:
            if incoming is None or incoming.failure is not None:
                return _response(_NO_RESOURCES)
            if incoming.too_large:
                return _response(_TOO_LARGE)
            reception = self._intake.receive(
                incoming.path,
                peer.name if peer else "",
                command_sop_class_uid=str(event.request.AffectedSOPClassUID),
                command_sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
                may_store=peer is not None and PeerRole.SOURCE in peer.roles,
            )
        except (OSError, LedgerError) as error:
            # not acknowledged: the sender keeps the object and tries again
            LOG.error("an object could not be stored: %s", type(error).__name__)
            return _response(_NO_RESOURCES)
        finally:
            if incoming is not None:
                incoming.path.unlink(missing_ok=True)
        if not reception.admission.accepted:
            LOG.warning("refused with 0x%04X: %s", reception.admission.status, reception.admission.comment)
        elif self._on_reception is not None:
            self._on_reception(reception)
        return _response(reception.admission)

    def _on_event_report(self, event: Any) -> tuple[int, None]:
        try:
            if event.event_type not in (ALL_COMMITTED, FAILURES_EXIST):
                return _NO_SUCH_EVENT, None  # R4.259
            result = read_result(event.event_information)
        except (InputError, ValueError, AttributeError):
            return _PROCESSING_FAILURE, None  # R1.90
        known = book_commitment(self._ledger, result, self._settings.retry_interval_s, self._settings.retry_duration_s)
        return (0x0000 if known else _UID_MISMATCH), None  # R1.91


def book_commitment(ledger: Ledger, result: CommitmentResult, retry_interval_s: float, retry_duration_s: float) -> bool:
    """Write a storage commitment result into the ledger; False if nobody asked for it."""
    return ledger.apply_commitment(
        result.transaction_uid,
        (reference.sop_instance_uid for reference in result.committed),
        result.causes,
        retry_interval_s=retry_interval_s,
        retry_duration_s=retry_duration_s,
    )


def _response(admission: Admission) -> Dataset:
    dataset = Dataset()
    dataset.Status = admission.status
    if not admission.accepted:
        dataset.ErrorComment = admission.comment[:64]
        if admission.offending_element is not None:
            dataset.OffendingElement = [admission.offending_element]
    return dataset
