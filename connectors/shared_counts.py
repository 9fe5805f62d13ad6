"""Numbers that the processes of a listener share: how many associations and connections each of them has."""

from __future__ import annotations

import time
from typing import Any

_LOOK_AGAIN_S = 0.02


class SharedSlots:
    """Places for associations of all processes together; a `Slots`.

    Parameters
    ----------
    counts
        A shared array of integers, one for each process.
    index
        Which of them is ours.
    limit
        How many places there are in all.
    """

    def __init__(self, counts: Any, index: int, limit: int) -> None:
        if limit < 1:
            raise ValueError("no place at all")
        self._counts = counts
        self._index = index
        self._limit = limit

    @property
    def taken(self) -> int:
        """How many are in use, in all processes."""
        with self._counts.get_lock():
            return sum(self._counts)

    def acquire(self, timeout_s: float) -> bool:
        """Take a place, waiting at most so long; False if there is none."""
        until = time.monotonic() + timeout_s
        while True:
            with self._counts.get_lock():
                if sum(self._counts) < self._limit:
                    self._counts[self._index] += 1
                    return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _LOOK_AGAIN_S))

    def release(self) -> None:
        """Give a place back."""
        with self._counts.get_lock():
            if self._counts[self._index] == 0:
                raise RuntimeError("more places were given back than taken")
            self._counts[self._index] -= 1


class Loads:
    """Open connections of each process, so that the one with the fewest accepts the next.

    Parameters
    ----------
    counts
        A shared array of integers, one for each process.
    index
        Which of them is ours.
    """

    def __init__(self, counts: Any, index: int) -> None:
        self._counts = counts
        self._index = index

    def opened(self) -> None:
        """One more of ours."""
        with self._counts.get_lock():
            self._counts[self._index] += 1

    def closed(self) -> None:
        """One less of ours."""
        with self._counts.get_lock():
            self._counts[self._index] -= 1

    def is_ours(self) -> bool:
        """Whether no other process has fewer."""
        with self._counts.get_lock():
            return bool(self._counts[self._index] <= min(self._counts))
