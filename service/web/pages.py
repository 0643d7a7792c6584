"""One route for each page: a shell from its template. The page's module in ``static/js`` fetches what it shows from the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from service.api.auth import needs
from service.api.http.params import Uid
from service.domain.access import Identity, Scope
from service.web.shells import Shells

Reader = Annotated[Identity, needs(Scope.READ)]

Administrator = Annotated[Identity, needs(Scope.ADMIN)]


def build_router(shells: Shells) -> APIRouter:
    """Routes of the pages; none stands in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    show = shells.show

    @router.get("/")
    def worklist(request: Request, who: Reader) -> Response:
        return show(request, "worklist", who)

    @router.get("/studies/{study_instance_uid}")
    def study(request: Request, study_instance_uid: Uid, who: Reader) -> Response:
        return show(request, "study", who, study_instance_uid=study_instance_uid)

    @router.get("/corrections")
    def corrections(request: Request, who: Reader) -> Response:
        return show(request, "corrections", who)

    @router.get("/operations")
    def operations(request: Request, who: Reader) -> Response:
        return show(request, "operations", who)

    @router.get("/quality")
    def quality(request: Request, who: Reader) -> Response:
        return show(request, "quality", who)

    @router.get("/access")
    def access(request: Request, who: Administrator) -> Response:
        return show(request, "access", who, scopes=list(Scope))

    @router.get("/docs")
    def docs(request: Request, who: Reader) -> Response:
        return show(request, "docs", who)

    @router.get("/account")
    def account(request: Request, who: Reader) -> Response:
        return show(request, "account", who)

    return router
