"""An archive of our own on DIMSE: FIND, MOVE, GET, STORE, Verification and Storage Commitment as SCP.

For demonstration, tests and small sites: a folder of DICOM files and an index in memory. Only known peers
are answered. What is stored into it lies in the same folder and is there again after a restart.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.dimse_messages import N_ACTION_RSP
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from reread.analytics.errors import InputError
from reread.connectors.archive_index import ArchiveIndex, IdentifierInvalid, Stored
from reread.connectors.calling import no_delay
from reread.connectors.chunked import MAX_PDU_BYTES, abandon, prepare_pynetdicom, receive_into, take
from reread.connectors.commitment import (
    REQUEST_COMMITMENT,
    CommitmentResult,
    Reference,
    read_request,
    result_dataset,
)
from reread.connectors.contexts import Contexts
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.negotiation import STANDARD_ORDER, UNCOMPRESSED, UnknownClasses
from reread.connectors.part10 import read_part10
from reread.connectors.peers import Peer, check_ae_title
from reread.connectors.services import Offer
from reread.connectors.spool import check_uid, sync_folder
from reread.connectors.storage_classes import STORAGE_CLASSES
from reread.connectors.tls import tls_arguments

LOG = logging.getLogger(__name__)

_UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
_NO_SUCH_INSTANCE, _CLASS_CONFLICT = 0x0112, 0x0119
_Step = tuple[int, Dataset | None]


def _offers() -> list[Offer]:
    models = (
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
        StudyRootQueryRetrieveInformationModelGet,
        StorageCommitmentPushModel,
        Verification,
    )
    stored = [Offer(uid, STANDARD_ORDER, peer_scu=True, stores=True) for uid in STORAGE_CLASSES]
    # what goes out by C-GET; uncompressed is what every caller can read
    fetched = [Offer(uid, UNCOMPRESSED + STANDARD_ORDER, peer_scu=False, peer_scp=True) for uid in STORAGE_CLASSES]
    return [Offer(model) for model in models] + stored + fetched


class ArchiveServer:
    """Serves a folder; a context manager.

    Parameters
    ----------
    folder
        DICOM files at any depth are served; what is stored goes to ``stored/`` in it.
    ae_title
        Its own AE title; no other called AE title is accepted.
    peers
        Known callers, C-MOVE destinations and receivers of commitment results.
    port
        0 takes a free one.
    report_apart
        Send storage commitment results on an association of its own instead of the one that asked.
    max_find_results
        Cut C-FIND answers off after so many, as many archives do; None for no limit.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str,
        peers: Sequence[Peer],
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        report_apart: bool = False,
        max_find_results: int | None = None,
    ) -> None:
        self._folder = folder
        self._received = folder / "stored"
        self._received.mkdir(parents=True, exist_ok=True)
        self._ae_title = check_ae_title(ae_title)
        self._peers = tuple(peers)
        self._address = (host, port)
        self._report_apart = report_apart
        self._max_find = max_find_results
        self._gate = Gatekeeper(ae_title, peers, 50)
        self._index = ArchiveIndex()
        self._reports: list[threading.Thread] = []
        self._due: dict[int, tuple[Any, CommitmentResult, dict[str, str]]] = {}
        self._ae: Any = None
        self._server: Any = None

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        if self._server is None:
            raise RuntimeError("the archive is not started")
        return int(self._server.server_address[1])

    def stored_instances(self) -> tuple[Stored, ...]:
        """What was sent to it, now or in an earlier run."""
        return tuple(item for item in self._index.all() if item.path.is_relative_to(self._received))

    def instances(self) -> tuple[Stored, ...]:
        """Everything that it holds."""
        return self._index.all()

    def start(self) -> None:
        """Index the folder and listen (OSError if the port is taken)."""
        prepare_pynetdicom()
        incoming = self._folder / ".incoming"
        incoming.mkdir(exist_ok=True)
        for half in incoming.iterdir():
            half.unlink()
        for path in sorted(self._folder.rglob("*")):
            if path.is_file():
                self._index.add(path)
        ae = AE(ae_title=self._ae_title)
        ae.maximum_pdu_size = MAX_PDU_BYTES
        ae.maximum_associations = 1000
        ae.add_supported_context(Verification, _UNCOMPRESSED)
        contexts = Contexts(_offers(), UnknownClasses.ACCEPT)

        def on_requested(event: Any) -> None:
            caller = self._gate.admit(event.assoc)
            if caller is not None:
                contexts.prepare(event.assoc, caller)

        receive_into(ae, incoming, 1 << 40)
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, on_requested),
            (evt.EVT_C_ECHO, lambda event: 0x0000),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_FIND, self._on_find),
            (evt.EVT_C_MOVE, self._on_move),
            (evt.EVT_C_GET, self._on_get),
            (evt.EVT_N_ACTION, self._on_action),
            (evt.EVT_DIMSE_SENT, self._on_sent),
            (evt.EVT_CONN_OPEN, no_delay),
            (evt.EVT_CONN_CLOSE, lambda event: abandon(event.assoc)),
        ]
        self._ae = ae
        self._server = ae.start_server(self._address, block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Stop listening; waits for commitment results that are being sent."""
        for thread in self._reports:
            thread.join(10.0)
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _on_store(self, event: Any) -> int:
        incoming = take(event.assoc)
        if incoming is None or incoming.failure is not None:
            return 0xA700
        try:
            uid = check_uid(read_part10(incoming.path).sop_instance_uid)
            shard = self._received / hashlib.sha256(uid.encode()).hexdigest()[:2]
            shard.mkdir(exist_ok=True)
            with incoming.path.open("rb") as file:
                os.fsync(file.fileno())
            if self._index.get(uid) is None:  # the first object of a UID stays; a repetition is harmless
                incoming.path.replace(shard / f"{uid}.dcm")
                sync_folder(shard)
                self._index.add(shard / f"{uid}.dcm")
        except InputError:
            return 0xC000
        except OSError:
            return 0xA700
        finally:
            incoming.path.unlink(missing_ok=True)
        return 0x0000

    def _on_find(self, event: Any) -> Iterator[_Step]:
        try:
            answers = self._index.find(event.identifier)
        except IdentifierInvalid:
            yield 0xA900, None
            return
        for number, answer in enumerate(answers):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            if self._max_find is not None and number >= self._max_find:
                return
            yield 0xFF00, answer

    def _on_move(self, event: Any) -> Iterator[Any]:
        peer = self._gate.peer(str(event.move_destination))
        if peer is None:
            yield None, None  # pynetdicom answers A801 (R3.223)
            return
        matches = self._matches(event)
        contexts = {(item.sop_class_uid, item.transfer_syntax_uid) for item in matches or ()}
        yield (
            peer.host,
            peer.port,
            {
                "contexts": [build_context(*pair) for pair in sorted(contexts)[:128]],
                "evt_handlers": [(evt.EVT_CONN_OPEN, no_delay)],
                "max_pdu": 0,
                "tls_args": tls_arguments(peer),
            },
        )
        yield from self._send(event, matches)

    def _on_get(self, event: Any) -> Iterator[Any]:
        yield from self._send(event, self._matches(event))

    def _matches(self, event: Any) -> tuple[Stored, ...] | None:
        try:
            return self._index.matches(event.identifier)
        except IdentifierInvalid:
            return None

    def _send(self, event: Any, matches: tuple[Stored, ...] | None) -> Iterator[Any]:
        if matches is None:
            yield 1
            yield 0xA900, None
            return
        yield len(matches)
        for item in matches:
            if event.is_cancelled:
                yield 0xFE00, None
                return
            dataset: Dataset
            try:
                dataset = pydicom.dcmread(item.path)
            except (OSError, InvalidDicomError):
                dataset = Dataset()  # counted as a failed sub-operation
            yield 0xFF00, dataset

    def _on_action(self, event: Any) -> tuple[int, None]:
        if event.action_type != REQUEST_COMMITMENT:
            return 0x0123, None  # no such action
        try:
            transaction, references = read_request(event.action_information)
        except (InputError, AttributeError, ValueError):
            return 0x0115, None  # invalid argument value
        committed: list[Reference] = []
        failed: dict[str, int] = {}
        for reference in references:
            held = self._index.get(reference.sop_instance_uid)
            if held is None or not held.path.is_file():
                failed[reference.sop_instance_uid] = _NO_SUCH_INSTANCE
            elif held.sop_class_uid != reference.sop_class_uid:
                failed[reference.sop_instance_uid] = _CLASS_CONFLICT
            else:
                committed.append(reference)
        classes = {reference.sop_instance_uid: reference.sop_class_uid for reference in references}
        self._due[id(event.assoc)] = (event.assoc, CommitmentResult(transaction, tuple(committed), failed), classes)
        return 0x0000, None

    def _on_sent(self, event: Any) -> None:
        """The result may go out only after the answer to the N-ACTION did."""
        if isinstance(event.message, N_ACTION_RSP) and (due := self._due.pop(id(event.assoc), None)) is not None:
            thread = threading.Thread(target=self._report, args=due, daemon=True)
            self._reports = [other for other in self._reports if other.is_alive()] + [thread]
            thread.start()

    def _report(self, association: Any, result: CommitmentResult, classes: dict[str, str]) -> None:
        kind, dataset = result_dataset(result, classes)
        arguments = (dataset, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        if not self._report_apart and association.is_established:
            try:
                status, _ = association.send_n_event_report(*arguments)
                if "Status" in status:
                    return
            except (RuntimeError, ValueError):
                pass  # the peer has gone: call it
        peer = self._gate.peer(str(association.requestor.ae_title))
        if peer is None:
            return
        ae = AE(ae_title=self._ae_title)
        ae.acse_timeout = ae.connection_timeout = ae.dimse_timeout = 30
        caller = ae.associate(
            peer.host,
            peer.port,
            contexts=[build_context(StorageCommitmentPushModel, _UNCOMPRESSED)],
            ae_title=peer.ae_title,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],  # R4.236
            evt_handlers=[(evt.EVT_CONN_OPEN, no_delay)],
            tls_args=tls_arguments(peer),
        )
        if not caller.is_established:
            LOG.warning("a commitment result could not be delivered to %s", peer.name)
            return
        try:
            caller.send_n_event_report(*arguments)
        finally:
            caller.release()
