"""The API with the reading room in front of it."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service.api.app import create_app
from service.api.readiness import Probe
from service.jobs.context import Context
from service.web import pages

STATIC = Path(__file__).parent / "static"


def create_site(context: Context, probe: Probe) -> FastAPI:
    """Build the API and the pages. Parameters as for `create_app`."""
    site = create_app(context, probe)
    site.mount("/static", StaticFiles(directory=STATIC), name="static")
    site.include_router(pages.build_router(context.settings))
    return site
