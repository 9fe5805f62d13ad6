"""The DICOM nodes that we know: nobody else is answered or asked (R1.55, R4.86)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reread.analytics.errors import SettingsInvalid


class PeerRole(StrEnum):
    """What a peer is used for."""

    SOURCE = "source"
    """may send to us and is polled"""
    DESTINATION = "destination"
    """gets our results"""


@dataclass(frozen=True, slots=True)
class Peer:
    """One DICOM node.

    Parameters
    ----------
    name
        Our short name for it; stands in the ledger, in routes and in logs.
    ae_title
        Its AE title, 1 to 16 characters (PS3.5 6.2, AE).
    host, port
        Where it listens.
    roles
        What it is used for.
    commits
        Whether storage commitment is asked of it after a send (R1.455, R4.228).

    Raises
    ------
    SettingsInvalid
        If the AE title or the port cannot be used.
    """

    name: str
    ae_title: str
    host: str
    port: int
    roles: frozenset[PeerRole] = frozenset(PeerRole)
    commits: bool = True

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        if not 0 <= self.port <= 65535:
            raise SettingsInvalid(f"peer {self.name}: port {self.port} is not in 0 to 65535")


def check_ae_title(title: str) -> str:
    """Give the title back if it is one (PS3.5 6.2: at most 16 characters, no backslash or control character)."""
    if not 1 <= len(title) <= 16 or title != title.strip() or "\\" in title or not title.isascii():
        raise SettingsInvalid(f"{title!r} is not an AE title: 1 to 16 ASCII characters, no backslash, no outer spaces")
    if not title.isprintable():
        raise SettingsInvalid("an AE title may not hold control characters")
    return title
