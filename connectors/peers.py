"""The DICOM nodes that we know: nobody else is answered or asked (R1.55, R4.86)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from reread.analytics.errors import SettingsInvalid


class PeerRole(StrEnum):
    """What a peer is used for."""

    SOURCE = "source"
    """may send to us and is polled"""
    DESTINATION = "destination"
    """gets our results"""
    QUERY = "query"
    """may query and retrieve what we hold"""


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How we call a peer over TLS, and whose certificate it has to show when it calls us.

    Without `authorities` those of the operating system are trusted; without `certificate` we show none.
    """

    authorities: Path | None = None
    """PEM file with the certificates of the authorities that may have signed the peer's"""
    certificate: Path | None = None
    """PEM file with our own certificate, and its chain"""
    key: Path | None = None
    """PEM file with our private key, without pass phrase"""
    check_host: bool = True
    """the peer's certificate must name the host that we call"""
    outgoing: bool = True
    """whether it is called over TLS; False: it only has to show its certificate when it calls us"""
    names: tuple[str, ...] = ()
    """when it calls us: one of these must be the common name or an alternative name in its certificate"""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise SettingsInvalid("TLS: a certificate needs its key, and a key its certificate")


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
    check_address
        Whether it may call from the address of `host` only (R4.98, R4.544).
    max_associations
        How many it may have open to us at the same time; 0 for no limit of its own.
    transfer_syntaxes
        What we would rather have of it than our standard order says, most wanted first (R0.57).
    refused_transfer_syntaxes
        What we do not take from it.
    report_on_same_association
        Whether it wants storage commitment results on the association that asked, while that lives (R4.235).
    tls
        None for associations without TLS.

    Raises
    ------
    SettingsInvalid
        If the AE title or the port cannot be used.
    """

    name: str
    ae_title: str
    host: str
    port: int
    roles: frozenset[PeerRole] = frozenset({PeerRole.SOURCE, PeerRole.DESTINATION})
    commits: bool = True
    check_address: bool = True
    max_associations: int = 0
    transfer_syntaxes: tuple[str, ...] = ()
    refused_transfer_syntaxes: tuple[str, ...] = ()
    report_on_same_association: bool = False
    tls: PeerTls | None = None

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
