"""The states of a correction, which one may follow which, and who causes each step.

::

    policy decides               a person decides                  the deliveries decide

    REPORTED <--> PROPOSED ----> APPROVED ---> APPLIED ---> VERIFIED
        |    \\       |  |           |  \\________  |  _________/  |
        |     \\      |  +-------> REJECTED      \\ | /            |
        |      \\     |                        MISMATCH           |
        +-> WITHDRAWN                              |              |
                                 REVERTING <-------+--------------+   undo
                                     |
                                     +--> REVERTED                    former labels read back
                                     +--> VERIFIED                    the undo failed

Policy may also approve at once. A correction that a later conclusion no longer finds is WITHDRAWN while nobody has decided it, and
starts anew when it is found again. APPROVED, APPLIED, VERIFIED and MISMATCH follow the deliveries, in any order: a delivery that is
attempted again takes its correction back to APPROVED. A correction that no destination has taken is REVERTED at once. REJECTED and
REVERTED are final, so the same change of the same image is not proposed again.

Approval, rejection and undo are requests by a person; what they refuse is a `DecisionRefused`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.domain.findings import CorrectionState, DeliveryState, ObjectKind
from service.domain.policy import Action
from service.errors import DecisionRefused

UNDECIDED = (CorrectionState.REPORTED, CorrectionState.PROPOSED)
"""A person may still approve or reject it."""
FOLLOWS_DELIVERIES = (CorrectionState.APPROVED, CorrectionState.APPLIED, CorrectionState.VERIFIED, CorrectionState.MISMATCH)
"""It is decided and being written, or written: its deliveries say which."""
_BY_POLICY = frozenset({*UNDECIDED, CorrectionState.APPROVED})
_WRITTEN = frozenset({*FOLLOWS_DELIVERIES, CorrectionState.REVERTING, CorrectionState.REVERTED})

TRANSITIONS: dict[CorrectionState | None, frozenset[CorrectionState]] = {
    None: _BY_POLICY,
    CorrectionState.REPORTED: (_BY_POLICY | {CorrectionState.REJECTED, CorrectionState.WITHDRAWN}) - {CorrectionState.REPORTED},
    CorrectionState.PROPOSED: (_BY_POLICY | {CorrectionState.REJECTED, CorrectionState.WITHDRAWN}) - {CorrectionState.PROPOSED},
    CorrectionState.WITHDRAWN: _BY_POLICY,
    CorrectionState.APPROVED: _WRITTEN - {CorrectionState.APPROVED},
    CorrectionState.APPLIED: _WRITTEN - {CorrectionState.APPLIED},
    CorrectionState.VERIFIED: _WRITTEN - {CorrectionState.VERIFIED},
    CorrectionState.MISMATCH: _WRITTEN - {CorrectionState.MISMATCH},
    CorrectionState.REVERTING: frozenset({CorrectionState.REVERTED, CorrectionState.VERIFIED}),
    CorrectionState.REJECTED: frozenset(),
    CorrectionState.REVERTED: frozenset(),
}
"""The states that may follow each state; None: the correction is new."""


class Step(NamedTuple):
    """A state that a correction comes into, and why."""

    state: CorrectionState
    reason: str


class Delivered(NamedTuple):
    """How far one delivery of a correction is."""

    destination: str
    state: DeliveryState


def check_transition(before: CorrectionState | None, after: CorrectionState) -> None:
    """Raise ValueError for a step that no rule allows."""
    if after not in TRANSITIONS[before]:
        raise ValueError(f"a correction that is {before or 'new'} does not become {after}")


def is_decision(before: CorrectionState | None, after: CorrectionState) -> bool:
    """Tell whether a step decides the correction: the row then keeps who approved or rejected it, and why."""
    return after in (CorrectionState.APPROVED, CorrectionState.REJECTED) and before not in FOLLOWS_DELIVERIES


def state_after_conclusion(state: CorrectionState | None, action: Action) -> CorrectionState | None:
    """The state of a correction that a conclusion has found.

    Parameters
    ----------
    state
        Before; None where this change of this image was never found.
    action
        The strongest that any destination's policy asks for.

    Returns
    -------
    None where the correction is decided: it stays as it is.
    """
    if state is not None and state not in (*UNDECIDED, CorrectionState.WITHDRAWN):
        return None
    return {Action.AUTO: CorrectionState.APPROVED, Action.APPROVE: CorrectionState.PROPOSED}.get(action, CorrectionState.REPORTED)


def check_approval(correction_id: int, state: CorrectionState, blocked_reason: str) -> None:
    """Raise DecisionRefused where a person may not approve."""
    if state not in UNDECIDED:
        raise DecisionRefused(f"correction {correction_id} is {state}: it can no longer be approved")
    if blocked_reason:
        raise DecisionRefused(f"correction {correction_id} is reported only: {blocked_reason}")


def check_rejection(correction_id: int, state: CorrectionState) -> None:
    """Raise DecisionRefused where a person may not reject."""
    if state not in UNDECIDED:
        raise DecisionRefused(f"correction {correction_id} is {state}: it can no longer be rejected (undo it instead)")


def check_undo(correction_id: int, state: CorrectionState) -> None:
    """Raise DecisionRefused where nothing was written that could be undone."""
    if state not in FOLLOWS_DELIVERIES:
        raise DecisionRefused(f"correction {correction_id} is {state}: there is nothing to undo")


def delivered_kind(state: CorrectionState) -> ObjectKind | None:
    """The kind of deliveries that a correction in this state follows; None where it follows none."""
    if state is CorrectionState.REVERTING:
        return ObjectKind.REVERTED
    return ObjectKind.CORRECTED if state in FOLLOWS_DELIVERIES else None


def step_after_delivery(state: CorrectionState, deliveries: Sequence[Delivered]) -> Step | None:
    """The step of a correction when one of its deliveries has changed.

    Parameters
    ----------
    deliveries
        All deliveries of `delivered_kind(state)`.

    Returns
    -------
    None where the correction stays in its state.
    """
    if not deliveries or delivered_kind(state) is None:
        return None
    step = _reverted(deliveries) if state is CorrectionState.REVERTING else _written(deliveries)
    return step if step.state is not state else None


def state_after_retry(correction_id: int, state: CorrectionState, delivery_id: int, kind: ObjectKind) -> CorrectionState:
    """The state of a correction when a person asks for another attempt at one of its deliveries.

    Raises
    ------
    DecisionRefused
        A person has rejected or undone the correction since: it is not written again.
    """
    if state in FOLLOWS_DELIVERIES:
        return CorrectionState.REVERTING if kind is ObjectKind.REVERTED else state
    if kind is ObjectKind.REVERTED and state is CorrectionState.REVERTING:
        return state
    raise DecisionRefused(f"delivery {delivery_id} belongs to correction {correction_id}, which is {state}: it is not written again")


def _written(deliveries: Sequence[Delivered]) -> Step:
    states = [each.state for each in deliveries]
    if DeliveryState.PENDING in states:
        return Step(CorrectionState.APPROVED, "not yet at every destination")
    if DeliveryState.SENT in states:
        return Step(CorrectionState.APPLIED, "sent, not yet proved")
    failed = _failed(deliveries)
    return Step(CorrectionState.MISMATCH, failed) if failed else Step(CorrectionState.VERIFIED, "read back from every destination")


def _reverted(deliveries: Sequence[Delivered]) -> Step:
    if any(each.state.is_open for each in deliveries):
        return Step(CorrectionState.REVERTING, "")
    failed = _failed(deliveries)
    return Step(CorrectionState.VERIFIED, f"not undone: {failed}") if failed else Step(CorrectionState.REVERTED, "former labels read back")


def _failed(deliveries: Sequence[Delivered]) -> str:
    return "; ".join(
        f"{each.destination}: {each.state}" for each in deliveries if not each.state.is_open and each.state is not DeliveryState.VERIFIED
    )
