"""Several processes that receive on one port: one interpreter lock alone would serve one core.

The listening socket is made once and inherited; whoever has the fewest connections accepts the next. The
processes share the spool and the ledger, and the number of places for associations. One that dies takes its
own associations with it and is started again.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reread.analytics.errors import RereadError
from reread.connectors.ledger import open_ledger
from reread.connectors.listener import Listener, ListenerSettings, SharedPort
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.shared_counts import Loads, SharedSlots
from reread.connectors.spool import Spool

LOG = logging.getLogger(__name__)

_BACKLOG = 128
_START_S, _STOP_S, _RESTART_S = 60.0, 15.0, 1.0


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a listener process finds its stores."""

    spool: Path
    ledger_url: str
    pseudonym_key: Path


@dataclass(frozen=True, slots=True)
class _Counts:
    """Shared arrays with one number for each process."""

    associations: Any
    connections: Any
    of_peer: dict[str, Any]

    def forget(self, index: int) -> None:
        """A process ended with all that it had."""
        for counts in (self.associations, self.connections, *self.of_peer.values()):
            counts[index] = 0


class ListenerPool:
    """Receives in `processes` processes; use it as a context manager or with `start` and `stop`.

    Parameters
    ----------
    settings
        As for one `Listener`; `max_associations` holds for all processes together.
    premises
        Spool, ledger and key; they exist.
    processes
        How many, at least one.
    prepare
        Called first in each process (to set up its logs); must be importable.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        premises: Premises,
        processes: int,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._premises = premises
        self._prepare = prepare
        # the server of the forks imports once, and its children share that memory
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        limited = [peer.name for peer in settings.peers if peer.max_associations]
        self._counts = _Counts(
            self._context.Array("i", processes),
            self._context.Array("i", processes),
            {name: self._context.Array("i", processes) for name in limited},
        )
        self._count = processes
        self._listening: socket.socket | None = None
        self._processes: list[tuple[ForkServerProcess, Connection]] = []
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        if self._listening is None:
            raise RuntimeError("the listener is not started")
        return int(self._listening.getsockname()[1])

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the processes that receive now."""
        return tuple(process.pid for process, _ in self._processes if process.pid is not None)

    def start(self) -> None:
        """Listen, and come back when every process does.

        Raises
        ------
        OSError
            The port is taken.
        RereadError
            A process did not come up.
        """
        Spool(self._premises.spool).clear_incoming()
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        self._listening = socket.create_server(
            (self._settings.host, self._settings.port), family=family, backlog=_BACKLOG
        )
        self._listening.setblocking(False)
        try:
            self._processes = [self._spawn(index) for index in range(self._count)]
            for _, line in self._processes:
                if not line.poll(_START_S) or not _said_ready(line):
                    raise RereadError("a listener process did not start; its log says why")
        except BaseException:
            self.stop()
            raise
        self._watch = threading.Thread(target=self._watch_over, name="listener processes", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """Abort what is open and end all processes; what was acknowledged is safe."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join()
        for _, line in self._processes:
            line.close()
        for process, _ in self._processes:
            process.join(_STOP_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._processes = []
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _spawn(self, index: int) -> tuple[ForkServerProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_receive,
            args=(
                self._settings,
                self._premises,
                self._listening,
                self._counts,
                index,
                theirs,
                self._prepare,
            ),
            name=f"reread listener {index}",
            daemon=True,
        )
        process.start()
        theirs.close()
        return process, ours

    def _watch_over(self) -> None:
        while not self._stopping.is_set():
            wait([process.sentinel for process, _ in self._processes], timeout=0.5)
            for index, (process, line) in enumerate(self._processes):
                if process.is_alive() or self._stopping.is_set():
                    continue
                LOG.error("a listener process ended with %s; it is started again", process.exitcode)
                line.close()
                if process.pid is not None:
                    Spool(self._premises.spool).clear_incoming(process.pid)
                self._counts.forget(index)
                self._stopping.wait(_RESTART_S)
                self._processes[index] = self._spawn(index)


def _said_ready(line: Connection) -> bool:
    try:
        return bool(line.recv())
    except EOFError:
        return False


def _receive(
    settings: ListenerSettings,
    premises: Premises,
    listening: socket.socket,
    counts: _Counts,
    index: int,
    line: Connection,
    prepare: Callable[[], None] | None,
) -> None:
    """One process: receive until the other end of the line is closed, by the parent or by its death."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C and systemd reach the whole group; the parent ends us in order
    if prepare is not None:
        prepare()
    spool, pseudonyms = Spool(premises.spool), Pseudonyms.load_or_create(premises.pseudonym_key)
    with (
        open_ledger(premises.ledger_url) as ledger,
        Listener(
            settings,
            spool,
            ledger,
            pseudonyms,
            shared=SharedPort(
                listening,
                SharedSlots(counts.associations, index, settings.max_associations),
                lambda peer: SharedSlots(counts.of_peer[peer.name], index, peer.max_associations),
                Loads(counts.connections, index),
            ),
        ),
    ):
        gc.freeze()  # what is imported stays: no need to look at it again and again
        # a parent that dies while we start leaves a line without other end, or resets it with our word unread
        with contextlib.suppress(EOFError, ConnectionError):
            line.send(os.getpid())
            line.recv()
