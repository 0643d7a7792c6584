"""The API with the reading room in front of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from service.api.app import create_app
from service.api.auth import NotSignedIn, require_scopes_on_routes
from service.api.http.problems import ProblemError, answer
from service.health import Probe
from service.jobs.context import Context
from service.web import pages, sign_in
from service.web.rendering import Templates

STATIC = Path(__file__).parent / "static"
PROGRAMS = ("/api/", "/dicom-web/", "/metrics")
"""Where programs ask, not people: they are not led to a page."""


def create_site(context: Context, probe: Probe) -> FastAPI:
    """Build the API and the pages; raises if a route declares no scope. Parameters as for `create_app`."""
    site = create_app(context, probe)
    site.mount("/static", StaticFiles(directory=STATIC), name="static")
    templates = Templates()
    site.include_router(sign_in.build_router(context.ledger, context.settings, templates))
    site.include_router(pages.build_router(templates))
    site.add_exception_handler(NotSignedIn, ask_to_sign_in)
    for kind in (ProblemError, HTTPException, RequestValidationError):
        site.add_exception_handler(kind, _as_page(site.exception_handlers[kind], templates))
    require_scopes_on_routes(site)
    return site


async def ask_to_sign_in(request: Request, error: Exception) -> Response:
    """Lead a browser that wants a page to the sign-in page and back; software gets the problem."""
    assert isinstance(error, NotSignedIn)
    if wants_page(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': here})}", HTTPStatus.SEE_OTHER)
    return answer(error.status, error.code, error.detail, error.errors, error.headers)


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "") and not request.url.path.startswith(PROGRAMS)


def _as_page(say: Callable[[Request, Any], Any], templates: Templates) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The same problem, as a page where a person looks at it."""

    async def show(request: Request, error: Exception) -> Response:
        response: Response = await say(request, error)
        if not wants_page(request):
            return response
        actor = getattr(request.state, "identity", None)
        return await run_in_threadpool(
            templates.show, request, "problem", actor, response.status_code, problem=json.loads(bytes(response.body))
        )

    return show
