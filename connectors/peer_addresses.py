"""Whether a connection comes from the host that a peer is configured with (R4.98, R4.544)."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

_FRESH_S = 60.0


class PeerAddresses:
    """Resolves host names; an answer is good for a minute, and after that as long as the resolver is silent."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def of(self, host: str) -> frozenset[str]:
        """All addresses of a host, in plain form; none if it cannot be resolved and never could."""
        plain = plain_address(host)
        if plain is not None:
            return frozenset({plain})
        now = time.monotonic()
        with self._lock:
            asked_at, known = self._known.get(host, (float("-inf"), frozenset()))
        if now - asked_at < _FRESH_S:
            return known
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return known
        found = frozenset(address for answer in answers if (address := plain_address(str(answer[4][0]))) is not None)
        with self._lock:
            self._known[host] = (now, found)
        return found

    def fits(self, host: str, address: str) -> bool:
        """Whether an address is one of that host."""
        plain = plain_address(address)
        return plain is not None and plain in self.of(host)


def plain_address(text: str) -> str | None:
    """An IP address without zone, an IPv4 one without its IPv6 clothes; None if it is a name."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
