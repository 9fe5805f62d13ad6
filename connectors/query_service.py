"""Query SCP: C-FIND of both information models, all levels, answered from the catalogue (R3.158, R3.159, R4.151)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pynetdicom import evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from reread.analytics.errors import CatalogueBehind, CatalogueError, LedgerError
from reread.connectors.catalogue import Catalogue
from reread.connectors.query_exchange import UNABLE_TO_PROCESS, Exchange
from reread.connectors.query_identifier import (
    CANNOT_UNDERSTAND,
    IDENTIFIER_MISMATCH,
    IdentifierRefused,
    find_answer,
    read_find,
)
from reread.connectors.query_keys import Root
from reread.connectors.services import Handler, Offer, StatusMeaning

LOG = logging.getLogger(__name__)

SUCCESS, PENDING, PENDING_UNSUPPORTED, CANCELLED = 0x0000, 0xFF00, 0xFF01, 0xFE00
OUT_OF_RESOURCES, NOT_AUTHORISED = 0xA700, 0x0124
_ROOTS = {
    PatientRootQueryRetrieveInformationModelFind: Root.PATIENT,
    StudyRootQueryRetrieveInformationModelFind: Root.STUDY,
}
_LISTEN_EVERY = 25
"""answers between two looks for a C-CANCEL"""


class QueryService:
    """C-FIND.

    Parameters
    ----------
    catalogue
        What there is.
    ae_title
        Where it can be retrieved from: ours.
    may_query
        Whether the caller of an association may.
    patience_s
        A query that finds the catalogue behind waits so long for it, then is refused (A700).
    max_results
        Cut answers off after so many, as many archives do; None for no limit.
    """

    name = "Query"

    def __init__(
        self,
        catalogue: Catalogue,
        ae_title: str,
        may_query: Callable[[Any], bool],
        *,
        patience_s: float = 20.0,
        max_results: int | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._ae_title = ae_title
        self._may_query = may_query
        self._patience_s = patience_s
        self._max_results = max_results

    def offers(self) -> Sequence[Offer]:
        """Both information models."""
        return tuple(Offer(model) for model in _ROOTS)

    def handlers(self) -> Sequence[Handler]:
        """One, which leads requests to `serve` (`query_exchange.py`)."""
        return ((evt.EVT_C_FIND, self.on_request),)

    def statuses(self) -> Sequence[StatusMeaning]:
        """All that are answered."""
        return (
            StatusMeaning(SUCCESS, "success", "the query is complete, all matches have been sent"),
            StatusMeaning(PENDING, "pending", "one match, every key of the query is supported"),
            StatusMeaning(
                PENDING_UNSUPPORTED, "pending", "one match; some key of the query is not supported and not answered"
            ),
            StatusMeaning(CANCELLED, "cancel", "the peer cancelled the query; no more matches follow"),
            StatusMeaning(NOT_AUTHORISED, "refused", "the calling AE title is known but may not query"),
            StatusMeaning(
                OUT_OF_RESOURCES, "refused", "the index does not know all that arrived yet; the query can be repeated"
            ),
            StatusMeaning(
                IDENTIFIER_MISMATCH,
                "failure",
                "the Query/Retrieve Level is missing or wrong, a unique key of a level above is missing, or a "
                "value cannot be understood; Offending Element names it",
            ),
            StatusMeaning(
                CANNOT_UNDERSTAND, "failure", "the identifier cannot be read, or the index or ledger does not answer"
            ),
        )

    def on_request(self, event: Any) -> None:
        """Bound to the event so that requests come to `serve`; never called."""
        raise NotImplementedError

    def serve(self, exchange: Exchange) -> None:
        """Answer one C-FIND."""
        if not self._may_query(exchange.association):
            exchange.answer(NOT_AUTHORISED, comment="this AE title may not query")
            return
        try:
            asked = read_find(exchange.identifier, exchange.transfer_syntax_uid, _ROOTS[exchange.sop_class_uid])
            self._catalogue.catch_up(self._patience_s)
            pending = PENDING_UNSUPPORTED if asked.has_unsupported else PENDING
            for number, (values, codes) in enumerate(self._catalogue.find(asked.query)):
                if number % _LISTEN_EVERY == 0:
                    exchange.listen()
                if exchange.cancelled:
                    exchange.answer(CANCELLED)
                    return
                if exchange.abandoned or number == self._max_results:
                    break
                exchange.answer(pending, find_answer(asked, values, codes, self._ae_title))
        except IdentifierRefused as refused:
            exchange.answer(refused.status, comment=refused.comment, offending_element=refused.element)
        except CatalogueBehind as error:
            exchange.answer(OUT_OF_RESOURCES, comment=str(error))
        except (CatalogueError, LedgerError) as error:
            LOG.error("a query could not be answered: %s", error)
            exchange.answer(UNABLE_TO_PROCESS, comment="the index does not answer")
        else:
            exchange.answer(SUCCESS)
