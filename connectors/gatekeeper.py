"""Who may associate with us, and when (R1.54 to R1.58, R4.98): decided before anything is negotiated.

====================================================== =============== =====================
situation                                              result, source, rows
                                                       reason
====================================================== =============== =====================
application context name is not DICOM's                1, 1, 2         PS3.8 9.3.4, R4.98
called AE title is none of ours                        1, 1, 7         PS3.8 9.3.4, R3.110
calling AE title is no configured peer                 1, 1, 3         R1.55, R3.110
it calls from another address than the peer's          1, 1, 3         R4.98, R4.544
its certificate does not name the peer                 1, 1, 3         PS3.15 B.12, R4.557
too many associations, in all or of this peer          2, 3, 1         R1.56, R4.97
the same, with `when_full` HOLD                        no answer       R0.73, R0.518
free space below the lower mark; below the upper one   2, 3, 2         R1.54, R1.58
if objects would come in
any error of our own                                   2, 1, 1         R1.57
====================================================== =============== =====================
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reread.connectors.contexts import proposals_of, wants_to_store
from reread.connectors.disk_space import DiskState
from reread.connectors.peer_addresses import PeerAddresses
from reread.connectors.peers import Peer, check_ae_title
from reread.connectors.slots import ProcessSlots, Slots
from reread.connectors.tls import names_in_certificate

LOG = logging.getLogger(__name__)

DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_LOOK_S = 0.2
"""how often a held association is looked at"""


class WhenFull(StrEnum):
    """What one association too many gets."""

    REJECT = "reject"
    HOLD = "hold"
    """no answer until a place is free"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int
    meaning: str


CONTEXT_NAME_UNKNOWN = Rejection(1, 1, 2, "the application context name is not that of DICOM")
CALLED_UNKNOWN = Rejection(1, 1, 7, "the called AE title is none of ours")
CALLER_UNKNOWN = Rejection(1, 1, 3, "the calling AE title is not that of a configured peer")
WRONG_ADDRESS = Rejection(1, 1, 3, "it calls from another address than the peer's host has")
WRONG_CERTIFICATE = Rejection(1, 1, 3, "its certificate does not name the peer")
TOO_MANY = Rejection(2, 3, 1, "too many associations are open")
TOO_MANY_OF_PEER = Rejection(2, 3, 1, "this peer has too many associations open")
NO_SPACE = Rejection(2, 3, 2, "not enough disk space")
OWN_ERROR = Rejection(2, 1, 1, "an error of our own")
REJECTIONS = (
    CONTEXT_NAME_UNKNOWN,
    CALLED_UNKNOWN,
    CALLER_UNKNOWN,
    WRONG_ADDRESS,
    WRONG_CERTIFICATE,
    TOO_MANY,
    TOO_MANY_OF_PEER,
    NO_SPACE,
    OWN_ERROR,
)
"""All that the gatekeeper says, for the conformance statement."""


@dataclass(frozen=True, slots=True)
class Crowding:
    """What happens when all places are taken. Times in seconds."""

    when_full: WhenFull = WhenFull.REJECT
    max_held: int = 20
    """so many may wait; one more is rejected"""
    hold_s: float = 600.0
    """who has waited so long is rejected: a requestor that vanished does not wait for ever"""


