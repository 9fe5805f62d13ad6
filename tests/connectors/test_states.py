"""The state machines as tables, walked at random."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.analytics.errors import LedgerError
from reread.connectors.states import (
    DELIVERY_TRANSITIONS,
    INSTANCE_TRANSITIONS,
    STUDY_TRANSITIONS,
    DeliveryState,
    InstanceState,
    StudyState,
    move_delivery,
    move_instance,
    move_study,
)

MACHINES = [
    (InstanceState, INSTANCE_TRANSITIONS, move_instance),
    (StudyState, STUDY_TRANSITIONS, move_study),
    (DeliveryState, DELIVERY_TRANSITIONS, move_delivery),
]


@pytest.mark.parametrize(("states", "table", "move"), MACHINES)
def test_every_pair_is_either_allowed_or_an_error(states, table, move):
    assert set(table) == set(states)
    for now, to in itertools.product(states, states):
        if to in table[now]:
            assert move(now, to) is to
        else:
            with pytest.raises(LedgerError, match=f"from {now} to {to}"):
                move(now, to)


@pytest.mark.parametrize(("states", "table", "move"), MACHINES[1:])
def test_everything_is_reachable(states, table, move):
    seen = {next(iter(states))}
    for _ in states:
        seen |= {to for now in seen for to in table[now]}
    assert seen == set(states)


@given(st.lists(st.sampled_from(list(StudyState)), max_size=30))
def test_a_superseded_study_stays_so_and_nothing_reopens(wishes):
    state = StudyState.OPEN
    left_open = False
    for wish in wishes:
        try:
            state = move_study(state, wish)
        except LedgerError:
            continue
        left_open = True
        assert state is not StudyState.OPEN
    assert left_open or state is StudyState.OPEN


def test_a_result_is_never_committed_without_having_been_sent():
    assert DeliveryState.COMMITTED not in DELIVERY_TRANSITIONS[DeliveryState.PENDING]
    assert DeliveryState.COMMITTED not in DELIVERY_TRANSITIONS[DeliveryState.SENDING]
    assert not DELIVERY_TRANSITIONS[DeliveryState.COMMITTED]
