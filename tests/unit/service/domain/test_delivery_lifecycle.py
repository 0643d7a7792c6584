from __future__ import annotations

import pytest

from service.domain.delivery_lifecycle import (
    ENDED,
    OPEN,
    RETRYABLE,
    TRANSITIONS,
    UNPROVEN,
    check_end,
    check_retry,
    may_hold_object,
    sources_of,
)
from service.domain.findings import DeliveryState
from service.errors import DecisionRefused

STATES = list(DeliveryState)


def test_every_state_has_its_row_and_leads_somewhere_but_a_proof() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert [state for state, after in TRANSITIONS.items() if not after] == [DeliveryState.VERIFIED]
    assert [state for state, after in TRANSITIONS.items() if state in after] == [DeliveryState.SENT]


def test_open_and_ended_states_are_all_states_and_share_none() -> None:
    assert sorted((*OPEN, *ENDED)) == sorted(STATES)
    assert OPEN == (DeliveryState.PENDING, DeliveryState.SENT)
    assert set(UNPROVEN) < set(RETRYABLE) < set(ENDED)


def test_an_open_delivery_may_end_in_every_ended_state() -> None:
    assert all(set(ENDED) <= TRANSITIONS[state] for state in OPEN)


@pytest.mark.parametrize("state", STATES)
def test_each_state_names_the_states_that_it_may_follow(state: DeliveryState) -> None:
    assert all((state in TRANSITIONS[before]) is (before in sources_of(state)) for before in STATES)
    assert set(sources_of(state)) <= set(OPEN) or set(sources_of(state)) == set(RETRYABLE)


def test_what_was_sent_is_not_pending_again_by_itself() -> None:
    assert DeliveryState.PENDING not in TRANSITIONS[DeliveryState.SENT]


@pytest.mark.parametrize("state", STATES)
def test_a_person_may_retry_what_the_table_lets_begin_anew(state: DeliveryState) -> None:
    if DeliveryState.PENDING in TRANSITIONS[state]:
        check_retry(7, state)
    else:
        with pytest.raises(DecisionRefused, match=f"delivery 7 is {state}"):
            check_retry(7, state)


@pytest.mark.parametrize("state", STATES)
def test_a_delivery_ends_in_an_ended_state_only(state: DeliveryState) -> None:
    if state in ENDED:
        check_end(state)
    else:
        with pytest.raises(ValueError, match=f"not {state}"):
            check_end(state)


@pytest.mark.parametrize(
    ("state", "attempts", "holds"),
    [
        (DeliveryState.PENDING, 0, False),
        (DeliveryState.PENDING, 1, True),
        (DeliveryState.SENT, 1, True),
        (DeliveryState.VERIFIED, 1, True),
        (DeliveryState.FAILED, 3, True),
        (DeliveryState.MISMATCH, 1, True),
        (DeliveryState.REJECTED, 1, False),
        (DeliveryState.UNSUPPORTED, 1, False),
    ],
)
def test_a_destination_may_hold_what_was_attempted_and_not_declined(state: DeliveryState, attempts: int, holds: bool) -> None:
    assert may_hold_object(state, attempts) is holds
