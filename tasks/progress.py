"""How far the work is, for whoever watches: the command line shows a bar, a service shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watcher = Callable[[str, int, int], None]
"""Called with the step in words, how much is done and how much there is."""

_watchers: list[Watcher] = []


def report_progress(step: str, done: int, total: int) -> None:
    """Tell the watchers of this process; cheap when nobody watches."""
    for watcher in _watchers:
        watcher(step, done, total)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` hear everything that happens in the block, from every thread of this process."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
