"""Templates of the pages, and what all of them are given."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader

from service.domain.access import Identity, Scope

TEMPLATES = Path(__file__).parent / "templates"

NAVIGATION = (
    ("/", "Worklist", Scope.READ),
    ("/corrections", "Corrections", Scope.READ),
    ("/operations", "Operations", Scope.READ),
    ("/quality", "Quality", Scope.READ),
    ("/access", "Access", Scope.ADMIN),
)
"""Path, title, and the scope whose holders see it in the navigation bar."""


class Templates:
    """Renders templates with the identity, its navigation, and the token of its session."""

    def __init__(self) -> None:
        environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._templates = Jinja2Templates(env=environment)

    def show(self, request: Request, name: str, actor: Identity | None, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """The page `name` for an identity, or for an anonymous visitor."""
        session = getattr(request.state, "session", None)
        common = {
            "page": name,
            "actor": actor,
            "navigation": [(path, title) for path, title, scope in NAVIGATION if actor and scope in actor.scopes],
            "csrf_token": session.csrf_token if session else "",
        }
        response: Response = self._templates.TemplateResponse(request, f"{name}.html", common | values, status_code=status)
        return response
