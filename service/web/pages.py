"""One route for each page: a shell from its template. The page's module in ``static/js`` fetches what it shows from the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from service.api.auth import require_scope
from service.api.http.params import Uid
from service.domain.access import Identity, Scope
from service.web.rendering import Templates

Reader = Annotated[Identity, require_scope(Scope.READ)]

Administrator = Annotated[Identity, require_scope(Scope.ADMIN)]


def build_router(templates: Templates) -> APIRouter:
    """Routes of the pages; none is in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    show = templates.show

    @router.get("/")
    def worklist(request: Request, actor: Reader) -> Response:
        return show(request, "worklist", actor)

    @router.get("/studies/{study_instance_uid}")
    def study(request: Request, study_instance_uid: Uid, actor: Reader) -> Response:
        return show(request, "study", actor, study_instance_uid=study_instance_uid)

    @router.get("/corrections")
    def corrections(request: Request, actor: Reader) -> Response:
        return show(request, "corrections", actor)

    @router.get("/operations")
    def operations(request: Request, actor: Reader) -> Response:
        return show(request, "operations", actor)

    @router.get("/quality")
    def quality(request: Request, actor: Reader) -> Response:
        return show(request, "quality", actor)

    @router.get("/access")
    def access(request: Request, actor: Administrator) -> Response:
        return show(request, "access", actor, scopes=list(Scope))

    @router.get("/docs")
    def docs(request: Request, actor: Reader) -> Response:
        return show(request, "docs", actor)

    @router.get("/account")
    def account(request: Request, actor: Reader) -> Response:
        return show(request, "account", actor)

    return router
