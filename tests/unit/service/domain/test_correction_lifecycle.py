from __future__ import annotations

from itertools import product

import pytest

from service.domain.correction_lifecycle import (
    FOLLOWS_DELIVERIES,
    TRANSITIONS,
    UNDECIDED,
    Delivered,
    check_approval,
    check_rejection,
    check_transition,
    check_undo,
    delivered_kind,
    is_decision,
    state_after_conclusion,
    state_after_retry,
    step_after_delivery,
)
from service.domain.findings import CorrectionState, DeliveryState, ObjectKind
from service.domain.policy import Action
from service.errors import DecisionRefused

State = CorrectionState
STATES = list(State)
FINAL = (State.REJECTED, State.REVERTED)


def delivered(*states: DeliveryState) -> list[Delivered]:
    return [Delivered(f"pacs-{number}", state) for number, state in enumerate(states)]


class TestTable:
    def test_every_state_has_its_row_and_only_the_final_ones_lead_nowhere(self) -> None:
        assert set(TRANSITIONS) == {None, *STATES}
        assert [state for state, after in TRANSITIONS.items() if not after] == list(FINAL)
        assert all(state not in after for state, after in TRANSITIONS.items())

    def test_every_state_is_reached_from_a_new_correction(self) -> None:
        reached: set[State] = set()
        front: set[State | None] = {None}
        while front:
            found = {after for state in front for after in TRANSITIONS[state]} - reached
            reached |= found
            front = {*found}
        assert reached == set(STATES)

    def test_a_step_that_no_rule_allows_is_a_mistake(self) -> None:
        check_transition(None, State.PROPOSED)
        with pytest.raises(ValueError, match="rejected does not become approved"):
            check_transition(State.REJECTED, State.APPROVED)
        with pytest.raises(ValueError, match="new does not become verified"):
            check_transition(None, State.VERIFIED)

    def test_only_approval_and_rejection_decide_and_a_delivery_attempted_again_does_not(self) -> None:
        steps = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
        decisions = {(before, after) for before, after in steps if is_decision(before, after)}
        assert decisions == {
            *product((None, *UNDECIDED, State.WITHDRAWN), (State.APPROVED,)),
            *product(UNDECIDED, (State.REJECTED,)),
        }


class TestConclusions:
    @pytest.mark.parametrize(
        ("action", "state"),
        [
            (Action.OFF, State.REPORTED),
            (Action.REPORT, State.REPORTED),
            (Action.APPROVE, State.PROPOSED),
            (Action.AUTO, State.APPROVED),
        ],
    )
    def test_policy_says_how_a_correction_begins(self, action: Action, state: State) -> None:
        assert state_after_conclusion(None, action) is state
        assert state_after_conclusion(State.WITHDRAWN, action) is state

    @pytest.mark.parametrize(("before", "action"), list(product([None, *STATES], Action)))
    def test_what_is_decided_stays_and_everything_else_takes_an_allowed_step(self, before: State | None, action: Action) -> None:
        after = state_after_conclusion(before, action)
        if before in (None, State.WITHDRAWN, *UNDECIDED):
            assert after is before or after in TRANSITIONS[before]
        else:
            assert after is None


class TestDecisions:
    @pytest.mark.parametrize("state", STATES)
    def test_a_person_may_decide_what_the_table_allows(self, state: State) -> None:
        for check, after in ((lambda: check_approval(3, state, ""), State.APPROVED), (lambda: check_rejection(3, state), State.REJECTED)):
            if state in UNDECIDED:
                check()
                assert after in TRANSITIONS[state]
            else:
                with pytest.raises(DecisionRefused, match=f"correction 3 is {state}"):
                    check()

    def test_nobody_approves_what_may_only_be_reported(self) -> None:
        with pytest.raises(DecisionRefused, match="reported only: a breast with an implant"):
            check_approval(3, State.REPORTED, "a breast with an implant")

    @pytest.mark.parametrize("state", STATES)
    def test_an_undo_is_of_something_that_was_written_or_is_being_written(self, state: State) -> None:
        if state in FOLLOWS_DELIVERIES:
            check_undo(3, state)
            assert {State.REVERTING, State.REVERTED} <= TRANSITIONS[state]
        else:
            with pytest.raises(DecisionRefused, match="nothing to undo"):
                check_undo(3, state)

    @pytest.mark.parametrize(("state", "kind"), list(product(STATES, (ObjectKind.CORRECTED, ObjectKind.REVERTED, ObjectKind.REJECTION))))
    def test_a_retry_takes_an_undo_up_again_and_never_writes_what_was_undone(self, state: State, kind: ObjectKind) -> None:
        if state in FOLLOWS_DELIVERIES:
            assert state_after_retry(3, state, 7, kind) is (State.REVERTING if kind is ObjectKind.REVERTED else state)
        elif state is State.REVERTING and kind is ObjectKind.REVERTED:
            assert state_after_retry(3, state, 7, kind) is State.REVERTING
        else:
            with pytest.raises(DecisionRefused, match=f"delivery 7 belongs to correction 3, which is {state}"):
                state_after_retry(3, state, 7, kind)


class TestDeliveries:
    @pytest.mark.parametrize(
        ("states", "after"),
        [
            ((DeliveryState.PENDING, DeliveryState.VERIFIED), State.APPROVED),
            ((DeliveryState.SENT, DeliveryState.VERIFIED), State.APPLIED),
            ((DeliveryState.SENT, DeliveryState.FAILED), State.APPLIED),
            ((DeliveryState.VERIFIED, DeliveryState.VERIFIED), State.VERIFIED),
            ((DeliveryState.VERIFIED, DeliveryState.REJECTED), State.MISMATCH),
            ((DeliveryState.UNSUPPORTED,), State.MISMATCH),
        ],
    )
    @pytest.mark.parametrize("before", FOLLOWS_DELIVERIES)
    def test_a_correction_is_as_far_as_its_slowest_delivery(self, before: State, states: tuple[DeliveryState, ...], after: State) -> None:
        step = step_after_delivery(before, delivered(*states))
        assert (step.state if step else before) is after
        assert step is None or after in TRANSITIONS[before]

    def test_a_mismatch_names_the_destinations_that_did_not_take_it(self) -> None:
        step = step_after_delivery(State.APPLIED, delivered(DeliveryState.VERIFIED, DeliveryState.REJECTED, DeliveryState.FAILED))
        assert step is not None and step.reason == "pacs-1: rejected; pacs-2: failed"

    @pytest.mark.parametrize(
        ("states", "after"),
        [
            ((DeliveryState.PENDING,), None),
            ((DeliveryState.SENT, DeliveryState.FAILED), None),
            ((DeliveryState.VERIFIED,), State.REVERTED),
            ((DeliveryState.VERIFIED, DeliveryState.FAILED), State.VERIFIED),
        ],
    )
    def test_an_undo_ends_when_all_its_deliveries_have_ended(self, states: tuple[DeliveryState, ...], after: State | None) -> None:
        step = step_after_delivery(State.REVERTING, delivered(*states))
        assert (step.state if step else None) is after

    @pytest.mark.parametrize("state", STATES)
    def test_a_correction_follows_the_deliveries_that_write_it_or_none(self, state: State) -> None:
        kind = delivered_kind(state)
        if state is State.REVERTING:
            assert kind is ObjectKind.REVERTED
        else:
            assert kind is (ObjectKind.CORRECTED if state in FOLLOWS_DELIVERIES else None)
        assert step_after_delivery(state, []) is None
        if kind is None:
            assert step_after_delivery(state, delivered(DeliveryState.VERIFIED)) is None
