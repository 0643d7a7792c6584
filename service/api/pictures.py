"""``/api/v1/instances/{uid}``: what was drawn of an image."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.api.problems import ProblemError, problem_responses
from service.api.schemas import Uid
from service.receive.accept import ReceiveContext

_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "the picture"}
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one store."""
    router = APIRouter(prefix="/api/v1/instances", tags=["instances"])

    def _picture(sop_uid: str, name: str) -> FileResponse:
        row = context.ledger.instance(sop_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID")
        path = context.store.results_dir(sop_uid) / name
        if not path.is_file():
            why = row.finding.reason.text if row.finding and row.finding.reason else "it is not analysed yet"
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-picture", f"nothing was drawn of this image: {why}")
        # A re-analysis under a newer model draws anew, so a picture is kept by caches only after asking.
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, no-cache"})

    @router.get("/{sop_uid}/heatmap.png", response_class=FileResponse, responses={**_PNG, **problem_responses(404, 422)})
    def heatmap(sop_uid: Uid) -> FileResponse:
        """Where the cancer network looked: colours over the preview."""
        return _picture(sop_uid, "heatmap.png")

    @router.get("/{sop_uid}/preview.png", response_class=FileResponse, responses={**_PNG, **problem_responses(404, 422)})
    def preview(sop_uid: Uid) -> FileResponse:
        """The image as the networks were shown it, dark background, small."""
        return _picture(sop_uid, "preview.png")

    return router
