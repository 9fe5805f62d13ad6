"""Where the catalogue learns of objects: the ledger (received, written by us) or a folder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from reread.connectors.ledger_holdings import Holding, Holdings


class Feed(Protocol):
    """A numbered list of objects that grows at its end."""

    @property
    def name(self) -> str:
        """Short; names the mark in the catalogue."""
        ...

    @property
    def root(self) -> Path:
        """What paths are relative to."""
        ...

    def last(self) -> int:
        """The highest number; 0 if there is none."""
        ...

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        """The next objects, and the number to go on from."""
        ...

    def withdrawn_count(self) -> int:
        """How many have been taken back since they were listed."""
        ...

    def withdrawn(self) -> Sequence[int]:
        """Their numbers."""
        ...

    def path_now(self, number: int) -> str | None:
        """Where the object is now, if it is elsewhere than it was; None if it is gone."""
        ...


class ReceivedFeed:
    """What was received: instances of the ledger, neither conflicts nor rejected ones."""

    name = "received"

    def __init__(self, ledger: Holdings, spool: Path) -> None:
        self._ledger = ledger
        self.root = spool

    def last(self) -> int:
        return self._ledger.last_instance()

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        return self._ledger.instances_after(number, limit)

    def withdrawn_count(self) -> int:
        return self._ledger.count_rejected_instances()

    def withdrawn(self) -> Sequence[int]:
        return self._ledger.rejected_instances()

    def path_now(self, number: int) -> str | None:
        return self._ledger.instance_path_of(number)


class WrittenFeed:
    """What we wrote ourselves: results, relative to the data folder."""

    name = "written"

    def __init__(self, ledger: Holdings, data: Path) -> None:
        self._ledger = ledger
        self.root = data

    def last(self) -> int:
        return self._ledger.last_result()

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        return self._ledger.results_after(number, limit)

    def withdrawn_count(self) -> int:
        return 0

    def withdrawn(self) -> Sequence[int]:
        return ()

    def path_now(self, number: int) -> str | None:
        return None


class FolderFeed:
    """The files of a folder, as they are found at first, and those that are added later; for one process."""

    name = "folder"

    def __init__(self, folder: Path, paths: Sequence[Path] = ()) -> None:
        self.root = folder
        self._lock = threading.Lock()
        self._paths = [path.relative_to(folder).as_posix() for path in paths]

    def add(self, path: Path) -> None:
        """One more file."""
        with self._lock:
            self._paths.append(path.relative_to(self.root).as_posix())

    def last(self) -> int:
        with self._lock:
            return len(self._paths)

    def after(self, number: int, limit: int) -> tuple[Sequence[Holding], int]:
        with self._lock:
            paths = self._paths[number : number + limit]
        return tuple(Holding(number + at, path) for at, path in enumerate(paths, 1)), number + len(paths)

    def withdrawn_count(self) -> int:
        return 0

    def withdrawn(self) -> Sequence[int]:
        return ()

    def path_now(self, number: int) -> str | None:
        return None
