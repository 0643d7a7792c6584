"""A browser sends its cookie whoever made it ask; a request that changes something must show that our own page did."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request

from service.api.http.problems import ProblemError
from service.settings import LOOPBACK, Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

HEADER = "X-CSRF-Token"


class Foreign(ProblemError):
    """The request was not made by one of our pages."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, "not-from-our-page", detail)


def check_csrf(request: Request, csrf_token: str, settings: Settings) -> None:
    """Let a request with a cookie through where it changes nothing, or shows its session's token and comes from our own page.

    Raises
    ------
    Foreign
        Otherwise.
    """
    if request.method in SAFE:
        return
    refuse_other_origin(request, settings)
    # As bytes: a header may hold what compare_digest refuses as text.
    if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), csrf_token.encode()):
        raise Foreign(f"a request with a session's cookie that changes something needs the header {HEADER}")


def refuse_other_origin(request: Request, settings: Settings) -> None:
    """Look at where the browser says that a request comes from; software says nothing, and shows no cookie either.

    Raises
    ------
    Foreign
        It names another place.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Foreign("the request comes from another site")
    origin = request.headers.get("Origin")
    if origin is None:
        return
    # The address that people use, and the one that this request used: the browser tells both, and no page can change either.
    if urlsplit(origin).netloc not in {urlsplit(settings.public_api_url).netloc, request.headers.get("Host", "")}:
        raise Foreign("the request comes from another origin")


def reject_dns_rebinding(request: Request, settings: Settings) -> None:
    """Where signing in is off, a page from elsewhere must not act through the browser of somebody who reaches us.

    Raises
    ------
    Foreign
        The request comes from another page, or calls us by a name that somebody made lead here (DNS rebinding).
    """
    if request.method not in SAFE:
        refuse_other_origin(request, settings)
    if not settings.allow_open_access_beyond_loopback and request.url.hostname not in {
        *LOOPBACK,
        urlsplit(settings.public_api_url).hostname,
    }:
        raise Foreign("this host is not called so")
