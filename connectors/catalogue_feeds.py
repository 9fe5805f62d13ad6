"""Where the catalogue learns of objects: the ledger (received, written by us) or a folder."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from reread.connectors.ledger_holdings import Holding, Holdings


class Feed(ABC):
    """A numbered list of objects that grows at its end; numbers begin at 1.

    Parameters
    ----------
    name
        Short; names the mark in the catalogue.
    root
        What paths are relative to.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root

    @abstractmethod
    def last(self) -> int:
        """The highest number; 0 if there is none."""

    @abstractmethod
    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """The next objects, and the number to go on from."""

    def withdrawn_count(self) -> int:
        """How many have been taken back since they were listed."""
        return 0

    def withdrawn(self) -> Sequence[int]:
        """Their numbers."""
        return ()

    def path_now(self, number: int) -> str | None:
        """Where an object is that is not where it was; None if nobody knows."""
        return None


class ReceivedFeed(Feed):
    """What was received: instances of the ledger, neither conflicts nor rejected ones."""

    def __init__(self, ledger: Holdings, spool: Path) -> None:
        super().__init__("received", spool)
        self._ledger = ledger

    def last(self) -> int:
        """The number of the newest instance."""
        return self._ledger.last_instance()

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """The next instances that are held."""
        return self._ledger.instances_after(number, limit)

    def withdrawn_count(self) -> int:
        """How many were rejected later."""
        return self._ledger.count_rejected_instances()

    def withdrawn(self) -> Sequence[int]:
        """Those that were rejected later."""
        return self._ledger.rejected_instances()

    def path_now(self, number: int) -> str | None:
        """Where the ledger has it now: a lost file may have been received again."""
        return self._ledger.instance_path_of(number)


class WrittenFeed(Feed):
    """What we wrote ourselves: results, relative to the data folder."""

    def __init__(self, ledger: Holdings, data: Path) -> None:
        super().__init__("written", data)
        self._ledger = ledger

    def last(self) -> int:
        """The number of the newest result."""
        return self._ledger.last_result()

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """The next results."""
        return self._ledger.results_after(number, limit)


class FolderFeed(Feed):
    """The files of a folder, as they are found at first, and those that are added later; for one process."""

    def __init__(self, folder: Path, paths: Sequence[Path] = ()) -> None:
        super().__init__("folder", folder)
        self._lock = threading.Lock()
        self._paths = [path.relative_to(folder).as_posix() for path in paths]

    def add(self, path: Path) -> None:
        """One more file."""
        with self._lock:
            self._paths.append(path.relative_to(self.root).as_posix())

    def last(self) -> int:
        """How many files there are."""
        with self._lock:
            return len(self._paths)

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """The next files."""
        with self._lock:
            paths = self._paths[number : number + limit]
        return tuple(Holding(number + at, path) for at, path in enumerate(paths, 1)), number + len(paths)
