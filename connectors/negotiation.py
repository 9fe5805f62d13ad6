"""Which presentation contexts are accepted, with which transfer syntax: pure, decided for each context on its own.

The order is ours, not the requestor's (R0.57). When one context proposes several transfer syntaxes, the
sender brings its object into the one that we pick. So a pick must never make it decompress, and never make
it lose anything:

1. Lossless compressed. Who holds it sends it as it is; who holds uncompressed pixels may compress them, at no loss.
   Among these: as R0.55, then by how well readers are spread.
2. Uncompressed: Explicit before Implicit VR Little Endian (R4.88), the seldom forms last. Deflated is among
   them, not among the compressed: many senders propose it by default, hold plain pixels and would have to
   deflate every object.
3. What may be lossy, video included: only if nothing else is proposed in that context, which a sender does
   whose object is lossy already. Some servers prefer these (R4.100): that loses.

Not accepted unless a caller's own list names them: transfer syntaxes that are not known here, those whose
pixels are not in the object (JPIP), live video, and forms that are no Part 10 data set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from reread.connectors.peers import Peer, PeerRole
from reread.connectors.services import Offer

LOSSLESS_COMPRESSED = (
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, Process 14, Selection Value 1
    "1.2.840.10008.1.2.4.90",  # JPEG 2000, lossless only
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless, Process 14
    "1.2.840.10008.1.2.4.80",  # JPEG-LS, lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K, lossless only
    "1.2.840.10008.1.2.4.202",  # HTJ2K with RPCL options, lossless only
    "1.2.840.10008.1.2.4.110",  # JPEG XL, lossless
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.8.1",  # Deflated Image Frame
    "1.2.840.10008.1.2.4.92",  # JPEG 2000 Part 2 multi-component, lossless only
    "1.2.840.10008.1.2.4.58",  # JPEG Lossless, Process 15 (retired, as the next two)
    "1.2.840.10008.1.2.4.65",
    "1.2.840.10008.1.2.4.66",
)
UNCOMPRESSED = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1.98",  # Encapsulated Uncompressed
    "1.2.840.10008.1.2.1.99",  # Deflated
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian (retired)
)
_LOSSY_FRAMES = (
    "1.2.840.10008.1.2.4.111",  # JPEG XL of a JPEG: loses nothing that the JPEG had
    "1.2.840.10008.1.2.4.91",  # JPEG 2000, JPEG-LS, HTJ2K and JPEG XL: may be lossless too
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.4.93",
    "1.2.840.10008.1.2.4.51",  # 12 bits before 8
    "1.2.840.10008.1.2.4.50",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (52, 53, 54, 55, 56, 59, 60, 61, 62, 63, 64)),  # retired
)
_VIDEO = (
    "1.2.840.10008.1.2.4.108",
    "1.2.840.10008.1.2.4.107",
    *(
        f"1.2.840.10008.1.2.4.{number}{form}"
        for number in (104, 105, 106, 102, 103, 101, 100)
        for form in ("", ".1")  # one fragment, fragmentable
    ),
)
LOSSY = _LOSSY_FRAMES + _VIDEO
"""What may be lossy."""
ALWAYS_LOSSY = frozenset(LOSSY) - frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (91, 81, 203, 112, 93))
"""What is lossy whatever the header says; near-lossless and JPEG 2000 may have lost nothing."""
STANDARD_ORDER: tuple[str, ...] = LOSSLESS_COMPRESSED + UNCOMPRESSED + LOSSY
"""Transfer Syntax UIDs, most wanted first: every one that the spool can hold."""


class UnknownClasses(StrEnum):
    """What becomes of a storage class that is in no table of ours."""

    ACCEPT = "accept"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a requestor proposes for one abstract syntax, all its presentation contexts together."""

    abstract_syntax: str
    transfer_syntaxes: frozenset[str]
    scu: bool = True
    """the requestor wants to be SCU of it"""
    scp: bool = False
    """the requestor wants to be SCP of it, by role selection"""


