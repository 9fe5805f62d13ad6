"""Query/Retrieve of an installation: the services over spool, ledger and results, and what keeps their catalogue.

Who may query and retrieve has the role QUERY; without such a peer nothing of this is offered and no catalogue
is made. Any peer with host and port can be a move destination.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reread.connectors.catalogue import Catalogue
from reread.connectors.catalogue_feeds import Feed, ReceivedFeed, WrittenFeed
from reread.connectors.catalogue_keeper import CatalogueKeeper
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.ledger_holdings import Holdings
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.query_service import QueryService
from reread.connectors.retrieve_service import GetService, MoveService, Retrieval
from reread.connectors.services import Service
from reread.connectors.spool import Spool

CATALOGUE_FILE = "catalogue.sqlite"
"""in the spool folder"""


class QueryRetrieve:
    """Query and retrieve services; `start` and `stop` their catalogue's keeper.

    Parameters
    ----------
    ae_title
        Ours: in Retrieve AE Title, and calling in C-MOVE sub-operations.
    peers
        Who may be a move destination, and who of them may ask.
    gate
        Knows who asks.
    spool, ledger
        What was received.
    data
        What paths of our own results are relative to; None leaves results out.
    """

    def __init__(
        self,
        ae_title: str,
        peers: Sequence[Peer],
        gate: Gatekeeper,
        spool: Spool,
        ledger: Holdings,
        data: Path | None = None,
    ) -> None:
        self.services: tuple[Service, ...] = ()
        self._keeper: CatalogueKeeper | None = None
        self._catalogue: Catalogue | None = None
        if not any(PeerRole.QUERY in peer.roles for peer in peers):
            return

        def may_ask(association: Any) -> bool:
            caller = gate.caller(association)
            return caller is not None and PeerRole.QUERY in caller.roles

        feeds: list[Feed] = [ReceivedFeed(ledger, spool.root)]
        if data is not None:
            feeds.append(WrittenFeed(ledger, data))
        self._catalogue = Catalogue(spool.root / CATALOGUE_FILE, feeds)
        self._keeper = CatalogueKeeper(self._catalogue)
        retrieval = Retrieval(self._catalogue, ae_title, may_ask, spool.part)
        self.services = (
            QueryService(self._catalogue, ae_title, may_ask),
            MoveService(retrieval, peers),
            GetService(retrieval),
        )

    def start(self) -> None:
        """Begin to keep the catalogue."""
        if self._keeper is not None:
            self._keeper.start()

    def stop(self) -> None:
        """End it, and close the catalogue until it is asked again."""
        if self._keeper is not None and self._catalogue is not None:
            self._keeper.stop()
            self._catalogue.close()
