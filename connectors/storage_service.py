"""Storage SCP: an object is durable on the disk and booked in the ledger before 0x0000 is answered.

Nothing is decoded here: the receiver only receives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from reread.analytics.errors import LedgerError
from reread.connectors.admission import OUT_OF_RESOURCES, WILL_NOT_PROCESS
from reread.connectors.command_set import StoreCommand
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.inbound import Doors
from reread.connectors.incoming import Incoming
from reread.connectors.intake import Intake, Reception
from reread.connectors.peers import PeerRole
from reread.connectors.services import Handler, Offer, StatusMeaning
from reread.connectors.store_lane import StoreAnswer, StoreArrival

LOG = logging.getLogger(__name__)

_NO_RESOURCES = StoreAnswer(OUT_OF_RESOURCES, "Out of resources")
_TOO_LARGE = StoreAnswer(WILL_NOT_PROCESS, "the object is larger than this server takes")
_PROCESSING_FAILURE = StoreAnswer(0x0110, "internal error")


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
    """

    name = "Storage"

    def __init__(
        self, intake: Intake, gate: Gatekeeper, on_reception: Callable[[Reception], None] | None = None
    ) -> None:
        self._intake = intake
        self._gate = gate
        self._on_reception = on_reception

    def offers(self) -> Sequence[Offer]:
        return ()

    def handlers(self) -> Sequence[Handler]:
        return ()

    def statuses(self) -> Sequence[StatusMeaning]:
        return ()

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
        )

    def _answer(self, arrival: StoreArrival) -> StoreAnswer:
        try:
            return self._store(arrival)
        except (OSError, LedgerError) as error:
            # not acknowledged: the sender keeps the object and tries again
            LOG.error("an object could not be stored: %s", type(error).__name__)
            return _NO_RESOURCES
        except Exception as error:  # whatever it is, the sender gets an answer and the listener lives
            LOG.error("an object could not be stored: %s", type(error).__name__)
            return _PROCESSING_FAILURE

    def _store(self, arrival: StoreArrival) -> StoreAnswer:
        incoming, command = arrival.incoming, arrival.command
        if incoming.failure is not None:
            raise incoming.failure
        if incoming.too_large:
            return _TOO_LARGE
        peer = self._gate.peer(str(arrival.association.requestor.ae_title))
        reception = self._intake.receive(
            incoming.path,
            peer.name if peer else "",
            dataset_digest=incoming.dataset_digest,
            command_sop_class_uid=command.sop_class_uid,
            command_sop_instance_uid=command.sop_instance_uid,
            may_store=peer is not None and PeerRole.SOURCE in peer.roles,
        )
        admission = reception.admission
        if not admission.accepted:
            LOG.warning("refused with 0x%04X: %s", admission.status, admission.comment)
            return StoreAnswer(admission.status, admission.comment, admission.offending_element)
        if self._on_reception is not None:
            self._on_reception(reception)
        return StoreAnswer(admission.status)