def order_for(preferred: Sequence[str] = (), refused: Collection[str] = ()) -> tuple[str, ...]:
    """The order of transfer syntaxes for one caller: what it prefers, then the standard order, less what is refused.

    A preferred one may be a private one; then it is accepted from this caller.
    """
    return tuple(uid for uid in dict.fromkeys((*preferred, *STANDARD_ORDER)) if uid not in refused)


def choose(proposed: Iterable[str], order: Sequence[str]) -> str | None:
    """The transfer syntax for one presentation context: the first of ours that it proposes; None refuses it."""
    wanted = set(proposed)
    return next((uid for uid in order if uid in wanted), None)


def offers_by_class(offers: Iterable[Offer]) -> dict[str, tuple[Offer, ...]]:
    """All offers of a node by abstract syntax: several services may have a part in one."""
    found: dict[str, tuple[Offer, ...]] = {}
    for offer in offers:
        found[offer.abstract_syntax] = (*found.get(offer.abstract_syntax, ()), offer)
    return found


def negotiate(
    proposals: Iterable[Proposal],
    offers: Mapping[str, Sequence[Offer]],
    caller: Peer,
    unknown_classes: UnknownClasses = UnknownClasses.ACCEPT,
    may_be_storage: Collection[str] = (),
) -> tuple[Offer, ...]:
    """What to accept of an association request, one offer for each abstract syntax.

    The toolkit then takes, for each presentation context on its own, the first transfer syntax of the offer
    that the context proposes: duplicates and contexts that differ only in syntaxes are all served (R3.87, R4.99).

    Parameters
    ----------
    proposals
        One for each abstract syntax.
    offers
        Those of our services (`offers_by_class`).
    caller
        Who asks. Objects come in only from a peer with the role SOURCE.
    unknown_classes
        Whether storage classes that no offer names are taken too.
    may_be_storage
        Abstract syntaxes without an offer that can be storage classes.
    """
    accepted = []
    for proposal in proposals:
        candidates = tuple(offers.get(proposal.abstract_syntax, ()))
        if not candidates and unknown_classes is UnknownClasses.ACCEPT and proposal.abstract_syntax in may_be_storage:
            candidates = (Offer(proposal.abstract_syntax, STANDARD_ORDER, stores=True),)
        offer = _fit(proposal, candidates, caller)
        if offer is not None:
            accepted.append(offer)
    return tuple(accepted)


def _fit(proposal: Proposal, candidates: Sequence[Offer], caller: Peer) -> Offer | None:
    allowed = [offer for offer in candidates if not offer.stores or PeerRole.SOURCE in caller.roles]
    as_scu = [offer for offer in allowed if offer.peer_scu is not False] if proposal.scu else []
    as_scp = [offer for offer in allowed if offer.peer_scp] if proposal.scp else []
    if not as_scu and not as_scp:
        return None
    order: list[str] = []
    for offer in as_scu or as_scp:
        order += _syntaxes(offer, caller)
    wanted = tuple(uid for uid in dict.fromkeys(order) if uid in proposal.transfer_syntaxes)
    if not wanted:  # say "transfer syntaxes not supported", not "abstract syntax not supported" (PS3.8 9.3.3.2)
        wanted = tuple(dict.fromkeys(order))[:1]
    roles_are_stated = any(offer.peer_scp is not None for offer in allowed)
    return replace(
        (as_scu or as_scp)[0],
        transfer_syntaxes=wanted,
        peer_scu=bool(as_scu) if roles_are_stated else None,
        peer_scp=bool(as_scp) if roles_are_stated else None,
    )


def _syntaxes(offer: Offer, caller: Peer) -> tuple[str, ...]:
    if not offer.stores:
        return offer.transfer_syntaxes
    return order_for(caller.transfer_syntaxes, caller.refused_transfer_syntaxes)
