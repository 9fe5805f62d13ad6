"""Keeping the catalogue near to what arrives, so that no query has to wait for it: one thread of a listener."""

from __future__ import annotations

import logging
import threading

from reread.analytics.errors import CatalogueBehind, RereadError
from reread.connectors.catalogue import Catalogue

LOG = logging.getLogger(__name__)

_TURN_S = 1.0
"""so long at a time, then other processes and queries have their turn"""
_PAUSE_S = 0.2


class CatalogueKeeper:
    """Catches up now and then; `start` and `stop`.

    Parameters
    ----------
    catalogue
        Stays open.
    every_s
        Pause between two rounds. Seconds.
    """

    def __init__(self, catalogue: Catalogue, every_s: float = 30.0) -> None:
        self._catalogue = catalogue
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="catalogue", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the turn that it is in."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            pause_s = self._every_s
            try:
                added = self._catalogue.catch_up(_TURN_S)
                if added:
                    LOG.info("%d objects can be queried that could not before", added)
            except CatalogueBehind:
                pause_s = _PAUSE_S
            except RereadError as error:
                LOG.warning("the index for queries cannot be kept: %s", error)
