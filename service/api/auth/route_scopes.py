"""The scope of each route, read from the application itself; an application with an open route does not start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount

from service.domain.access import Scope

PUBLIC = frozenset({"/healthz", "/readyz", "/static", "/sign-in", "/sign-out", "/sign-in/oidc", "/sign-in/oidc/callback"})
"""What anybody may ask: is the service there, how do the pages look, and signing in and out."""


@dataclass(frozen=True)
class Attempt:
    """A request for a route that requires a scope."""

    scope: Scope
    path: str
    """As the route is written, with names in braces."""
    parameters: dict[str, Any]


@dataclass(frozen=True)
class GuardedRoute:
    """One method of one route."""

    method: str
    path: str
    scopes: tuple[Scope, ...]

    @property
    def is_public(self) -> bool:
        return self.path in PUBLIC


def list_routes(app: FastAPI) -> list[GuardedRoute]:
    """Every method of every route, with the scopes that its dependencies name."""
    found = []
    for context in iter_route_contexts(app.routes):
        # As OpenAPI writes it: without the converter of a parameter.
        path, route = re.sub(r":\w+}", "}", context.path or ""), context.original_route
        scopes = tuple(_scopes(route.dependant)) if isinstance(route, APIRoute) else ()
        methods = {"GET"} if isinstance(route, Mount) else set(context.methods or ())
        found += [GuardedRoute(method, path, scopes) for method in sorted(methods - {"HEAD", "OPTIONS"})]
    return found


def require_scopes_on_routes(app: FastAPI) -> None:
    """Refuse to start where a route declares no scope.

    Raises
    ------
    RuntimeError
        A route that is not public names no scope, or more than one.
    """
    wrong = [f"{each.method} {each.path}" for each in list_routes(app) if not each.is_public and len(set(each.scopes)) != 1]
    if wrong:
        raise RuntimeError(f"each route names exactly one scope with require_scope(Scope...): {', '.join(wrong)}")


def _scopes(dependant: Dependant) -> Iterator[Scope]:
    for dependency in dependant.dependencies:
        if (scope := getattr(dependency.call, "scope", None)) is not None:
            yield scope
        yield from _scopes(dependency)
