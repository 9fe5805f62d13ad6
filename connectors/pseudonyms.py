"""Keyed pseudonyms: the ledger and the tables know women only by these."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from reread.analytics.errors import SettingsInvalid

KEY_BYTES = 32


class Pseudonyms:
    """Turns a patient identity into a pseudonym that only the holder of the key can make again.

    Parameters
    ----------
    key
        At least 32 random bytes. Losing the key cuts the link between old and new studies of a woman.

    Raises
    ------
    SettingsInvalid
        If the key is shorter.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise SettingsInvalid(f"the pseudonym key has {len(key)} bytes, {KEY_BYTES} are needed")
        self._key = key

    @classmethod
    def load_or_create(cls, path: Path) -> Pseudonyms:
        """Read the key file, or make one of 32 random bytes that only its owner can read (mode 0600).

        Several processes may call this at the same time: all of them end up with the same key.
        """
        try:
            return cls(path.read_bytes())
        except FileNotFoundError:
            pass
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # unlike a rename, a link never replaces a key that another process made meanwhile
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        return cls(path.read_bytes())

    def woman(self, patient_identity: str) -> str:
        """First 16 hex digits of the HMAC-SHA256 of the identity (Patient ID and its issuer)."""
        return hmac.new(self._key, patient_identity.encode("utf-8"), hashlib.sha256).hexdigest()[:16]
