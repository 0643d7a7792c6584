"""The API with the reading room in front of it."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from service.api.access import NotSignedIn, refuse_open_routes
from service.api.app import create_app
from service.api.problems import answer
from service.api.readiness import Probe
from service.jobs.context import Context
from service.web import pages, sign_in
from service.web.shells import Shells

STATIC = Path(__file__).parent / "static"
PROGRAMS = ("/api/", "/dicom-web/", "/metrics")
"""Where programs ask, not people: they are not led to a page."""


def create_site(context: Context, probe: Probe) -> FastAPI:
    """Build the API and the pages; refuses to where a route says not who may use it. Parameters as for `create_app`."""
    site = create_app(context, probe)
    site.mount("/static", StaticFiles(directory=STATIC), name="static")
    shells = Shells()
    site.include_router(sign_in.build_router(context.ledger, context.settings, shells))
    site.include_router(pages.build_router(shells))
    site.add_exception_handler(NotSignedIn, ask_to_sign_in)
    refuse_open_routes(site)
    return site


async def ask_to_sign_in(request: Request, error: Exception) -> Response:
    """Lead a browser that wants a page to the sign-in page and back; software gets the problem."""
    assert isinstance(error, NotSignedIn)
    wants_page = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
    if wants_page and not request.url.path.startswith(PROGRAMS):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': here})}", HTTPStatus.SEE_OTHER)
    return answer(error.status, error.code, error.detail, error.errors, error.headers)
