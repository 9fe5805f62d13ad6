"""The digest of an object as it came: BLAKE3 of the transfer syntax, a zero byte and the data set.

SHA-256 takes longer than receiving and writing together; BLAKE3 a quarter of its time, and is as sure.
"""

from __future__ import annotations

from blake3 import blake3


def data_set_digest(transfer_syntax_uid: str) -> blake3:
    """A digest to `update` with the data set; its `hexdigest` has 64 digits."""
    return blake3(transfer_syntax_uid.encode() + b"\0")
