"""Middleware around every route: security headers, limits of body size, and the audit log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.auth.cookies import is_https
from service.api.auth.csrf import SAFE
from service.api.auth.route_scopes import Attempt
from service.api.http.problems import answer
from service.domain.access import Identity
from service.settings import Settings
from service.store.accounts.audit_log import AuditLog

log = logging.getLogger(__name__)

QUESTIONS = frozenset({"/api/v1/studies/search", "/api/v1/hanging"})
"""POST requests that only read: their query is too private or too long for a URL."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Content Security Policy level 3: no foreign origin, nothing inline, no eval, no framing."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: under it a browser sends "Origin: null" with our own forms, and they would be refused.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}

SMALL_KINDS, SMALL_BYTES = ("application/json", "application/x-www-form-urlencoded", ""), 1 << 20
"""Bodies of these types are held in memory as a whole; uploaded files have other types."""

DENIED_AGAIN_S = 60.0
"""The same refusal of the same identity is recorded at most this often."""

# A UID or a number of the ledger. Any other text in the path of a refused request stays out of the audit log.
_IDENTIFIER = re.compile(r"[0-9][0-9.]{0,63}")


class AuditMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, audit_log: AuditLog, settings: Settings) -> None:
        self._app, self._audit_log = app, audit_log
        self._headers = HEADERS | (TRANSPORT if is_https(settings) else {})
        self._denied: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Before the answer leaves: nothing is reported as done that the trail does not know.
                await self._write_down(scope["method"], message["status"], state)
                state["answered"] = True
                protect(MutableHeaders(scope=message), self._headers, scope["path"])
            await send(message)

        try:
            await self._app(scope, limited(scope, receive), send_on)
        except Exception as error:
            # Starlette answers these outside of every middleware, without our headers: so they are answered here.
            log.error("unexpected error in a request", extra={"error": type(error).__name__})
            if not state.get("answered"):
                broken = answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "the request broke the server; its log says where")
                await broken(scope, receive, send_on)
            raise

    async def _write_down(self, method: str, status: int, state: Mapping[str, Any]) -> None:
        attempt: Attempt | None = state.get("attempt")
        identity: Identity | None = state.get("identity")
        if attempt is None or identity is None:
            return
        action = describe(method, attempt.path)
        if status in (401, 403):
            await self._write_denied(identity.name, action, attempt)
        elif status < 400 and method not in SAFE and attempt.path not in QUESTIONS:
            subject = state.get("audit_subject") or " ".join(map(str, attempt.parameters.values()))
            await run_in_threadpool(self._audit_log.append, identity.name, action, subject, state.get("audit_detail", ""))

    async def _write_denied(self, actor: str, action: str, attempt: Attempt) -> None:
        before, now_s = self._denied.get((actor, action)), time.monotonic()
        if before is not None and now_s - before < DENIED_AGAIN_S:
            return
        self._denied = {key: at for key, at in self._denied.items() if now_s - at < DENIED_AGAIN_S} | {(actor, action): now_s}
        subject = " ".join(value for value in map(str, attempt.parameters.values()) if _IDENTIFIER.fullmatch(value))
        await run_in_threadpool(self._audit_log.append, actor, "denied", subject, action)


def limited(scope: Scope, receive: Receive) -> Receive:
    """Stop reading a body of JSON or of a form's fields that is larger than any of ours: it is read before it is known who asks."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind not in SMALL_KINDS:
        return receive
    size = 0

    async def receive_on() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > SMALL_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of this kind has at most {SMALL_BYTES} bytes")
        return message

    return receive_on


def describe(method: str, path: str) -> str:
    """Name of an action in the audit trail: ``POST /corrections/*/approve``."""
    return f"{method} {re.sub(r'{[^}]*}', '*', path.removeprefix('/api/v1'))}"


def protect(headers: MutableHeaders, values: Mapping[str, str], path: str) -> None:
    """Add the security headers. A route's own Cache-Control is kept; otherwise only static files may be cached."""
    for name, value in values.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-cache" if path.startswith("/static/") else "no-store")
