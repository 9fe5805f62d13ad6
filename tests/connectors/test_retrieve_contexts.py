"""Which contexts are proposed for sending, and which one an object takes: R3.90 to R3.96."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reread.connectors.retrieve_contexts import (
    MOST_CONTEXTS,
    ProposedContext,
    associations_for,
    contexts_for,
    syntax_to_send,
)

EXPLICIT, IMPLICIT, LOSSLESS, VIDEO = (f"1.2.840.10008.1.2{tail}" for tail in (".1", "", ".4.70", ".4.102"))
PLAIN = (EXPLICIT, IMPLICIT)


def plain(syntax: str) -> bool:
    return syntax != VIDEO


def test_proposals():
    assert contexts_for(("C", EXPLICIT), plain) == (ProposedContext("C", PLAIN),)  # R3.90
    assert contexts_for(("C", LOSSLESS), plain) == (
        ProposedContext("C", (LOSSLESS,)),  # R3.91
        ProposedContext("C", PLAIN),  # R3.92
    )
    assert contexts_for(("C", VIDEO), plain) == (ProposedContext("C", (VIDEO,)),)
    assert contexts_for(("C", IMPLICIT), plain)[0] == ProposedContext("C", (IMPLICIT,)), "as it lies, if possible"


def test_what_an_object_is_sent_in():
    everything = {("C", syntax) for syntax in (EXPLICIT, IMPLICIT, LOSSLESS, VIDEO)}
    for own in (EXPLICIT, IMPLICIT, LOSSLESS, VIDEO):
        assert syntax_to_send(("C", own), everything, plain) == own  # R3.94
    assert syntax_to_send(("C", LOSSLESS), everything - {("C", LOSSLESS)}, plain) == EXPLICIT
    assert syntax_to_send(("C", LOSSLESS), {("C", IMPLICIT)}, plain) == IMPLICIT
    assert syntax_to_send(("C", VIDEO), everything - {("C", VIDEO)}, plain) is None  # R3.95
    assert syntax_to_send(("C", EXPLICIT), {("C", LOSSLESS)}, plain) is None  # R3.93
    assert syntax_to_send(("C", EXPLICIT), {("D", EXPLICIT)}, plain) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200).map(lambda n: f"1.2.{n}"), st.sampled_from([EXPLICIT, IMPLICIT, LOSSLESS, VIDEO])
        ),
        max_size=600,
    )
)
def test_every_object_goes_out_once_and_contexts_fit(pairs):
    groups = associations_for(pairs, lambda pair: pair, plain)
    assert [pair for _, members in groups for pair in members] == pairs
    for contexts, members in groups:
        assert len(contexts) <= MOST_CONTEXTS and len(set(contexts)) == len(contexts)
        for pair in members:
            assert set(contexts_for(pair, plain)) <= set(contexts)
    assert len(groups) <= 1 + sum(len(contexts) for contexts, _ in groups) // (MOST_CONTEXTS - 1)
