"""Retrieve SCP: C-MOVE and C-GET of both information models, all levels (R3.218 to R3.231, R4.217 to R4.227).

Objects go out as they lie; see `retrieve_contexts` and `object_sending`. A C-MOVE goes on when its requester
goes away (R3.230) and stops when it is cancelled (R3.231).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynetdicom import build_context, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from reread.analytics.errors import ArchiveUnreachable, CatalogueBehind, CatalogueError, LedgerError
from reread.connectors.calling import association_with
from reread.connectors.catalogue import Catalogue, HeldObject
from reread.connectors.negotiation import LOSSLESS_COMPRESSED, LOSSY
from reread.connectors.negotiation import UNCOMPRESSED as NATIVE
from reread.connectors.object_sending import ObjectSender, Sent
from reread.connectors.peers import Peer
from reread.connectors.plain_objects import can_write_plain
from reread.connectors.query_exchange import UNABLE_TO_PROCESS, Exchange, SubOperations
from reread.connectors.query_identifier import (
    CANNOT_UNDERSTAND,
    IDENTIFIER_MISMATCH,
    IdentifierRefused,
    failed_list,
    read_retrieve,
)
from reread.connectors.query_keys import Root
from reread.connectors.retrieve_contexts import associations_for
from reread.connectors.services import Handler, Offer, StatusMeaning
from reread.connectors.storage_classes import STORAGE_CLASSES

LOG = logging.getLogger(__name__)

SUCCESS, SOME_FAILED, PENDING, CANCELLED = 0x0000, 0xB000, 0xFF00, 0xFE00
NOT_FOUND, CANNOT_PERFORM, DESTINATION_UNKNOWN, NOT_AUTHORISED = 0xA701, 0xA702, 0xA801, 0x0124
_MOVE_ROOTS = {
    PatientRootQueryRetrieveInformationModelMove: Root.PATIENT,
    StudyRootQueryRetrieveInformationModelMove: Root.STUDY,
}
_GET_ROOTS = {
    PatientRootQueryRetrieveInformationModelGet: Root.PATIENT,
    StudyRootQueryRetrieveInformationModelGet: Root.STUDY,
}
_GET_ORDER = (*NATIVE[:2], *LOSSLESS_COMPRESSED, *NATIVE[2:], *LOSSY)
"""Uncompressed first: in a context that takes both, everything can be sent so, and nothing is ever compressed."""
RETRIEVAL_TIMEOUT_S = 300.0
_CALLS = 3
"""associations for one group of objects; a receiver may break off at one that it cannot digest"""

_STATUSES = (
    StatusMeaning(SUCCESS, "success", "every object was sent and taken"),
    StatusMeaning(SOME_FAILED, "warning", "some objects were not taken; they are in Failed SOP Instance UID List"),
    StatusMeaning(PENDING, "pending", "one more object was sent; the counters say how many of each kind"),
    StatusMeaning(CANCELLED, "cancel", "the peer cancelled; no more objects are sent"),
    StatusMeaning(NOT_AUTHORISED, "refused", "the calling AE title is known but may not retrieve"),
    StatusMeaning(
        NOT_FOUND,
        "refused",
        "nothing is held under the UIDs asked for, or the index does not know all that arrived yet",
    ),
    StatusMeaning(CANNOT_PERFORM, "refused", "no object could be sent: all of them failed, or nobody was there"),
    StatusMeaning(
        IDENTIFIER_MISMATCH,
        "failure",
        "the Query/Retrieve Level is missing or wrong, or a unique key is missing or no UID; Offending Element "
        "names it",
    ),
    StatusMeaning(
        CANNOT_UNDERSTAND, "failure", "the identifier cannot be read, or the index or ledger does not answer"
    ),
)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What C-MOVE and C-GET have in common."""

    catalogue: Catalogue
    ae_title: str
    """ours, calling"""
    may_retrieve: Callable[[Any], bool]
    """whether the caller of an association may"""
    scratch: Callable[[], Path]
    """fresh paths in the spool, for objects that have to be written anew"""
    patience_s: float = 20.0
    """how long a request waits for a catalogue that is behind"""
    timeout_s: float = RETRIEVAL_TIMEOUT_S
    """for an association with a destination, and for each of its answers"""

    def find(self, exchange: Exchange, root: Root) -> list[HeldObject] | None:
        """The objects that are asked for; None when the request has had its answer."""
        if not self.may_retrieve(exchange.association):
            exchange.answer(NOT_AUTHORISED, comment="this AE title may not retrieve")
            return None
        try:
            query = read_retrieve(exchange.identifier, exchange.transfer_syntax_uid, root)
            self.catalogue.catch_up(self.patience_s)
            objects = self.catalogue.objects(query)
        except IdentifierRefused as refused:
            exchange.answer(refused.status, comment=refused.comment, offending_element=refused.element)
        except CatalogueBehind as error:
            exchange.answer(NOT_FOUND, comment=str(error))
        except (CatalogueError, LedgerError) as error:
            LOG.error("a retrieval could not be answered: %s", error)
            exchange.answer(UNABLE_TO_PROCESS, comment="the index does not answer")
        else:
            if objects:
                return objects
            exchange.answer(NOT_FOUND, comment="nothing is held under these UIDs", counters=SubOperations(0))
        return None


