"""Which tests need a peer: a program beside Python, or the whole stack. They are marked `peer` when they are collected."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

FIXTURES = frozenset({"postgresql", "shared_orthanc", "shared_overwriting_orthanc", "browser", "full_stack"})
FUNCTIONS = frozenset(
    {
        "Orthanc", "Stack", "dciodvfy_errors", "dcmpschk", "dsrdump", "open_full_stack", "postgresql", "run_dcmqrscp", "run_storescp",
    }
)  # fmt: skip
"""Names of helpers that start a peer or run one."""


def needs_peer(item: pytest.Item) -> bool:
    """Tell it from the fixtures of a test, its parameters, and the helpers that it or a function of its module calls."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if any(isinstance(value, str) and value == "postgresql" for value in parameters.values()) or FIXTURES & set(
        getattr(item, "fixturenames", ())
    ):
        return True
    return _calls_peer(getattr(item, "function", None), set())


def _calls_peer(function: Callable[..., Any] | None, seen: set[str]) -> bool:
    if not isinstance(function, FunctionType) or function.__qualname__ in seen:
        return False
    seen.add(function.__qualname__)
    names = set(function.__code__.co_names)
    called = (function.__globals__.get(name) for name in names)
    return bool(names & FUNCTIONS) or any(
        _calls_peer(each, seen) for each in called if isinstance(each, FunctionType) and each.__module__ == function.__module__
    )
