"""Every route of the site, asked by everybody: the routes are read from the application, so a new one is tested or refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from service.accounts.tokens import digest
from service.api.auth import issue_key, list_routes, require_scope, require_scopes_on_routes
from service.api.auth.route_scopes import GuardedRoute
from service.domain.access import SCOPES, Role, Scope
from service.store.database import now
from tests.support.api_server import Served, serve_api

NOTHING: frozenset[Scope] = frozenset()
ANONYMOUS = ("without credentials", "revoked key", "expired key", "unknown key", "ended session", "disabled account", "password as a key")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("matrix")) as served:
        yield served


@pytest.fixture(scope="module")
def callers(api: Served) -> Iterator[dict[str, tuple[httpx.Client, frozenset[Scope]]]]:
    """Everybody who may ask, with what they may do: each role, a key for each scope, and those who may nothing."""
    with ExitStack() as stack:
        found = {str(role): (stack.enter_context(api.person(role)), SCOPES[role]) for role in Role}
        for scope in Scope:
            found[f"key for {scope}"] = (stack.enter_context(api.client_with(scope)), frozenset({scope}))
        for name in ANONYMOUS:
            found[name] = (stack.enter_context(api.client_with()), NOTHING)
        show_key(found["revoked key"][0], issue_key(api.ledger.api_keys, "revoked", frozenset(Scope), "tests")[0])
        api.ledger.api_keys.revoke("revoked")
        show_key(
            found["expired key"][0], issue_key(api.ledger.api_keys, "expired", frozenset(Scope), "tests", now() - timedelta(seconds=1))[0]
        )
        show_key(found["unknown key"][0], "mt_" + 43 * "x")
        found["password as a key"][0].auth = ("ada", "correct horse battery")
        api.ledger.users.add("gone", "Gone", Role.ADMIN)
        for name, user in (("ended session", "ada"), ("disabled account", "gone")):
            opened = api.sign_in_as(user)
            found[name][0].cookies.set("mammotriage", opened.token)
            found[name][0].headers["X-CSRF-Token"] = opened.csrf_token
            if user == "ada":
                api.ledger.sessions.close(digest(opened.token))
        api.ledger.users.set_disabled("gone", True)
        yield found


def show_key(client: httpx.Client, secret: str) -> None:
    client.headers["Authorization"] = f"Bearer {secret}"


def ask(client: httpx.Client, route: GuardedRoute) -> httpx.Response:
    """Ask for something that is not there: an admitted request gets no further than a 404. Streams are not read to their end."""
    path = re.sub(r"{[^}]*}", "1", route.path)
    with client.stream(route.method, path) as response:
        if response.status_code in (401, 403):
            response.read()
        return response


def test_every_route_lets_in_who_may_and_nobody_else(api: Served, callers: dict[str, tuple[httpx.Client, frozenset[Scope]]]) -> None:
    guarded = [route for route in list_routes(api.site) if not route.is_public]
    assert len(guarded) > 40
    wrong = []
    for route in guarded:
        (scope,) = set(route.scopes)
        for name, (client, scopes) in callers.items():
            answer = ask(client, route)
            wanted = 401 if name in ANONYMOUS else 403 if scope not in scopes else None
            fits = answer.status_code == wanted if wanted else answer.status_code not in (401, 403, 500)
            if not fits:
                wrong.append(f"{name}: {route.method} {route.path} answered {answer.status_code}")
            elif wanted:
                assert answer.json()["code"] == ("not-signed-in" if wanted == 401 else "forbidden")
                assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert wrong == []


def test_the_list_of_routes_leaves_none_out(api: Served) -> None:
    listed = {(route.method, route.path) for route in list_routes(api.site)}
    described = {(method.upper(), path) for path, methods in api.site.openapi()["paths"].items() for method in methods}
    assert described <= listed
    assert {("GET", "/"), ("GET", "/access"), ("GET", "/openapi.json"), ("POST", "/sign-in")} <= listed


def test_what_changes_something_needs_more_than_reading(api: Served) -> None:
    may_only_read = {(route.method, route.path) for route in list_routes(api.site) if route.method != "GET" and Scope.READ in route.scopes}
    assert may_only_read == {("POST", "/api/v1/studies/search"), ("POST", "/api/v1/hanging"), ("POST", "/api/v1/access/me/password")}


@pytest.mark.parametrize("dependencies", [[], [require_scope(Scope.READ), require_scope(Scope.DECIDE)]])
def test_an_application_with_a_route_of_no_or_two_scopes_does_not_start(dependencies: list[object]) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/new", dependencies=dependencies)(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="GET /new"):
        require_scopes_on_routes(app)


def test_what_is_public_tells_nothing(api: Served) -> None:
    with api.client_with() as nobody:
        public = {route.path for route in list_routes(api.site) if route.is_public}
        assert public == {"/healthz", "/readyz", "/static", "/sign-in", "/sign-out", "/sign-in/oidc", "/sign-in/oidc/callback"}
        assert nobody.get("/healthz").status_code == nobody.get("/readyz").status_code == 200
        assert nobody.get("/static/js/api.js").headers["content-type"].startswith("text/javascript")
        assert "Worklist" not in nobody.get("/sign-in").text