class MoveService:
    """C-MOVE.

    Parameters
    ----------
    retrieval
        What is shared with C-GET.
    destinations
        The peers that objects are sent to, and nobody else (R3.222).
    """

    name = "Retrieve by C-MOVE"

    def __init__(self, retrieval: Retrieval, destinations: Sequence[Peer]) -> None:
        self._retrieval = retrieval
        self._destinations = {peer.ae_title: peer for peer in destinations if peer.host and peer.port}

    def offers(self) -> Sequence[Offer]:
        """Both information models."""
        return tuple(Offer(model) for model in _MOVE_ROOTS)

    def handlers(self) -> Sequence[Handler]:
        """One, which leads requests to `serve` (`query_exchange.py`)."""
        return ((evt.EVT_C_MOVE, self.on_request),)

    def statuses(self) -> Sequence[StatusMeaning]:
        """All that are answered."""
        unknown = StatusMeaning(
            DESTINATION_UNKNOWN, "refused", "the move destination is not configured as a peer with host and port"
        )
        return (*_STATUSES, unknown)

    def on_request(self, event: Any) -> None:
        """Bound to the event so that requests come to `serve`; never called."""
        raise NotImplementedError

    def serve(self, exchange: Exchange) -> None:
        """Answer one C-MOVE."""
        objects = self._retrieval.find(exchange, _MOVE_ROOTS[exchange.sop_class_uid])
        if objects is None:
            return
        destination = self._destinations.get(exchange.destination)
        if destination is None:
            exchange.answer(DESTINATION_UNKNOWN, comment="the move destination is not known here")
            return
        progress = _Progress(exchange, len(objects))
        for contexts, group in associations_for(objects, _pair, can_write_plain):
            waiting = list(group)
            for _ in range(_CALLS):
                if waiting and not progress.is_stopped:
                    waiting = self._send(progress, destination, contexts, waiting)
            if progress.is_stopped:
                break
            for held in waiting:
                progress.note(held, Sent.FAILED)
        progress.finish()

    def _send(
        self, progress: _Progress, destination: Peer, contexts: Sequence[Any], objects: list[HeldObject]
    ) -> list[HeldObject]:
        """One association; returns what is left when it broke off."""
        proposed = [build_context(item.abstract_syntax, list(item.transfer_syntaxes)) for item in contexts]
        retrieval, exchange = self._retrieval, progress.exchange
        with ExitStack() as stack:
            try:
                association = stack.enter_context(
                    association_with(destination, retrieval.ae_title, proposed, timeout_s=retrieval.timeout_s)
                )
            except ArchiveUnreachable as error:
                LOG.warning("C-MOVE: %s", error)
                progress.comment = "no association with the move destination"
                return objects
            sender = ObjectSender(association, retrieval.scratch, originator=(exchange.caller, exchange.message_id))
            for number, held in enumerate(objects):
                if progress.is_cancelled():
                    return []
                progress.note(held, sender.send(held))
                if sender.is_over:
                    return objects[number + 1 :]
        return []


