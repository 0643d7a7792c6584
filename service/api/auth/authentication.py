"""Authentication: which identity makes a request, and whether its scopes allow the route.

Software sends a key (``Authorization: Bearer``, RFC 6750), a browser the cookie of its session. A request with a cookie that changes
something must also come from our own page (`csrf`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from service.accounts.sessions import idle_time
from service.accounts.tokens import digest
from service.api.auth.cookies import cookie_name
from service.api.auth.csrf import check_csrf, reject_dns_rebinding
from service.api.auth.route_scopes import Attempt
from service.api.http.problems import ProblemError
from service.domain.access import SCOPES, Identity, Role, Scope
from service.settings import Settings
from service.store.accounts.rows import KeyRow, SessionRow
from service.store.database import now
from service.store.ledger import Ledger

ANONYMOUS = Identity("anonymous", "anonymous", SCOPES[Role.ADMIN], Role.ADMIN)
"""The identity of every request where sign-in is off."""

KEY_CACHE_S = 3.0
"""A key that another process revoked may work here for so long."""

CACHED_KEYS = 1000
TOUCH_AFTER = timedelta(seconds=60)
"""The last use of a session or key is recorded at most this often."""

_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="key of `mammotriage keys make`; pages use the cookie of a session")


class NotSignedIn(ProblemError):
    """The request has no valid key and no valid session."""

    def __init__(self, detail: str = "sign in, or send a key: Authorization: Bearer mt_...", wrong_key: bool = False) -> None:
        challenge = 'Bearer realm="mammotriage"' + (', error="invalid_token"' if wrong_key else "")
        super().__init__(HTTPStatus.UNAUTHORIZED, "not-signed-in", detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ProblemError):
    """The identity lacks the scope that the route requires."""

    def __init__(self, scope: Scope) -> None:
        challenge = f'Bearer realm="mammotriage", error="insufficient_scope", scope="{scope}"'
        super().__init__(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"this needs the scope {scope}, which you do not have",
            headers={"WWW-Authenticate": challenge},
        )


@dataclass(frozen=True)
class _CachedKey:
    row: KeyRow
    identity: Identity
    until_s: float


class Authenticator:
    """Finds the identity behind a key or a session; one for each application, in ``app.state.authenticator``."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings
        self._keys: dict[str, _CachedKey] = {}

    async def identify(self, request: Request) -> Identity:
        """Find the identity that makes this request.

        Raises
        ------
        NotSignedIn
            No key and no session, or an expired or unknown one.
        ProblemError
            403 where a page of another site made the browser send the request.
        """
        if self._settings.sign_in == "off":
            reject_dns_rebinding(request, self._settings)
            return ANONYMOUS
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not secret.strip():
                raise NotSignedIn("only bearer keys are understood", wrong_key=True)
            return await self._identify_key(digest(secret.strip()))
        session = await self.session(request)
        if session is None:
            raise NotSignedIn
        user = session.user
        identity = request.state.identity = Identity(user.name, user.display_name, SCOPES[user.role], user.role)
        check_csrf(request, session.csrf_token, self._settings)
        return identity

    async def session(self, request: Request) -> SessionRow | None:
        """The valid session that the request's cookie names, or None; looked up once a request."""
        if not hasattr(request.state, "session"):
            token = request.cookies.get(cookie_name(self._settings))
            found = await run_in_threadpool(self._find_session, digest(token), is_background(request)) if token else None
            request.state.session = found
        return cast("SessionRow | None", request.state.session)

    def forget_keys(self) -> None:
        """Empty the cache of keys after one was revoked."""
        self._keys.clear()

    def _find_session(self, token_sha256: str, background: bool) -> SessionRow | None:
        idle = idle_time(self._settings)
        return self._ledger.sessions.get(token_sha256, idle, timedelta.max if background else min(TOUCH_AFTER, idle / 4))

    async def _identify_key(self, secret_sha256: str) -> Identity:
        cached = self._keys.get(secret_sha256)
        if cached is None or cached.until_s < time.monotonic():
            self._keys.pop(secret_sha256, None)
            row = await run_in_threadpool(self._find_key, secret_sha256)
            if row is None:
                raise NotSignedIn("no such key", wrong_key=True)
            if len(self._keys) >= CACHED_KEYS:
                self._keys.clear()
            cached = _CachedKey(row, Identity(row.name, row.name, row.scopes, None), time.monotonic() + KEY_CACHE_S)
            self._keys[secret_sha256] = cached
        if not cached.row.is_valid(now()):
            raise NotSignedIn("this key has expired or was revoked", wrong_key=True)
        return cached.identity

    def _find_key(self, secret_sha256: str) -> KeyRow | None:
        row = self._ledger.api_keys.get_by_secret(secret_sha256)
        if row is not None and row.is_valid(now()) and (row.used_at is None or now() - row.used_at > TOUCH_AFTER):
            self._ledger.api_keys.touch(row.id)
        return row


def is_background(request: Request) -> bool:
    """Tell whether a page makes this request by itself. Such a request does not extend a session: an open page would never sign out."""
    return "X-Background" in request.headers or request.headers.get("Accept") == "text/event-stream"


async def current_identity(request: Request) -> Identity:
    """The identity that makes a request; looked up once a request."""
    known: Identity | None = getattr(request.state, "identity", None)
    if known is None:
        authenticator: Authenticator = request.app.state.authenticator
        known = request.state.identity = await authenticator.identify(request)
    return known


def require_scope(scope: Scope) -> Any:
    """A dependency that admits a request whose identity has the scope, and returns the identity."""

    async def check(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Identity:
        # `AuditMiddleware` writes it into the audit log, whether the request is admitted or not.
        request.state.attempt = Attempt(scope, request.scope["route"].path, dict(request.path_params))
        identity = await current_identity(request)
        if scope not in identity.scopes:
            raise Forbidden(scope)
        return identity

    check_scope: Callable[..., Awaitable[Identity]] = check
    check_scope.scope = scope  # type: ignore[attr-defined]  # what `routes` reads
    return Depends(check_scope)
