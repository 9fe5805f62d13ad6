"""A house on loopback for the network tests: spool, ledger, listener."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.listener import Listener, ListenerSettings
from reread.connectors.peers import Peer
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool

POLICY = AdmissionPolicy(min_free_bytes=1 << 20)


@dataclass
class House:
    """What a running node has."""

    spool: Spool
    ledger: Ledger
    listener: Listener
    pseudonyms: Pseudonyms

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.spool.root.rglob("*") if path.is_file())


def free_port() -> int:
    """A port that was free a moment ago, for the two sides that have to know each other before they start."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def house(
    root: Path,
    *peers: Peer,
    port: int = 0,
    policy: AdmissionPolicy = POLICY,
    limit: int = 10,
    network_timeout_s: float = 60.0,
    ledger_url: str = "",
    **more: Any,
) -> Iterator[House]:
    """Open a node and close it; `more` are further settings of the listener."""
    spool, pseudonyms = Spool(root / "spool"), Pseudonyms.load_or_create(root / "key")
    settings = ListenerSettings(
        "REREAD",
        port=port,
        peers=peers,
        policy=policy,
        max_associations=limit,
        network_timeout_s=network_timeout_s,
        **more,
    )
    with (
        open_ledger(ledger_url or f"sqlite:///{root / 'ledger.sqlite'}") as ledger,
        Listener(settings, spool, ledger, pseudonyms) as listener,
    ):
        yield House(spool, ledger, listener, pseudonyms)
