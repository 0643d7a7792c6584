"""Waiting for another thread or process: the one loop of all tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT_S = 120.0
"""Only a guard against waiting for ever: a busy machine may be slow."""


def eventually(condition: Callable[[], T], timeout_s: float = TIMEOUT_S, what: str | Callable[[], str] = "", every_s: float = 0.02) -> T:
    """Call `condition` until its value is true, and return that value.

    Parameters
    ----------
    condition
        Called again and again; what it raises ends the wait.
    what
        Names the awaited event in the failure; a function is called only then, for example to read a log.

    Raises
    ------
    AssertionError
        When the value is not true within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            explanation = what() if callable(what) else what or "the condition"
            raise AssertionError(f"not true within {timeout_s:.0f} s: {explanation}")
        time.sleep(every_s)
    return value
