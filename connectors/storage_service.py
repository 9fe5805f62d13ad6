"""Storage SCP: an object is durable on the disk and booked in the ledger before 0x0000 is answered.

Nothing is decoded here: the receiver only receives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from reread.connectors.admission import Admission, Disposition, refusal_of
from reread.connectors.command_set import StoreCommand
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.inbound import Doors
from reread.connectors.incoming import Incoming
from reread.connectors.intake import Intake, Reception
from reread.connectors.ledger_records import CohortKey
from reread.connectors.negotiation import STANDARD_ORDER
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.services import Handler, Offer, StatusMeaning
from reread.connectors.storage_classes import STORAGE_CLASSES
from reread.connectors.store_lane import StoreAnswer, StoreArrival
from reread.connectors.store_statuses import STORE_STATUSES, WILL_NOT_PROCESS

LOG = logging.getLogger(__name__)

_TOO_LARGE = Admission(Disposition.REJECTED, WILL_NOT_PROCESS, None, "the object is larger than this server takes")


class StorageService:
    """C-STORE.

    Parameters
    ----------
    intake
        Where objects go.
    gate
        Knows who the sender is.
    on_reception
        Called after each acknowledged object, in the association's thread; must be quick and not raise.
    others
        What answers C-STORE requests of abstract syntaxes that are no storage classes.
    """

    name = "Storage"

    def __init__(
        self,
        intake: Intake,
        gate: Gatekeeper,
        on_reception: Callable[[Reception], None] | None = None,
        others: Mapping[str, Callable[[StoreArrival, Peer | None], StoreAnswer]] | None = None,
    ) -> None:
        self._intake = intake
        self._gate = gate
        self._on_reception = on_reception
        self._others = others or {}

    def offers(self) -> Sequence[Offer]:
        """Every class of `STORAGE_CLASSES`; transfer syntaxes as `negotiation.STANDARD_ORDER` says."""
        return tuple(Offer(uid, STANDARD_ORDER, stores=True) for uid in STORAGE_CLASSES)

    def handlers(self) -> Sequence[Handler]:
        """None: C-STORE comes through the doors."""
        return ()

    def statuses(self) -> Sequence[StatusMeaning]:
        """Those of `STORE_STATUSES` that are sent."""
        return tuple(
            StatusMeaning(status.code, status.kind, status.meaning) for status in STORE_STATUSES.values() if status.sent
        )

    @property
    def doors(self) -> Doors:
        """How a node that provides this service receives."""
        return self._open, self._answer

    def _open(self, command: StoreCommand, transfer_syntax_uid: str) -> Incoming:
        return Incoming(
            self._intake.spool.incoming,
            self._intake.policy.max_object_bytes,
            command.sop_class_uid,
            command.sop_instance_uid,
            transfer_syntax_uid,
            self._intake.policy.min_free_bytes,
        )

    def _answer(self, arrival: StoreArrival) -> StoreAnswer:
        try:
            if (other := self._others.get(arrival.abstract_syntax)) is not None:
                return other(arrival, self._gate.caller(arrival.association))
            return self._store(arrival)
        except Exception as error:  # whatever it is, the sender gets an answer and the listener lives
            # not acknowledged: the sender keeps the object
            LOG.error("an object could not be stored: %s", type(error).__name__)
            return _refused(refusal_of(error), self._gate.caller(arrival.association))

    def _store(self, arrival: StoreArrival) -> StoreAnswer:
        incoming, command = arrival.incoming, arrival.command
        if incoming.failure is not None:
            raise incoming.failure
        peer = self._gate.caller(arrival.association)
        if incoming.too_large:
            return _refused(_TOO_LARGE, peer)
        request = arrival.association.requestor.primitive
        reception = self._intake.receive(
            incoming.path,
            peer.name if peer else "",
            dataset_digest=incoming.dataset_digest,
            command_sop_class_uid=command.sop_class_uid,
            command_sop_instance_uid=command.sop_instance_uid,
            context_sop_class_uid=arrival.abstract_syntax,
            may_store=peer is not None and PeerRole.SOURCE in peer.roles,
            cohort=CohortKey.of(request.calling_ae_title, request.called_ae_title),
        )
        admission = reception.admission
        if not admission.accepted:
            return _refused(admission, peer)
        if self._on_reception is not None:
            self._on_reception(reception)
        return StoreAnswer(admission.status)


def _refused(admission: Admission, peer: Peer | None) -> StoreAnswer:
    """Every failure is logged, without anything of the object (R4.126)."""
    LOG.warning(
        "an object of %s was refused with 0x%04X: %s", peer.name if peer else "?", admission.status, admission.comment
    )
    return StoreAnswer(admission.status, admission.comment, admission.offending_element)
