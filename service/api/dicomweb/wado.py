"""WADO-RS (PS3.18 section 10.4): studies, series and instances as DICOM files, and their metadata as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from service.api.auth import require_scope
from service.api.dicomweb.archive import Archive
from service.api.dicomweb.media_types import DICOM, JSON
from service.api.dicomweb.params import SeriesUid, SopUid, StudyUid
from service.api.http.problems import problem_responses
from service.domain.access import Scope
from service.receive.accept import ReceiveContext

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the objects", "content": {f'multipart/related; type="{DICOM}"': _BINARY}},
    206: {"description": "some objects; the files of the others cannot be read"},
    **problem_responses(400, 404, 406, 410, 422),
}
_METADATA: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "one data set an instance, long values as BulkDataURI",
        "content": {JSON[0]: {"schema": {"type": "array"}, "example": [{"00080018": {"vr": "UI", "Value": ["2.25.338214001"]}}]}},
    },
    **problem_responses(400, 404, 406, 422),
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one ledger and one store."""
    router = APIRouter(prefix="/studies/{study_instance_uid}", dependencies=[require_scope(Scope.READ)])
    archive = Archive(context)

    def _route(path: str, responses: dict[int | str, dict[str, Any]]) -> Callable[..., Any]:
        return router.get(path, response_class=Response, responses=responses)

    @_route("", _FILES)
    def study(request: Request, study_instance_uid: StudyUid) -> Response:
        """Every object of a study."""
        return archive.send(request, archive.find(study_instance_uid))

    @_route("/metadata", _METADATA)
    def study_metadata(request: Request, study_instance_uid: StudyUid) -> Response:
        """The metadata of a study."""
        return archive.describe(request, archive.find(study_instance_uid))

    @_route("/series/{series_instance_uid}", _FILES)
    def series(request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid) -> Response:
        """Every object of a series."""
        return archive.send(request, archive.find(study_instance_uid, series_instance_uid))

    @_route("/series/{series_instance_uid}/metadata", _METADATA)
    def series_metadata(request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid) -> Response:
        """The metadata of a series."""
        return archive.describe(request, archive.find(study_instance_uid, series_instance_uid))

    @_route("/series/{series_instance_uid}/instances/{sop_instance_uid}", _FILES)
    def instance(request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid) -> Response:
        """One object; in one piece where the client takes application/dicom."""
        return archive.send(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid), single=True)

    @_route("/series/{series_instance_uid}/instances/{sop_instance_uid}/metadata", _METADATA)
    def instance_metadata(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid
    ) -> Response:
        """The metadata of one object."""
        return archive.describe(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid))

    return router
