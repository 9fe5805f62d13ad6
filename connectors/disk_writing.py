"""Telling the disk early what it will be told to keep: so that the wait for it at the end is short."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_SYNC_FILE_RANGE_WRITE = 2


def _begin() -> Callable[[int, int, int], None]:
    """`sync_file_range` of Linux, which begins to write and does not wait; nothing where there is none."""
    if sys.platform != "linux":
        return lambda descriptor, offset, count: None
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return lambda descriptor, offset, count: None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

    def begin(descriptor: int, offset: int, count: int) -> None:
        function(descriptor, offset, count, _SYNC_FILE_RANGE_WRITE)  # a hint: whether it was heard does not matter

    return begin


begin_writing = _begin()
"""Begin to write these bytes of a file to the disk: descriptor, offset, count. A hint; only fsync makes durable."""
