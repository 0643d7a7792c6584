"""One route for each page: a shell from its template. The page's module in ``static/js`` fetches what it shows from the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader

from service.api.access import needs
from service.api.schemas import Uid
from service.domain.access import Identity, Scope
from service.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"

Reader = Annotated[Identity, needs(Scope.READ)]

NAVIGATION = (
    ("/", "Worklist"),
    ("/corrections", "Corrections"),
    ("/operations", "Operations"),
    ("/quality", "Quality"),
)


def build_router(settings: Settings) -> APIRouter:
    """Routes of the pages; none stands in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    templates = Jinja2Templates(env=environment)

    def show(request: Request, name: str, who: Identity, **values: Any) -> Response:
        session = getattr(request.state, "session", None)
        common = {"page": name, "who": who, "navigation": NAVIGATION, "csrf_token": session.csrf_token if session else ""}
        response: Response = templates.TemplateResponse(request, f"{name}.html", common | values)
        return response

    @router.get("/")
    def worklist(request: Request, who: Reader) -> Response:
        return show(request, "worklist", who)

    @router.get("/studies/{study_uid}")
    def study(request: Request, study_uid: Uid, who: Reader) -> Response:
        return show(request, "study", who, study_uid=study_uid)

    @router.get("/corrections")
    def corrections(request: Request, who: Reader) -> Response:
        return show(request, "corrections", who)

    @router.get("/operations")
    def operations(request: Request, who: Reader) -> Response:
        return show(request, "operations", who)

    @router.get("/quality")
    def quality(request: Request, who: Reader) -> Response:
        return show(request, "quality", who)

    return router