class Gatekeeper:
    """Answers EVT_REQUESTED with a rejection, or lets the association go on.

    Parameters
    ----------
    ae_titles
        The called AE titles that are accepted.
    peers
        The only callers. Two may have the same AE title at different addresses.
    places
        How many associations may be open; or the places themselves, where other processes share them.
    disk
        How much space is left for what comes in.
    crowding
        What happens when there are no places.
    places_of_peer
        Makes the places of a peer with a limit of its own.
    """

    def __init__(
        self,
        ae_titles: str | Iterable[str],
        peers: Iterable[Peer],
        places: int | Slots,
        disk: Callable[[], DiskState] = lambda: DiskState.PLENTY,
        crowding: Crowding | None = None,
        places_of_peer: Callable[[Peer], Slots] = lambda peer: ProcessSlots(peer.max_associations),
    ) -> None:
        titles = (ae_titles,) if isinstance(ae_titles, str) else tuple(ae_titles)
        self.ae_titles = frozenset(check_ae_title(title) for title in titles)
        self._peers: dict[str, list[Peer]] = {}
        for peer in peers:
            self._peers.setdefault(peer.ae_title, []).append(peer)
        self._slots: Slots = ProcessSlots(places) if isinstance(places, int) else places
        self._of_peer = {
            peer.name: places_of_peer(peer) for group in self._peers.values() for peer in group if peer.max_associations
        }
        self._disk = disk
        self._crowding = crowding or Crowding()
        self._addresses = PeerAddresses()
        self._lock = threading.Lock()
        self._inside: dict[Any, Peer] = {}
        self._held = 0
        self._closing = threading.Event()
        self._disk_was = DiskState.PLENTY

    def peer(self, ae_title: str) -> Peer | None:
        """The first known peer of that AE title."""
        return next(iter(self._peers.get(ae_title.strip(), ())), None)

    def caller(self, association: Any) -> Peer | None:
        """The peer that an open association was let in for."""
        with self._lock:
            return self._inside.get(association)

    @property
    def held(self) -> int:
        """How many requestors wait for a place."""
        return self._held

    def admit(self, association: Any) -> Peer | None:
        """Let a requested association in, or reject it; runs in the association's thread and may wait there.

        Returns
        -------
        Peer or None
            Who it is; None if it was rejected or has gone.
        """
        self._reap()
        verdict: Peer | Rejection | None
        try:
            verdict = self._verdict(association)
        except _HasGone:
            verdict = None
        except Exception as error:  # R1.57: whatever went wrong, the requestor gets an answer
            LOG.error("an association could not be judged: %s", type(error).__name__)
            verdict = OWN_ERROR
        if isinstance(verdict, Peer):
            return verdict
        self.ended(association)
        request = association.requestor.primitive
        who = f"{str(request.calling_ae_title).strip()!r} at {association.requestor.address}"
        if verdict is None:
            LOG.warning("%s gave up waiting for a place", who)
            association.is_aborted = True
        else:
            triple = (verdict.result, verdict.source, verdict.reason)
            LOG.warning("association of %s rejected with %d, %d, %d: %s", who, *triple, verdict.meaning)
            association.acse.send_reject(*triple)
        association.kill()
        return None

    def ended(self, association: Any) -> None:
        """The association is over, however that came: its place is free. Harmless if it had none."""
        with self._lock:
            peer = self._inside.pop(association, None)
        if peer is not None:
            self._slots.release()
            if peer.name in self._of_peer:
                self._of_peer[peer.name].release()

    def close(self) -> None:
        """Reject all who wait."""
        self._closing.set()

    def _verdict(self, association: Any) -> Peer | Rejection:
        request = association.requestor.primitive
        if str(request.application_context_name) != DICOM_APPLICATION_CONTEXT:
            return CONTEXT_NAME_UNKNOWN
        if str(request.called_ae_title).strip() not in self.ae_titles:
            return CALLED_UNKNOWN
        peer = self._identify(association, str(request.calling_ae_title).strip())
        if isinstance(peer, Rejection):
            return peer
        if self._is_full(association):  # before waiting, too: who cannot be served need not wait
            return NO_SPACE
        refusal = self._take_place(association, peer)
        if refusal is not None:
            return refusal
        return NO_SPACE if self._is_full(association) else peer

    def _identify(self, association: Any, ae_title: str) -> Peer | Rejection:
        candidates = self._peers.get(ae_title, [])
        if not candidates:
            return CALLER_UNKNOWN
        address = str(association.requestor.address)
        here = [peer for peer in candidates if not peer.check_address or self._addresses.fits(peer.host, address)]
        if not here:
            for peer in candidates:
                if not self._addresses.of(peer.host):
                    LOG.warning("the host of peer %s cannot be resolved: %s", peer.name, peer.host)
            return WRONG_ADDRESS
        shown = _certificate_names(association)
        named = [peer for peer in here if peer.tls is None or not peer.tls.names or shown & set(peer.tls.names)]
        return named[0] if named else WRONG_CERTIFICATE

    def _is_full(self, association: Any) -> bool:
        state = self._disk()
        if state is not self._disk_was:
            LOG.warning("disk space is %s now", state.value)
            self._disk_was = state
        return state is DiskState.FULL or (state is DiskState.LOW and wants_to_store(proposals_of(association)))

    def _take_place(self, association: Any, peer: Peer) -> Rejection | None:
        own = self._of_peer.get(peer.name)
        if own is not None and not own.acquire(0.0):
            return TOO_MANY_OF_PEER
        taken = False
        try:
            taken = self._take_or_wait(association)
        finally:
            if not taken and own is not None:
                own.release()
        if not taken:
            return TOO_MANY
        with self._lock:
            self._inside[association] = peer
        return None

    def _take_or_wait(self, association: Any) -> bool:
        """Whether there is a place for it (R0.73: it may wait; _HasGone if it gave up)."""
        holds = self._crowding.when_full is WhenFull.HOLD
        with self._lock:
            queued = holds and self._held > 0  # who waits already goes first
        if not queued and self._slots.acquire(0.0):
            return True
        if not holds:
            return False
        with self._lock:
            if self._held >= self._crowding.max_held:
                return False
            self._held += 1
        try:
            until = time.monotonic() + self._crowding.hold_s
            while time.monotonic() < until and not self._closing.is_set():
                if _has_gone(association):
                    raise _HasGone
                if self._slots.acquire(_LOOK_S):
                    association.dul._idle_timer.restart()  # it was silent because we were
                    return True
                self._reap()
            return False
        finally:
            with self._lock:
                self._held -= 1

    def _reap(self) -> None:
        """Give back the places of associations whose thread has ended, should nobody have said so."""
        with self._lock:
            dead = [association for association in self._inside if not association.is_alive()]
        for association in dead:
            self.ended(association)


class _HasGone(Exception):
    """The requestor gave up waiting."""


def _has_gone(association: Any) -> bool:
    return bool(association.acse.is_aborted()) or not association.dul.is_alive()


def _certificate_names(association: Any) -> frozenset[str]:
    """What the caller's certificate, verified in the TLS handshake, calls it."""
    connection = association.dul.socket.socket
    if not isinstance(connection, ssl.SSLSocket):
        return frozenset()
    return names_in_certificate(connection.getpeercert() or {})
