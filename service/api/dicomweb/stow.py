"""STOW-RS (PS3.18 section 10.5): instances stored over HTTP, accepted by the same code as C-STORE."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydicom import Dataset
from pydicom.sequence import Sequence

from service.api.auth import require_scope
from service.api.dicomweb import qido as dicomweb_search
from service.api.dicomweb import wado as dicomweb_retrieve
from service.api.dicomweb import wado_frames as dicomweb_frames
from service.api.dicomweb import wado_rendered as dicomweb_rendered
from service.api.dicomweb.params import StudyUid
from service.api.dicomweb.urls import PREFIX, Urls
from service.api.http.multipart_upload import Part, spool_parts
from service.api.http.problems import ProblemError, problem_responses
from service.api.upload import Refusal, UploadResult, accept_upload, identify
from service.domain.access import Scope
from service.error_table import status_of
from service.errors import Unparsable
from service.receive.accept import ReceiveContext
from service.store.dicom_objects import ObjectFilter, StoredInstance

MEDIA_TYPE = "application/dicom+json"

_SUCCESS_EXAMPLE = {
    "00081190": {"vr": "UR", "Value": ["http://127.0.0.1:8080/dicom-web/studies/2.25.338214000"]},
    "00081199": {
        "vr": "SQ",
        "Value": [
            {"00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.1.2"]}, "00081155": {"vr": "UI", "Value": ["2.25.338214001"]}}
        ],
    },
}
_FAILURE_EXAMPLE = {"00081190": {"vr": "UR"}, "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [49152]}}]}}


def _content(example: dict[str, Any]) -> dict[str, Any]:
    return {"content": {MEDIA_TYPE: {"schema": {"type": "object"}, "example": example}}}


_OPENAPI: dict[int | str, dict[str, Any]] = {
    200: {"description": "every instance is stored", **_content(_SUCCESS_EXAMPLE)},
    202: {
        "description": "some instances are stored, the others are named with a failure reason",
        **_content(_SUCCESS_EXAMPLE | _FAILURE_EXAMPLE),
    },
    409: {"description": "no instance is stored", **_content(_FAILURE_EXAMPLE)},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            'multipart/related; type="application/dicom"': {
                "schema": {"type": "string", "format": "binary"},
                "example": "--B\r\nContent-Type: application/dicom\r\n\r\n<DICOM part 10 bytes>\r\n--B--",
            }
        },
    }
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one store."""
    router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
    for part in (dicomweb_search, dicomweb_retrieve, dicomweb_frames, dicomweb_rendered):
        router.include_router(part.build_router(context))

    def _route(path: str) -> Callable[..., Any]:
        return router.post(
            path,
            response_class=Response,
            openapi_extra=_BODY,
            responses={**_OPENAPI, **problem_responses(400, 413, 415)},
            dependencies=[require_scope(Scope.UPLOAD)],
        )

    async def _store(request: Request, study_instance_uid: str = "") -> Response:
        parts = await spool_parts(request, context.store.spool_dir, "multipart/related", context.settings.max_instance_bytes)
        taken = await run_in_threadpool(_accept, parts, context, study_instance_uid)
        status = HTTPStatus.OK if not taken.refusals else HTTPStatus.ACCEPTED if taken.receipts else HTTPStatus.CONFLICT
        answer = await run_in_threadpool(describe_outcome, taken, context, Urls(request, context.settings))
        return JSONResponse(answer.to_json_dict(), status, media_type=MEDIA_TYPE)

    @_route("/studies")
    async def store_instances(request: Request) -> Response:
        """Store instances of any studies."""
        return await _store(request)

    @_route("/studies/{study_instance_uid}")
    async def store_instances_of_study(request: Request, study_instance_uid: StudyUid) -> Response:
        """Store instances of one study; those of another study fail."""
        return await _store(request, study_instance_uid)

    return router


def _accept(parts: list[Part], context: ReceiveContext, study_instance_uid: str) -> UploadResult:
    """Accept the parts that are DICOM; a part of another media type fails, and where there is no other the request does."""
    wrong = [part for part in parts if part.content_type not in ("application/dicom", "")]
    try:
        if not parts:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "no-files", "the request holds no instance")
        if len(wrong) == len(parts):
            raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "each part must be application/dicom")
        taken = accept_upload([part for part in parts if part not in wrong], context, study_instance_uid)
        taken.refusals += [
            Refusal(parts.index(part), Unparsable("the part is not application/dicom"), identify(part.path)) for part in wrong
        ]
        return taken
    finally:
        for part in wrong:
            part.path.unlink(missing_ok=True)


def describe_outcome(taken: UploadResult, context: ReceiveContext, urls: Urls) -> Dataset:
    """The Store Instances Response Module (PS3.18 Table 10.5.3-1 and PS3.3 section C.12.1.1.16).

    Retrieve URL names the study where all of it is one; each instance has its own. A result of ours that came back has none where its
    file is not kept.
    """
    answer = Dataset()
    answer.RetrieveURL = urls.study(taken.study_instance_uids[0]) if len(taken.study_instance_uids) == 1 else None
    if taken.receipts:
        uids = tuple({receipt.sop_instance_uid for receipt in taken.receipts})
        kept = {each.sop_instance_uid: each for each in context.ledger.dicom_objects.find_instances(ObjectFilter(sop_instance_uids=uids))}
        answer.ReferencedSOPSequence = Sequence(
            [_reference(receipt.sop_instance_uid, kept.get(receipt.sop_instance_uid), urls) for receipt in taken.receipts]
        )
    named = [each for each in taken.refusals if each.identity.sop_instance_uid]
    nameless = [each for each in taken.refusals if not each.identity.sop_instance_uid]
    if named:
        answer.FailedSOPSequence = Sequence([_failure(each) for each in named])
    if nameless:
        answer.OtherFailuresSequence = Sequence([_failure(each) for each in nameless])
    return answer


def _reference(sop_instance_uid: str, stored: StoredInstance | None, urls: Urls) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = stored.sop_class_uid if stored else ""
    item.ReferencedSOPInstanceUID = sop_instance_uid
    item.RetrieveURL = urls.instance(stored) if stored else None
    return item


def _failure(refusal: Refusal) -> Dataset:
    item = Dataset()
    if refusal.identity.sop_instance_uid:
        item.ReferencedSOPClassUID = refusal.identity.sop_class_uid
        item.ReferencedSOPInstanceUID = refusal.identity.sop_instance_uid
    item.FailureReason = status_of(refusal.error).stow
    return item
