"""Which presentation contexts to propose for sending objects, and which one an object takes. Pure (R3.90 to R3.96).

An object is sent as it lies wherever the receiver takes it so. For each pair of SOP class and transfer syntax
there is one context with that syntax alone, and one more with Explicit and Implicit VR Little Endian if we
can write it so; for Explicit VR Little Endian the second is enough. Nothing is ever compressed (R3.93).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reread.connectors.services import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNCOMPRESSED

MOST_CONTEXTS = 128
"""odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)"""
Pair = tuple[str, str]
"""SOP Class UID and Transfer Syntax UID."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


def contexts_for(pair: Pair, can_write_plain: Callable[[str], bool]) -> tuple[ProposedContext, ...]:
    """What to propose for objects of one pair; `can_write_plain` says whether a transfer syntax can be undone."""
    sop_class, syntax = pair
    plain = ProposedContext(sop_class, UNCOMPRESSED)
    if syntax == EXPLICIT_LITTLE:
        return (plain,)
    own = ProposedContext(sop_class, (syntax,))
    return (own, plain) if can_write_plain(syntax) else (own,)


def associations_for(
    objects: Sequence[T], pair_of: Callable[[T], Pair], can_write_plain: Callable[[str], bool]
) -> list[tuple[tuple[ProposedContext, ...], tuple[T, ...]]]:
    """Objects in their order, grouped so that the contexts of each group fit into one association."""
    groups: list[tuple[dict[ProposedContext, None], list[T]]] = []
    for item in objects:
        wanted = contexts_for(pair_of(item), can_write_plain)
        if not groups or len(groups[-1][0].keys() | set(wanted)) > MOST_CONTEXTS:
            groups.append(({}, []))
        groups[-1][0].update(dict.fromkeys(wanted))
        groups[-1][1].append(item)
    return [(tuple(contexts), tuple(items)) for contexts, items in groups]


def syntax_to_send(pair: Pair, accepted: Collection[Pair], can_write_plain: Callable[[str], bool]) -> str | None:
    """The transfer syntax that an object is sent in: its own, else Explicit, else Implicit VR (R3.94); None: none."""
    sop_class, own = pair
    choices: Iterable[str] = (own, EXPLICIT_LITTLE, IMPLICIT_LITTLE) if can_write_plain(own) else (own,)
    return next((syntax for syntax in choices if (sop_class, syntax) in accepted), None)
