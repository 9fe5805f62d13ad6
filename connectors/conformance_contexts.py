"""Presentation context tables, made by asking the negotiation itself for every offer and every peer.

What each offer of each service comes to is taken from `negotiation.negotiate`, with every transfer syntax
proposed at once: its answer is our order of preference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.uid import UID

from reread.connectors.conformance_facts import ServiceFacts
from reread.connectors.negotiation import STANDARD_ORDER, Proposal, UnknownClasses, negotiate, offers_by_class
from reread.connectors.outgoing import Call
from reread.connectors.peers import Peer
from reread.connectors.retrieve_contexts import ProposedContext
from reread.connectors.services import Offer
from reread.connectors.statement_text import Table
from reread.connectors.storage_classes import STORAGE_CLASSES

CONTEXT_HEADS = ("SOP class", "UID", "transfer syntaxes", "our role", "extended negotiation")
LIST_HEADS = ("list", "order", "transfer syntax", "UID")
CHOICE_HEADS = ("choice", "calling peer", "calling AE title", "list")
REFUSED = "not accepted"
BY_ROLE = "SCP/SCU role selection"
NONE = "none"

Syntaxes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One abstract syntax in one role."""

    abstract_syntax: str
    our_role: str
    by_role_selection: bool
    syntaxes: str
    """name of a list, or of a choice between lists"""


@dataclass(frozen=True, slots=True)
class ContextTables:
    """What is accepted, of whom."""

    rows: Mapping[str, tuple[ContextRow, ...]]
    """by name of the service"""
    lists: Mapping[str, Syntaxes]
    """name to transfer syntaxes, most wanted first"""
    choices: Mapping[str, tuple[tuple[Peer, str], ...]]
    """name to the list of each peer; `REFUSED` where it may not"""


def context_tables(services: Sequence[ServiceFacts], peers: Sequence[Peer]) -> ContextTables:
    """Ask for every offer of every service what each peer gets.

    Without any peer the tables are those of one that has the default settings.
    """
    asked = tuple(peers) or (Peer("any", "ANY", "", 0),)
    offers = offers_by_class(offer for service in services for offer in service.offers)
    everything = {syntax for peer in asked for syntax in peer.transfer_syntaxes}
    everything |= {syntax for group in offers.values() for offer in group for syntax in offer.transfer_syntaxes}
    everything |= set(STANDARD_ORDER)  # that of an offer that stores, whatever its own list is
    lists: dict[Syntaxes, str] = {}
    choices: dict[tuple[Syntaxes | None, ...], str] = {}

    def named(results: tuple[Syntaxes | None, ...]) -> str:
        for result in results:
            if result is not None:
                lists.setdefault(result, f"T{len(lists) + 1}")
        (first, *others) = dict.fromkeys(results)
        if not others:
            return lists[first] if first is not None else REFUSED
        return choices.setdefault(results, f"C{len(choices) + 1}")

    rows: dict[str, tuple[ContextRow, ...]] = {}
    for service in services:
        found: dict[ContextRow, None] = {}
        for offer in service.offers:
            scp = bool(offer.peer_scp)
            proposal = Proposal(offer.abstract_syntax, frozenset(everything), scu=not scp, scp=scp)
            results = tuple(_result(proposal, offers, peer) for peer in asked)
            row = ContextRow(offer.abstract_syntax, "SCU" if scp else "SCP", scp, named(results))
            found[row] = None
        rows[service.name] = tuple(found)
    by_name = {name: result for result, name in lists.items()}
    return ContextTables(
        rows,
        by_name,
        {
            name: tuple(
                (peer, REFUSED if result is None else lists[result])
                for peer, result in zip(asked, results, strict=True)
            )
            for results, name in choices.items()
        },
    )


def context_table(service: str, rows: Sequence[ContextRow]) -> Table:
    """Presentation contexts of one service."""
    return Table(
        f"presentation contexts that are accepted: {service}",
        CONTEXT_HEADS,
        tuple(
            (
                class_name(row.abstract_syntax),
                row.abstract_syntax,
                row.syntaxes,
                row.our_role,
                BY_ROLE if row.by_role_selection else NONE,
            )
            for row in rows
        ),
    )


def proposed_table(call: Call, contexts: Sequence[ProposedContext] = ()) -> Table:
    """Presentation contexts that we propose; `contexts` for a call whose contexts depend on what is sent."""
    rows = [
        (
            class_name(context.abstract_syntax),
            context.abstract_syntax,
            ", ".join(map(syntax_text, context.transfer_syntaxes)),
            call.role,
            BY_ROLE if call.role == "SCP" else NONE,
        )
        for context in contexts or call.contexts
    ]
    return Table(f"presentation contexts that are proposed: {call.operation}", CONTEXT_HEADS, tuple(rows))


def list_table(lists: Mapping[str, Syntaxes]) -> Table:
    """What the names of lists stand for."""
    rows = [
        (name, str(order), syntax_name(uid), uid)
        for name, syntaxes in lists.items()
        for order, uid in enumerate(syntaxes, 1)
    ]
    return Table("lists of transfer syntaxes, in our order of preference", LIST_HEADS, tuple(rows))


def choice_table(choices: Mapping[str, tuple[tuple[Peer, str], ...]]) -> Table:
    """What the names of choices stand for."""
    rows = [(name, peer.name, peer.ae_title, chosen) for name, group in choices.items() for peer, chosen in group]
    return Table("lists that depend on the calling peer", CHOICE_HEADS, tuple(rows))


def class_name(uid: str) -> str:
    """Name of a SOP class; of one without a name, that it has none."""
    if uid in STORAGE_CLASSES:
        return STORAGE_CLASSES[uid]
    name = str(UID(uid).name)
    return name if name != uid else "(without a name here)"


def syntax_text(uid: str) -> str:
    """Name and UID."""
    return f"{syntax_name(uid)} ({uid})"


def syntax_name(uid: str) -> str:
    """Name of a transfer syntax without its explanation; of one without a name, that it is private."""
    name = str(UID(uid).name).partition(":")[0].strip()
    return name if name != uid else "(private)"


def _result(proposal: Proposal, offers: Mapping[str, Sequence[Offer]], peer: Peer) -> Syntaxes | None:
    (accepted,) = negotiate([proposal], offers, peer, UnknownClasses.REFUSE) or (None,)
    if accepted is None or not proposal.transfer_syntaxes & set(accepted.transfer_syntaxes):
        return None
    return accepted.transfer_syntaxes
