"""``/api/v1/studies``: hand studies in, ask what a study holds."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.api.auth import require_scope
from service.api.http.multipart_upload import spool_parts
from service.api.http.params import Uid
from service.api.http.prefer import read_wait
from service.api.http.problems import ProblemError, problem_responses
from service.api.studies.presenter import detail, study_location
from service.api.studies.schemas import ReceivedInstance, RefusedPart, StudyDetail, UploadAnswer
from service.api.upload import UploadResult, accept_upload
from service.domain.access import Scope
from service.domain.findings import InstanceState
from service.error_table import status_of
from service.receive.accept import ReceiveContext
from service.store.ledger import Ledger
from service.store.study_rows import StudyRow

POLL_S = 0.1

_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "DICOM part 10 files"}
                    },
                },
                "example": {"files": ["<DICOM part 10 bytes>", "<DICOM part 10 bytes>"]},
            }
        },
    }
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one ledger and one store."""
    router = APIRouter(prefix="/api/v1", tags=["studies"])
    ledger: Ledger = context.ledger
    spool, limit_bytes = context.store.spool_dir, context.settings.max_instance_bytes

    @router.post(
        "/studies",
        status_code=HTTPStatus.ACCEPTED,
        response_model=UploadAnswer,
        openapi_extra=_UPLOAD_BODY,
        responses={
            200: {"model": UploadAnswer, "description": "the labels were ready within `Prefer: wait=N`"},
            202: {"headers": {"Location": {"description": "where to ask for the (first) study", "schema": {"type": "string"}}}},
            **problem_responses(400, 413, 415, 422, 507),
        },
        dependencies=[require_scope(Scope.UPLOAD)],
    )
    async def upload(
        request: Request,
        response: Response,
        prefer: Annotated[
            str | None, Header(description="`wait=N`: answer with the labels if ready in N seconds", examples=["wait=20"])
        ] = None,
    ) -> UploadAnswer:
        """Hand DICOM files in, of one study or of several."""
        parts = await spool_parts(request, spool, "multipart/form-data", limit_bytes)
        taken = await run_in_threadpool(accept_upload, parts, context)
        refused = [RefusedPart(part=each.part, code=each.error.code, text=str(each.error)) for each in taken.refusals]
        if not taken.receipts:
            _refuse_all(taken, refused)
        wait_s = read_wait(prefer)
        ready = wait_s > 0 and await _wait_until_analysed(ledger, taken, wait_s)
        locations = [study_location(uid) for uid in taken.study_instance_uids]
        response.headers["Location"] = locations[0]
        if ready:
            response.status_code = HTTPStatus.OK
        if wait_s > 0:
            response.headers["Preference-Applied"] = f"wait={wait_s:.0f}"
        return UploadAnswer(
            received=[
                ReceivedInstance(sop_instance_uid=each.sop_instance_uid, study_instance_uid=each.study_instance_uid, accepted=each.accepted)
                for each in taken.receipts
            ],
            refused=refused,
            locations=locations,
            studies=[await run_in_threadpool(_detail, uid) for uid in taken.study_instance_uids] if ready else [],
        )

    @router.get(
        "/studies/{study_instance_uid}",
        response_model=StudyDetail,
        responses=problem_responses(404, 422),
        dependencies=[require_scope(Scope.READ)],
    )
    def study(study_instance_uid: Uid) -> StudyDetail:
        """One study: labels and score of each image, breasts, flag, and what was written back."""
        return _detail(study_instance_uid)

    def _row(study_instance_uid: str) -> StudyRow:
        row = ledger.studies.get(study_instance_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-study", "no study has this Study Instance UID")
        return row

    def _detail(study_instance_uid: str) -> StudyDetail:
        return detail(_row(study_instance_uid), ledger, context.store)

    return router


def _refuse_all(taken: UploadResult, refused: list[RefusedPart]) -> None:
    if not taken.refusals:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "no-files", "the request holds no file")
    errors = [{"where": f"part {each.part}", "code": each.code, "what": each.text} for each in refused]
    worst = max(status_of(each.error).http for each in taken.refusals)
    raise ProblemError(
        worst, refused[0].code if len({each.code for each in refused}) == 1 else "nothing-accepted", "no file was accepted", errors
    )


async def _wait_until_analysed(ledger: Ledger, taken: UploadResult, wait_s: float) -> bool:
    """Wait for every accepted image to end; the waiting costs no thread."""
    pending = {receipt.sop_instance_uid for receipt in taken.receipts}
    give_up_at = time.monotonic() + wait_s
    while True:
        pending = await run_in_threadpool(_not_ended, ledger, pending)
        if not pending:
            return True
        if time.monotonic() >= give_up_at:
            return False
        await asyncio.sleep(POLL_S)


def _not_ended(ledger: Ledger, sop_instance_uids: set[str]) -> set[str]:
    rows = {uid: ledger.instances.get(uid) for uid in sop_instance_uids}
    return {uid for uid, row in rows.items() if row is None or row.state is InstanceState.RECEIVED}
