"""One C-FIND, C-MOVE or C-GET request and its answers: our own serving of the three, bound to pynetdicom.

pynetdicom's Query/Retrieve SCP takes only data sets in memory for its sub-operations, writes every object
anew, stops when the requester goes away, and writes texts that may name a patient into its log. Here its
service class hands requests to the service whose handler is bound on the association; what has another
handler is served by pynetdicom as before. The names of it that are used are checked when this module is
imported.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol, runtime_checkable

import pynetdicom
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.service_class import QueryRetrieveServiceClass

from reread.connectors.pacing import pace

LOG = logging.getLogger(__name__)

UNABLE_TO_PROCESS = 0xC000
_LISTEN_S = 0.001
_MOST = 0xFFFF
"""the counters are of VR US"""


@dataclass(slots=True)
class SubOperations:
    """The counters of a retrieval (PS3.7 table 9.1-2)."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0


class Exchange:
    """One request; `answer` may be called until it has given a final status."""

    def __init__(self, service_class: Any, request: Any, context: Any) -> None:
        self._service_class = service_class
        self._request = request
        self._context_id = context.context_id
        self.association = service_class.assoc
        self.sop_class_uid = str(context.abstract_syntax)
        self.transfer_syntax_uid = str(context.transfer_syntax[0])
        self.identifier: bytes = request.Identifier.getvalue() if request.Identifier is not None else b""
        self.message_id = int(request.MessageID)
        self.caller = str(self.association.requestor.ae_title).strip()
        self._pace = pace(self.association)
        self.destination = str(getattr(request, "MoveDestination", "") or "").strip()

    @property
    def cancelled(self) -> bool:
        """Whether a C-CANCEL for this request has come; true once."""
        return bool(self._service_class.is_cancelled(self.message_id))

    @property
    def abandoned(self) -> bool:
        """Whether the requester has aborted or its connection is gone."""
        return bool(self.association.acse.is_aborted() or not self.association.dul.is_alive())

    def listen(self) -> None:
        """Let everything that was answered go out and what has come in be read: a C-CANCEL above all."""
        self._pace.wait(1)
        time.sleep(_LISTEN_S)

    def answer(
        self,
        status: int,
        identifier: bytes | None = None,
        *,
        comment: str = "",
        offending_element: int | None = None,
        counters: SubOperations | None = None,
    ) -> None:
        """Send one response; `identifier` is encoded in the transfer syntax of the request."""
        response = type(self._request)()
        response.MessageID = self.message_id
        response.MessageIDBeingRespondedTo = self.message_id
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        if comment:
            response.ErrorComment = comment[:64]
        if offending_element is not None:
            response.OffendingElement = offending_element
        if identifier is not None:
            response.Identifier = BytesIO(identifier)
        if counters is not None:
            if status in (0xFF00, 0xFE00):  # final responses have no remaining ones
                response.NumberOfRemainingSuboperations = min(counters.remaining, _MOST)
            response.NumberOfCompletedSuboperations = min(counters.completed, _MOST)
            response.NumberOfFailedSuboperations = min(counters.failed, _MOST)
            response.NumberOfWarningSuboperations = min(counters.warning, _MOST)
        self.association.dimse.send_msg(response, self._context_id)


@runtime_checkable
class ExchangeServer(Protocol):
    """A service that serves requests through an `Exchange`."""

    def serve(self, exchange: Exchange) -> None:
        """Answer it, to its final status."""
        ...

    def on_request(self, event: Any) -> None:
        """What is bound to the event; never called."""
        ...


_EVENTS = {C_FIND: evt.EVT_C_FIND, C_MOVE: evt.EVT_C_MOVE, C_GET: evt.EVT_C_GET}
_serve_with_pynetdicom: Callable[[Any, Any, Any], None] = QueryRetrieveServiceClass.SCP


def _serve(self: Any, req: Any, context: Any) -> None:
    """`QueryRetrieveServiceClass.SCP` for associations with one of our services."""
    event = _EVENTS.get(type(req))
    bound = self.assoc.get_handlers(event) if event is not None else None
    server = getattr(bound[0], "__self__", None) if bound else None
    if not isinstance(server, ExchangeServer):
        _serve_with_pynetdicom(self, req, context)
        return
    exchange = Exchange(self, req, context)
    try:
        server.serve(exchange)
    except ConnectionError:
        LOG.warning("the requester of a query or retrieval has gone")
    except Exception as error:  # whatever it is, the requester gets an answer, and no text that names a patient
        LOG.error("a query or retrieval failed: %s", type(error).__name__)
        exchange.answer(UNABLE_TO_PROCESS, comment="unable to process")
    finally:
        # the peer was silent because we were busy; the reactor would take it for idle
        self.assoc.dul._idle_timer.restart()


def _check() -> None:
    wanted = (
        (QueryRetrieveServiceClass.SCP, ["self", "req", "context"]),
        (QueryRetrieveServiceClass.is_cancelled, ["self", "msg_id"]),
        (DIMSEServiceProvider.send_msg, ["self", "primitive", "context_id"]),
        (Association.get_handlers, ["self", "event"]),
    )
    for function, parameters in wanted:
        if list(inspect.signature(function).parameters) != parameters:  # pragma: no cover
            raise ImportError(
                f"pynetdicom {pynetdicom.__version__} serves queries differently: {function.__qualname__}"
            )
    names = ("ErrorComment", "OffendingElement", "Identifier", "Status", "MessageIDBeingRespondedTo")
    for primitive in _EVENTS:
        if not all(hasattr(primitive(), name) for name in names):  # pragma: no cover
            raise ImportError(f"pynetdicom {pynetdicom.__version__} answers queries differently")


_check()
QueryRetrieveServiceClass.SCP = _serve  # type: ignore[method-assign]
