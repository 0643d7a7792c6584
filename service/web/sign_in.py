"""Signing in and out: a plain form that works without scripts, and the way to an OpenID Connect issuer and back."""

from __future__ import annotations

import hmac
import logging
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from service.accounts.oidc import Issuer, Pending
from service.accounts.oidc_sign_in import sign_in_with_oidc
from service.accounts.password_sign_in import sign_in
from service.accounts.sessions import OpenedSession, lifetime
from service.accounts.tokens import digest, make_token
from service.api.accounts.routes import too_many
from service.api.auth import Authenticator
from service.api.auth.cookies import client_address, cookie_name, is_https
from service.api.auth.csrf import NotFromOurPage, check_origin
from service.domain.access import Role
from service.errors import OidcRefused, SignInRefused, TooManySignIns
from service.settings import Settings
from service.store.ledger import Ledger
from service.web.rendering import Templates

LONGEST_FIELD = 1024
PENDING_S = 600
"""How long a sign-in at the issuer may take."""

Field = Annotated[str, Form(max_length=LONGEST_FIELD)]

log = logging.getLogger(__name__)


def build_router(ledger: Ledger, settings: Settings, templates: Templates) -> APIRouter:
    """The public routes of the site."""
    router = APIRouter(include_in_schema=False)
    form_cookie, oidc_cookie = cookie_name(settings, "-form"), cookie_name(settings, "-oidc")
    issuer = Issuer(settings) if settings.oidc_issuer else None

    @router.get("/sign-in")
    async def ask(request: Request, next: str = "/") -> Response:
        """The sign-in form; a signed-in person is redirected to the page they asked for."""
        authenticator: Authenticator = request.app.state.authenticator
        if settings.sign_in == "off" or await authenticator.session(request) is not None:
            return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
        return await run_in_threadpool(_form, request, next)

    @router.post("/sign-in")
    def enter(request: Request, name: Field = "", password: Field = "", next: Field = "/", form_token: Field = "") -> Response:
        """Take name and password."""
        check_origin(request, settings)
        if not _same(form_token, request.cookies.get(form_cookie, "")):
            return _form(request, next, HTTPStatus.FORBIDDEN, "The form was too old, or cookies are off. Try again.")
        try:
            opened = sign_in(ledger, settings, name[:64], password, client_address(request))
        except SignInRefused:
            return _form(request, next, HTTPStatus.UNAUTHORIZED, "Name or password is wrong.")
        except TooManySignIns as error:
            problem = too_many(error)
            words = f"Too many tries. Wait {problem.headers['Retry-After']} seconds."
            return _form(request, next, HTTPStatus.TOO_MANY_REQUESTS, words, problem.headers)
        return _let_in(request, opened, next)

    @router.post("/sign-out")
    async def leave(request: Request, csrf_token: Field = "") -> Response:
        """End the session, here and in the ledger."""
        authenticator: Authenticator = request.app.state.authenticator
        session = await authenticator.session(request)
        if session is not None:
            check_origin(request, settings)
            if not _same(csrf_token, session.csrf_token):
                raise NotFromOurPage("the form does not belong to this session")
            await run_in_threadpool(ledger.sessions.close, digest(request.cookies[cookie_name(settings)]))
            await run_in_threadpool(ledger.audit_log.append, session.user.name, "sign-out", session.user.name)
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        response.delete_cookie(cookie_name(settings), **_cookie())
        return response

    @router.get("/sign-in/oidc")
    def go_to_issuer(request: Request, next: str = "/") -> Response:
        """Begin at the issuer."""
        if issuer is None:
            return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        try:
            address, pending = issuer.begin(local_path(next))
        except OidcRefused as error:
            return _refused(request, error)
        response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
        response.set_cookie(oidc_cookie, pending.pack(), max_age=PENDING_S, **_cookie())
        return response

    @router.get("/sign-in/oidc/callback")
    def come_back(request: Request) -> Response:
        """Finish what was begun at the issuer."""
        if issuer is None:
            return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        try:
            pending = Pending.unpack(request.cookies.get(oidc_cookie, ""))
            claims = issuer.finish(pending, dict(request.query_params))
            opened = sign_in_with_oidc(ledger, settings, claims, client_address(request))
        except OidcRefused as error:
            return _refused(request, error)
        response = _let_in(request, opened, pending.next)
        response.delete_cookie(oidc_cookie, **_cookie())
        return response

    def _refused(request: Request, error: OidcRefused) -> Response:
        log.warning("sign-in with OpenID Connect failed", extra={"error": str(error)})
        return _form(request, "/", HTTPStatus.FORBIDDEN, f"{str(error)[:1].upper()}{str(error)[1:]}.")

    def _form(
        request: Request, next_path: str, status: int = HTTPStatus.OK, wrong: str = "", headers: dict[str, str] | None = None
    ) -> Response:
        # The same token as long as the browser keeps it: two tabs may be open.
        token = request.cookies.get(form_cookie) or make_token()
        first_use = not any(user.role is Role.ADMIN and not user.disabled for user in ledger.users.all())
        oidc_link = f"/sign-in/oidc?{urlencode({'next': local_path(next_path)})}" if issuer else None
        response = templates.show(
            request, "sign-in", None, status=status, form_token=token, next=local_path(next_path), wrong=wrong,
            oidc_link=oidc_link, first_use=first_use,
        )  # fmt: skip
        response.headers.update(headers or {})
        response.set_cookie(form_cookie, token, **_cookie() | {"samesite": "strict"})
        return response

    def _let_in(request: Request, opened: OpenedSession, next_path: str) -> Response:
        if former := request.cookies.get(cookie_name(settings)):
            ledger.sessions.close(digest(former))
        response = RedirectResponse(local_path(next_path), HTTPStatus.SEE_OTHER)
        response.set_cookie(cookie_name(settings), opened.token, max_age=int(lifetime(settings).total_seconds()), **_cookie())
        return response

    def _cookie() -> dict[str, Any]:
        return {"path": "/", "httponly": True, "secure": is_https(settings), "samesite": "lax"}

    return router


def local_path(wanted: str) -> str:
    """A path of ours to go on to; the worklist where it leads anywhere else, or back to the form."""
    # Browsers read \\ as /, and leave control characters out before they look: such a text is none of ours.
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/sign-")) and wanted.isprintable() and "\\" not in wanted
    return wanted if ours else "/"


def _same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())
