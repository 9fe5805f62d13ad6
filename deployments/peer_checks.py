"""Whether the peers answer: `reread verify` and the doctor (R0.109, R0.543, R1.59)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reread.analytics.errors import RereadError, SettingsInvalid
from reread.connectors.dimse import DimseArchive
from reread.deployments.settings import Settings
from reread.deployments.site_plan import peers_of

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    name: str
    ok: bool
    text: str


def verify_peers(settings: Settings, names: Sequence[str] = ()) -> Iterator[Check]:
    """C-ECHO to the peers of these names, or to all; one try each (R3.118). Yields as it goes.

    Raises
    ------
    SettingsInvalid
        A name is that of no peer; before anybody is called.
    """
    peers = {peer.name: peer for peer in peers_of(settings)}
    unknown = [name for name in names if name not in peers]
    if unknown:
        known = ", ".join(peers) or "none is configured"
        raise SettingsInvalid(f"{unknown[0]!r} is no peer; the peers are: {known}")
    for name in dict.fromkeys(names or peers):
        peer = peers[name]
        where = f"{peer.ae_title} at {peer.host}:{peer.port}"
        if peer.tls is not None and peer.tls.outgoing:
            where += " (TLS)"
        began = time.monotonic()
        try:
            DimseArchive(peer, settings.ae_title, timeout_s=_PATIENCE_S).echo()
        except RereadError as error:
            yield Check(f"peer {name}", False, f"{where} does not answer C-ECHO: {error}")
        else:
            yield Check(f"peer {name}", True, f"{where} answers C-ECHO in {(time.monotonic() - began) * 1e3:.0f} ms")
