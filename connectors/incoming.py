"""The file that an object is received into: bounded, digested on the way, gone if it does not become whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import struct
from pathlib import Path

from reread.connectors.digests import data_set_digest
from reread.connectors.disk_writing import begin_writing
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_FLUSH_BYTES = 1 << 21
_PREAMBLE = bytes(128) + b"DICM"


class Incoming:
    """A Part 10 file in the making.

    Parameters
    ----------
    folder
        The spool's incoming folder: one file system with the objects, so that adoption is a rename.
    max_bytes
        What comes after is counted and forgotten.
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        For the file meta information; as the command and the context say.
    min_free_bytes
        With less free space than this the rest is forgotten: several large objects at once never fill the disk.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        min_free_bytes: int = 0,
    ) -> None:
        self.path = folder / f"{os.getpid()}-{secrets.token_hex(8)}.part"
        self.too_large = False
        self.failure: OSError | None = None
        """what the disk said; the answer to the sender says it on"""
        self._left = max_bytes
        self._min_free = min_free_bytes
        self._written = self._flushed = 0
        self._digest = data_set_digest(transfer_syntax_uid)
        try:
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            self.failure = error
            self._file = Path(os.devnull).open("wb", buffering=0)  # noqa: SIM115
        self._write(_PREAMBLE + file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid))

    def write_all(self, block: memoryview) -> None:
        """Write, or forget the block if the object grew over its bound or the disk refused before.

        An error is kept, not raised: the rest of the message has to be read before it can be answered.
        """
        self._left -= len(block)
        if self._left < 0:
            self.too_large = True
        if not self.too_large and self.failure is None:
            self._write(block)
            self._digest.update(block)

    def _write(self, block: bytes | memoryview) -> None:
        try:
            view = memoryview(block)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.failure = error
            return
        self._written += len(block)
        if self._written - self._flushed >= _FLUSH_BYTES:
            begin_writing(self._file.fileno(), self._flushed, self._written - self._flushed)
            self._flushed = self._written
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < self._min_free:
                self.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close; its content may still be in the operating system's cache, on its way to the disk."""
        if self._file.closed:
            return
        try:
            begin_writing(self._file.fileno(), self._flushed, self._written - self._flushed)
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error

    def discard(self) -> None:
        """Close and remove."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    @property
    def dataset_digest(self) -> str:
        """BLAKE3 of the transfer syntax and the data set as received, lower-case hex."""
        return self._digest.hexdigest()


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """File Meta Information (PS3.10 7.1), Explicit VR Little Endian, with its group length."""
    elements = b"".join(
        (
            struct.pack("<HH2s2xI", 2, 0x0001, b"OB", 2) + b"\0\1",
            _ui(0x0002, sop_class_uid),
            _ui(0x0003, sop_instance_uid),
            _ui(0x0010, transfer_syntax_uid),
            _ui(0x0012, IMPLEMENTATION_CLASS_UID),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode(), b" "),
        )
    )
    return struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


def _ui(element: int, uid: str) -> bytes:
    return _short(element, b"UI", uid.encode("ascii", "replace"), b"\0")


def _short(element: int, representation: bytes, value: bytes, pad: bytes) -> bytes:
    value = value + pad if len(value) % 2 else value
    return struct.pack("<HH2sH", 2, element, representation, len(value)) + value
