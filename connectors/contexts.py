"""Negotiation of presentation contexts, bound to pynetdicom: only what a requestor proposes is looked up.

A list of all that could be accepted would be hundreds of contexts with dozens of transfer syntaxes, which
pynetdicom copies for each association.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pynetdicom import build_context

from reread.connectors.negotiation import Proposal, UnknownClasses, negotiate, offers_by_class
from reread.connectors.peers import Peer
from reread.connectors.services import Offer
from reread.connectors.storage_classes import STORAGE_CLASSES, may_be_storage, register_storage_classes


def proposals_of(association: Any) -> tuple[Proposal, ...]:
    """What the requestor of an association proposes, one for each abstract syntax."""
    roles = {str(uid): (item.scu_role, item.scp_role) for uid, item in association.requestor.role_selection.items()}
    proposed: dict[str, set[str]] = {}
    for context in association.requestor.primitive.presentation_context_definition_list:
        if context.abstract_syntax:
            proposed.setdefault(str(context.abstract_syntax), set()).update(map(str, context.transfer_syntax))
    return tuple(
        Proposal(
            uid,
            frozenset(syntaxes),
            scu=bool(roles.get(uid, (True, False))[0]),
            scp=bool(roles.get(uid, (True, False))[1]),
        )
        for uid, syntaxes in proposed.items()
    )


def wants_to_store(proposals: Iterable[Proposal]) -> bool:
    """Whether objects may come in on this association."""
    return any(
        proposal.scu and (proposal.abstract_syntax in STORAGE_CLASSES or may_be_storage(proposal.abstract_syntax))
        for proposal in proposals
    )


class Contexts:
    """What a node accepts.

    Parameters
    ----------
    offers
        All offers of all its services.
    unknown_classes
        Whether storage classes that no offer names are taken too; only a node that takes objects should say so.
    """

    def __init__(self, offers: Sequence[Offer], unknown_classes: UnknownClasses = UnknownClasses.REFUSE) -> None:
        register_storage_classes()
        self._offers = offers_by_class(offers)
        self._unknown_classes = unknown_classes

    def accepted(self, proposals: Sequence[Proposal], caller: Peer) -> tuple[Offer, ...]:
        """One offer for each abstract syntax that is accepted."""
        unknown = [
            proposal.abstract_syntax
            for proposal in proposals
            if proposal.abstract_syntax not in self._offers and may_be_storage(proposal.abstract_syntax)
        ]
        return negotiate(proposals, self._offers, caller, self._unknown_classes, unknown)

    def prepare(self, association: Any, caller: Peer) -> None:
        """Give a requested association its supported contexts, before pynetdicom negotiates it."""
        supported = []
        for offer in self.accepted(proposals_of(association), caller):
            context = build_context(offer.abstract_syntax, list(offer.transfer_syntaxes))
            context.scu_role, context.scp_role = offer.peer_scu, offer.peer_scp
            supported.append(context)
        association.acceptor.supported_contexts = supported
