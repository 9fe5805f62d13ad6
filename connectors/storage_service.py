"""Storage SCP: an object is durable on the disk and booked in the ledger before 0x0000 is answered.

Nothing is decoded here: the receiver only receives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt

from reread.analytics.errors import LedgerError
from reread.connectors.admission import OUT_OF_RESOURCES, WILL_NOT_PROCESS, Admission, Disposition
from reread.connectors.chunked import take
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.intake import Intake, Reception
from reread.connectors.peers import PeerRole
from reread.connectors.services import Handler, Offer, StatusMeaning

LOG = logging.getLogger(__name__)

_NO_RESOURCES = Admission(Disposition.REJECTED, OUT_OF_RESOURCES, None, "Out of resources")
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
        return ((evt.EVT_C_STORE, self._on_store),)

    def statuses(self) -> Sequence[StatusMeaning]:
        return ()

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


def _response(admission: Admission) -> Dataset:
    dataset = Dataset()
    dataset.Status = admission.status
    if not admission.accepted:
        dataset.ErrorComment = admission.comment[:64]
        if admission.offending_element is not None:
            dataset.OffendingElement = [admission.offending_element]
    return dataset
