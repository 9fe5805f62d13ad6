"""Who may associate with us (R1.54 to R1.58): checked before anything is negotiated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from reread.connectors.peers import Peer

LOG = logging.getLogger(__name__)

CALLER_UNKNOWN = (1, 1, 3)  # R1.55
CALLED_UNKNOWN = (1, 1, 7)
TOO_MANY = (2, 3, 1)  # R1.56
NO_SPACE = (2, 3, 2)  # R1.54


class Gatekeeper:
    """Answers EVT_REQUESTED with the right rejection (result, source, reason), or not at all.

    Parameters
    ----------
    ae_title
        The only called AE title that is accepted.
    peers
        The only callers.
    max_associations
        At the same time.
    has_space
        Whether anything could be stored.
    """

    def __init__(
        self, ae_title: str, peers: Iterable[Peer], max_associations: int, has_space: Callable[[], bool] = lambda: True
    ) -> None:
        self._ae_title = ae_title
        self._peers = {peer.ae_title: peer for peer in peers}
        self._max = max_associations
        self._has_space = has_space

    def peer(self, ae_title: str) -> Peer | None:
        """The known peer of that AE title."""
        return self._peers.get(ae_title.strip())

    def on_requested(self, event: Any) -> None:
        """Reject what may not come in."""
        request = event.assoc.requestor.primitive
        verdict = self._verdict(str(request.calling_ae_title), str(request.called_ae_title), event.assoc)
        if verdict is not None:
            LOG.warning("association rejected: result %d, source %d, reason %d", *verdict)
            event.assoc.acse.send_reject(*verdict)
            event.assoc.kill()

    def _verdict(self, calling: str, called: str, association: Any) -> tuple[int, int, int] | None:
        if self.peer(calling) is None:
            return CALLER_UNKNOWN
        if called.strip() != self._ae_title:
            return CALLED_UNKNOWN
        active = [other for other in association.ae.active_associations if other.is_acceptor]
        if len(active) > self._max:
            return TOO_MANY
        if not self._has_space():
            return NO_SPACE
        return None
