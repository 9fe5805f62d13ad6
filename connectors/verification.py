"""Verification SCP (PS3.4 annex A): answers whoever may associate (R1.60, R4.138)."""

from __future__ import annotations

from collections.abc import Sequence

from pynetdicom import evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from reread.connectors.services import Handler, Offer, StatusMeaning


class VerificationService:
    """C-ECHO."""

    name = "Verification"

    def offers(self) -> Sequence[Offer]:
        """The Verification SOP class."""
        return (Offer(Verification),)

    def handlers(self) -> Sequence[Handler]:
        """C-ECHO."""
        return ((evt.EVT_C_ECHO, lambda event: 0x0000),)

    def statuses(self) -> Sequence[StatusMeaning]:
        """Success, and no other."""
        return (StatusMeaning(0x0000, "success", "the node is there"),)
