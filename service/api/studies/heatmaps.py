"""``/api/v1/instances/{uid}``: what was drawn of an image."""

from __future__ import annotations

import io
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from service.analyse.heatmap import encode_png
from service.api.auth import require_scope
from service.api.http.params import Uid
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Scope
from service.receive.accept import ReceiveContext

_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "the picture"}
}

_KEEP = {"Cache-Control": "private, no-cache"}
"""A re-analysis under a newer model draws anew, so a picture is kept by caches only after asking."""


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one store."""
    router = APIRouter(prefix="/api/v1/instances", tags=["instances"], dependencies=[require_scope(Scope.READ)])

    def _drawn(sop_instance_uid: str, name: str) -> Path:
        row = context.ledger.instances.get(sop_instance_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID")
        path = context.store.results_dir(sop_instance_uid) / name
        if not path.is_file():
            reason = row.finding.reason.text if row.finding and row.finding.reason else "it is not analysed yet"
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-picture", f"nothing was drawn of this image: {reason}")
        return path

    def _picture(sop_instance_uid: str, name: str) -> FileResponse:
        return FileResponse(_drawn(sop_instance_uid, name), media_type="image/png", headers=_KEEP)

    @router.get("/{sop_instance_uid}/heatmap.png", response_class=FileResponse, responses={**_PNG, **problem_responses(404, 422)})
    def heatmap(sop_instance_uid: Uid) -> FileResponse:
        """Where the cancer network looked: colours over the preview."""
        return _picture(sop_instance_uid, "heatmap.png")

    @router.get("/{sop_instance_uid}/preview.png", response_class=FileResponse, responses={**_PNG, **problem_responses(404, 422)})
    def preview(sop_instance_uid: Uid) -> FileResponse:
        """The image as the networks were shown it, dark background, small."""
        return _picture(sop_instance_uid, "preview.png")

    @router.get("/{sop_instance_uid}/heat.png", response_class=Response, responses={**_PNG, **problem_responses(404, 422)})
    def heat(sop_instance_uid: Uid) -> Response:
        """The cancer network's map by itself, over the whole source: 0 is nothing, 255 the strongest suspicion."""
        with np.load(io.BytesIO(_drawn(sop_instance_uid, "heatmap.npz").read_bytes())) as kept:
            grey = np.rint(255.0 * np.clip(kept["heat"].astype(np.float32), 0, 1)).astype(np.uint8)
        return Response(encode_png(grey), media_type="image/png", headers=_KEEP)

    return router