class GetService:
    """C-GET: the objects come back on the requester's own association, where it is SCP of their classes."""

    name = "Retrieve by C-GET"

    def __init__(self, retrieval: Retrieval) -> None:
        self._retrieval = retrieval

    def offers(self) -> Sequence[Offer]:
        """Both information models, and every storage class with the requester as SCP."""
        models = tuple(Offer(model) for model in _GET_ROOTS)
        return (*models, *(Offer(uid, _GET_ORDER, peer_scu=False, peer_scp=True) for uid in STORAGE_CLASSES))

    def handlers(self) -> Sequence[Handler]:
        """One, which leads requests to `serve` (`query_exchange.py`)."""
        return ((evt.EVT_C_GET, self.on_request),)

    def statuses(self) -> Sequence[StatusMeaning]:
        """All that are answered."""
        return _STATUSES

    def on_request(self, event: Any) -> None:
        """Bound to the event so that requests come to `serve`; never called."""
        raise NotImplementedError

    def serve(self, exchange: Exchange) -> None:
        """Answer one C-GET."""
        objects = self._retrieval.find(exchange, _GET_ROOTS[exchange.sop_class_uid])
        if objects is None:
            return
        progress = _Progress(exchange, len(objects))
        exchange.association.dimse_timeout = self._retrieval.timeout_s
        sender = ObjectSender(exchange.association, self._retrieval.scratch, exchange.message_id)
        for held in objects:
            if progress.is_cancelled() or exchange.abandoned:
                break
            progress.note(held, sender.send(held))
        progress.finish()


class _Progress:
    """Counts sub-operations and tells the requester, as long as it is there."""

    def __init__(self, exchange: Exchange, count: int) -> None:
        self.exchange = exchange
        self.comment = ""
        self.is_stopped = False
        self._is_alone = False
        self._counters = SubOperations(count)
        self._failed: list[str] = []

    def is_cancelled(self) -> bool:
        """Whether the requester has cancelled."""
        self.is_stopped = self.is_stopped or self.exchange.cancelled
        return self.is_stopped

    def note(self, held: HeldObject, sent: Sent) -> None:
        """One object more; a pending response for each but the last (R3.228, R4.227)."""
        counters = self._counters
        counters.remaining -= 1
        if sent is Sent.COMPLETED:
            counters.completed += 1
        elif sent is Sent.WARNING:
            counters.warning += 1
        else:
            counters.failed += 1
            self._failed.append(held.sop_instance_uid)
        if counters.remaining:
            self._tell(PENDING)

    def finish(self) -> None:
        """The final response; it depends on the sub-operations alone (R3.229)."""
        counters = self._counters
        if self.is_stopped:
            status = CANCELLED
        elif not counters.failed and not counters.warning:
            status = SUCCESS
        elif not counters.completed and not counters.warning:
            status = CANNOT_PERFORM
        else:
            status = SOME_FAILED
        failed = None if status == SUCCESS else failed_list(self._failed, self.exchange.transfer_syntax_uid)
        self._tell(status, failed, self.comment if status == CANNOT_PERFORM else "")

    def _tell(self, status: int, identifier: bytes | None = None, comment: str = "") -> None:
        if self._is_alone or self.exchange.abandoned:
            if not self._is_alone:
                LOG.warning("the requester of a retrieval has gone")
            self._is_alone = True
            return
        try:
            self.exchange.answer(status, identifier, comment=comment, counters=self._counters)
        except ConnectionError:
            self._is_alone = True  # the objects go on


def _pair(held: HeldObject) -> tuple[str, str]:
    return held.sop_class_uid, held.transfer_syntax_uid
