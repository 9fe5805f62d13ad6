"""What a DICOM service offers: the one table that is negotiated from, answered from and printed.

A node (`node.py`) negotiates each association from the offers of its services and binds their handlers; the
conformance statement prints the same offers and statuses, so it cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""Explicit before Implicit VR Little Endian (R4.88)."""

Handler = tuple[Any, Callable[..., Any]]
"""A pynetdicom event and what answers it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One abstract syntax that we accept.

    `peer_scu` and `peer_scp` answer SCP/SCU role selection (PS3.7 D.3.3.4) when the peer proposes it; None
    leaves the default roles: the peer is SCU, we are SCP.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = UNCOMPRESSED
    """in our order of preference (R0.57)"""
    peer_scu: bool | None = None
    peer_scp: bool | None = None
    stores: bool = False
    """objects come in by it: accepted from sources only, in the order of transfer syntaxes of the caller"""


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """One status that a service answers."""

    code: int
    kind: str
    """success, pending, warning, refused, failure or cancel"""
    meaning: str
    """when it is sent, one sentence without full stop"""


class Service(Protocol):
    """A service class that a node provides."""

    @property
    def name(self) -> str:
        """As the conformance statement calls it."""
        ...

    def offers(self) -> Sequence[Offer]:
        """All that may be accepted; an association gets of it what it proposes (`negotiation.py`).

        Several services may have a part in one abstract syntax, for example as SCP and as SCU of it.
        """
        ...

    def handlers(self) -> Sequence[Handler]:
        """What answers; no two services of a node bind the same intervention event."""
        ...

    def statuses(self) -> Sequence[StatusMeaning]:
        """Everything that it may answer."""
        ...
