"""How many associations may be open at the same time."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Slots(Protocol):
    """A number of places; one for each open association."""

    def acquire(self, timeout_s: float) -> bool:
        """Take a place, waiting at most so long; False if there is none."""
        ...

    def release(self) -> None:
        """Give a place back."""
        ...


class ProcessSlots:
    """Places of this process.

    Parameters
    ----------
    count
        How many there are, at least one.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError("no place at all")
        self._count = count
        self._taken = 0
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """How many are in use."""
        with self._changed:
            return self._taken

    def acquire(self, timeout_s: float) -> bool:
        """Take a place, waiting at most so long; False if there is none."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while self._taken >= self._count:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if self._taken < self._count:
                        break
                    return False
            self._taken += 1
            return True

    def release(self) -> None:
        """Give a place back (RuntimeError if none is taken)."""
        with self._changed:
            if self._taken == 0:
                raise RuntimeError("more places were given back than taken")
            self._taken -= 1
            self._changed.notify()
