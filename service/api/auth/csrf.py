"""Protection against cross-site request forgery: a request with a cookie that changes something must come from our own page."""

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


class NotFromOurPage(ProblemError):
    """The request was not made by one of our pages."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, "not-from-our-page", detail)


def check_csrf(request: Request, csrf_token: str, settings: Settings) -> None:
    """Admit a request with a cookie that changes nothing, or that has its session's token and comes from our own page.

    Raises
    ------
    NotFromOurPage
        Otherwise.
    """
    if request.method in SAFE:
        return
    check_origin(request, settings)
    # As bytes: a header may hold what compare_digest refuses as text.
    if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), csrf_token.encode()):
        raise NotFromOurPage(f"a request with a session's cookie that changes something needs the header {HEADER}")


def check_origin(request: Request, settings: Settings) -> None:
    """Check the origin that the browser names; other software names none and sends no cookie.

    Raises
    ------
    NotFromOurPage
        The browser names another origin.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise NotFromOurPage("the request comes from another site")
    origin = request.headers.get("Origin")
    if origin is None:
        return
    # The public address, and the Host of this request: the browser sets both, and no page can change them.
    if urlsplit(origin).netloc not in {urlsplit(settings.public_api_url).netloc, request.headers.get("Host", "")}:
        raise NotFromOurPage("the request comes from another origin")


def reject_dns_rebinding(request: Request, settings: Settings) -> None:
    """Where sign-in is off, refuse what a page of another site makes a browser on this machine send.

    Raises
    ------
    NotFromOurPage
        The request comes from another page, or names a host that is not ours (DNS rebinding).
    """
    if request.method not in SAFE:
        check_origin(request, settings)
    if not settings.allow_open_access_beyond_loopback and request.url.hostname not in {
        *LOOPBACK,
        urlsplit(settings.public_api_url).hostname,
    }:
        raise NotFromOurPage("the Host header names another host: use the address of MAMMOTRIAGE_API_URL, or loopback")
