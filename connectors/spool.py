"""The spool: every byte that arrived, as it arrived.

::

    incoming/                             what is being received; emptied at start
    objects/ab/<study>/<uid>.<digest>.dcm   DICOM objects, Part 10; a folder for each study, named by the
                                            SHA-256 of its UID
    rejected/ab/<digest>.<name>             files that cannot be used; nothing is lost

A name holds the digest of the data set, so another object under the same UID gets another file and the
same object twice the same one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason

_UID_GRAMMAR = re.compile(r"[0-9.]{1,64}")
_HAS_DIGIT = re.compile(r"[0-9]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the spool."""

    path: str
    """relative to the root of the spool"""
    size_bytes: int
    digest: str
    """SHA-256, lower-case hex: of the data set of an object, of the whole of a rejected file"""


def check_uid(uid: str) -> str:
    """Give the UID back if it can be one (PS3.5 9.1, tolerant of leading zeros, which some senders write).

    Raises
    ------
    NotDicom
        If it holds anything but digits and dots, no digit, or more than 64 characters: it never names a file.
    """
    if not _UID_GRAMMAR.fullmatch(uid) or not _HAS_DIGIT.search(uid):
        raise NotDicom(Reason.NOT_DICOM, "a UID that is not 1 to 64 digits and dots")
    return uid


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Spool:
    """A folder of received objects.

    Parameters
    ----------
    root
        Made if it does not exist. One file system, so that a received file is renamed, never copied.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self._objects = root / "objects"
        self._rejected = root / "rejected"
        for folder in (self.incoming, self._objects, self._rejected):
            folder.mkdir(parents=True, exist_ok=True)

    def clear_incoming(self, process_id: int | None = None) -> int:
        """Remove half-received files of processes that died, or of that one; returns how many.

        What a living process of another command (an import) is copying stays.
        """
        removed = 0
        for path in self.incoming.iterdir():
            owner, _, _ = path.name.partition("-")
            if process_id is not None:
                ended = owner == str(process_id)
            else:  # our own number can only be left from an earlier life (in a container it is always 1)
                ended = not owner.isdigit() or int(owner) == os.getpid() or not _is_alive(int(owner))
            if ended:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def part(self) -> Path:
        """A fresh name in the incoming folder."""
        return self.incoming / f"{os.getpid()}-{secrets.token_hex(8)}.part"

    def adopt(self, part: Path, study_instance_uid: str, sop_instance_uid: str, digest: str) -> Stored:
        """Make a complete file in the incoming folder a durable object of the spool.

        When this returns, bytes and name are on the disk. `digest` is that of the data set.

        Raises
        ------
        NotDicom
            If the UID may not name a file.
        OSError
            If the disk refuses.
        """
        uid = check_uid(sop_instance_uid)
        study = hashlib.sha256(study_instance_uid.encode()).hexdigest()[:32]
        return self._place(part, self._objects / study[:2] / study / f"{uid}.{digest[:16]}.dcm", digest)

    def adopt_rejected(self, part: Path, name: str) -> Stored:
        """Keep a file that cannot be used; `name` is only a hint for the person who looks."""
        digest = sha256_of(part)
        # a name that a person gave to a file may name a patient: keep its ending only
        ending = _UNSAFE.sub("_", Path(name).suffix)[:16]
        return self._place(part, self._rejected / digest[:2] / f"{digest}{ending}", digest)

    def copy_in(self, source: Path) -> Path:
        """Copy a foreign file into the incoming folder (not yet durable); returns its path there."""
        part = self.part()
        try:
            with source.open("rb") as reader, part.open("xb") as writer:
                shutil.copyfileobj(reader, writer, _BLOCK_BYTES)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return part

    def resolve(self, relative: str) -> Path:
        """The file behind a path of the ledger (ValueError if it would leave the spool)."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError("a path that leaves the spool")
        return path

    def holds(self, relative: str) -> bool:
        """Whether the file is there."""
        return self.resolve(relative).is_file()

    def discard(self, relative: str) -> None:
        """Remove a file that the ledger does not need (the second copy of a duplicate)."""
        self.resolve(relative).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free space of the spool's file system."""
        return shutil.disk_usage(self.root).free

    def _place(self, part: Path, target: Path, digest: str) -> Stored:
        size_bytes = part.stat().st_size
        folder = target.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            for parent in (folder.parent, folder.parent.parent):
                sync_folder(parent)
        # the rename first: the commit of the journal that makes the bytes durable takes the name with it
        part.replace(target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(folder)
        return Stored(target.relative_to(self.root).as_posix(), size_bytes, digest)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    except OverflowError:
        return False
    return True
