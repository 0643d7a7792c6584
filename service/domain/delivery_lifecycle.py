"""The states of a delivery, and which one may follow which.

::

    PENDING ----> SENT ----+--> VERIFIED      read back from the destination
       |                   |
       +-------------------+--> MISMATCH   --+
                           +--> REJECTED   --+
                           +--> FAILED     --+--> PENDING, when a person asks for another attempt
                           +--> UNSUPPORTED -+

A worker that gives a delivery back for a later attempt leaves its state as it is: an object that a destination accepted stays SENT, so
it is only looked for and never sent again. Where the lease of a worker ran out while it was sending, a second worker may note SENT again.
"""

from __future__ import annotations

from service.domain.findings import DeliveryState
from service.errors import DecisionRefused

OPEN = tuple(state for state in DeliveryState if state.is_open)
"""A worker still has something to do."""
ENDED = tuple(state for state in DeliveryState if not state.is_open)
UNPROVEN = (DeliveryState.FAILED, DeliveryState.REJECTED, DeliveryState.MISMATCH)
"""The delivery ended, and should have been verified."""
RETRYABLE = (*UNPROVEN, DeliveryState.UNSUPPORTED)
"""A person may ask for another attempt."""
NOT_TAKEN = (DeliveryState.REJECTED, DeliveryState.UNSUPPORTED)
"""The destination declined the object, so it holds none."""

TRANSITIONS = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENT, *ENDED}),
    DeliveryState.SENT: frozenset({DeliveryState.SENT, *ENDED}),
    DeliveryState.VERIFIED: frozenset[DeliveryState](),
    DeliveryState.MISMATCH: frozenset({DeliveryState.PENDING}),
    DeliveryState.REJECTED: frozenset({DeliveryState.PENDING}),
    DeliveryState.FAILED: frozenset({DeliveryState.PENDING}),
    DeliveryState.UNSUPPORTED: frozenset({DeliveryState.PENDING}),
}
"""The states that may follow each state."""


def sources_of(state: DeliveryState) -> tuple[DeliveryState, ...]:
    """The states that `state` may follow."""
    return tuple(before for before, after in TRANSITIONS.items() if state in after)


def check_end(state: DeliveryState) -> None:
    """Raise ValueError for a state that does not end a delivery."""
    if state.is_open:
        raise ValueError(f"a delivery ends in one of {', '.join(ENDED)}, not {state}")


def check_retry(delivery_id: int, state: DeliveryState) -> None:
    """Raise DecisionRefused where a person may not ask for another attempt."""
    if state not in RETRYABLE:
        raise DecisionRefused(f"delivery {delivery_id} is {state}: only what ended without proof is tried again")


def may_hold_object(state: DeliveryState, attempts: int) -> bool:
    """Tell whether the destination holds the object, or may hold it: an attempt that ended without an answer may have arrived."""
    return state not in NOT_TAKEN and (state is not DeliveryState.PENDING or attempts > 0)
