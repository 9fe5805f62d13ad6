"""SHA-256 of a stream, beside whatever else is done with it.

The digest of a mammogram takes as long as receiving and writing it together. For all but small streams it is
made in a thread of its own; `update` hands the block over and returns.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable

_ALONE_BYTES = 1 << 20
"""below this a second thread costs more than it gains"""


class Digest:
    """A SHA-256.

    Parameters
    ----------
    prefix
        Digested first.
    """

    def __init__(self, prefix: bytes = b"") -> None:
        self._sha256 = hashlib.sha256(prefix)
        self._seen = 0
        self._blocks: queue.SimpleQueue[tuple[memoryview, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def update(self, block: memoryview, done: Callable[[], None]) -> None:
        """Digest one more block; it must not change until `done` was called, here or in another thread."""
        self._seen += len(block)
        if self._seen <= _ALONE_BYTES:
            self._sha256.update(block)
            done()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._digest, name="digest", daemon=True)
            self._thread.start()
        self._blocks.put((block, done))

    def hexdigest(self) -> str:
        """Of all blocks, lower-case hex; nothing may be added after."""
        self.close()
        return self._sha256.hexdigest()

    def close(self) -> None:
        """Let the thread end; may be called often."""
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None

    def _digest(self) -> None:
        while (item := self._blocks.get()) is not None:
            block, done = item
            self._sha256.update(block)
            done()
