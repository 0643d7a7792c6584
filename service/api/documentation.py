"""``/openapi.json``: the API described for programs. What every route has in common is written in here, not at each route."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.api.access import needs
from service.domain.access import Scope


def build_router() -> APIRouter:
    """The description of the application that the router is included in."""
    router = APIRouter(dependencies=[needs(Scope.READ)], include_in_schema=False)

    @router.get("/openapi.json")
    def openapi(request: Request) -> JSONResponse:
        """The OpenAPI 3.1 document."""
        return JSONResponse(request.app.openapi())

    return router
