"""``/api/v1/corrections`` and ``/api/v1/holds``: label mismatches, decisions about them, and studies on hold."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.api.auth import require_scope
from service.api.auth.decision_author import decision_author
from service.api.corrections.export import COLUMNS, write_csv, write_json
from service.api.corrections.presenter import show_correction, show_hold, show_whole_correction
from service.api.corrections.schemas import CorrectionDetail, CorrectionPage, Decision, ExportedCorrection, HoldList, HoldOut
from service.api.http.csv_lines import csv_line
from service.api.http.params import STUDY_INSTANCE_UID, Cursor, Id, Uid
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Identity, Scope
from service.domain.findings import CorrectionKind, CorrectionState
from service.jobs.context import Context
from service.jobs.corrections import approve_correction, reject_correction, release_study, undo_correction
from service.store.corrections import CorrectionRow

Decider = Annotated[Identity, require_scope(Scope.DECIDE)]
State = Annotated[CorrectionState | None, Query(description="only corrections in this state")]
Study = Annotated[
    str | None, Query(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="only of this study", examples=[STUDY_INSTANCE_UID])
]

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": csv_line(COLUMNS)}}, "description": "the ledger"}
}
_JSON: dict[int | str, dict[str, Any]] = {200: {"model": list[ExportedCorrection], "description": "the ledger"}}


def build_router(context: Context) -> APIRouter:
    """Routes over one ledger and one broker."""
    router = APIRouter(prefix="/api/v1", tags=["corrections"])
    ledger = context.ledger

    @router.get("/corrections", response_model=CorrectionPage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def corrections(
        state: State = None,
        kind: Annotated[CorrectionKind | None, Query(description="only differences of this kind")] = None,
        study: Study = None,
        order: Annotated[Literal["oldest", "newest"], Query(description="which come first")] = "oldest",
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500, description="corrections a page")] = 50,
    ) -> CorrectionPage:
        """Differences between header and pixels."""
        rows = ledger.corrections.find(state, study, int(cursor or 0), limit + 1, kind, newest_first=order == "newest")
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return CorrectionPage(corrections=[show_correction(row) for row in rows[:limit]], next_cursor=more)

    @router.get(
        "/corrections.csv",
        response_class=StreamingResponse,
        responses={**_CSV, **problem_responses(422)},
        dependencies=[require_scope(Scope.READ)],
    )
    def export_csv(state: State = None, study: Study = None) -> StreamingResponse:
        """Every correction with its history, for a spreadsheet."""
        return _file(write_csv(ledger.corrections, state, study), "text/csv", "corrections.csv")

    @router.get(
        "/corrections.json",
        response_class=StreamingResponse,
        responses={**_JSON, **problem_responses(422)},
        dependencies=[require_scope(Scope.READ)],
    )
    def export_json(state: State = None, study: Study = None) -> StreamingResponse:
        """Every correction with its history, for a program."""
        return _file(write_json(ledger.corrections, state, study), "application/json", "corrections.json")

    @router.get(
        "/corrections/{correction_id}",
        response_model=CorrectionDetail,
        responses=problem_responses(404, 422),
        dependencies=[require_scope(Scope.READ)],
    )
    def correction(correction_id: Id) -> CorrectionDetail:
        """One correction: its labels, its life so far, and where it went."""
        row = ledger.corrections.get(correction_id)
        if row is None:
            raise _unknown()
        return show_whole_correction(row, ledger)

    @router.post(
        "/corrections/{correction_id}/approve",
        response_model=CorrectionDetail,
        responses=problem_responses(404, 409, 422),
    )
    def approve(correction_id: Id, decision: Decision, actor: Decider) -> CorrectionDetail:
        """Have it written to every destination whose mode allows it."""
        return _decide(approve_correction, correction_id, decision, actor)

    @router.post(
        "/corrections/{correction_id}/reject",
        response_model=CorrectionDetail,
        responses=problem_responses(404, 409, 422),
    )
    def reject(correction_id: Id, decision: Decision, actor: Decider) -> CorrectionDetail:
        """Leave the labels as they are; the same change of the same image is not proposed again."""
        return _decide(reject_correction, correction_id, decision, actor)

    @router.post(
        "/corrections/{correction_id}/undo",
        response_model=CorrectionDetail,
        responses=problem_responses(404, 409, 422),
    )
    def undo(correction_id: Id, decision: Decision, actor: Decider) -> CorrectionDetail:
        """Have the former labels written back, wherever the correction arrived."""
        return _decide(undo_correction, correction_id, decision, actor)

    @router.get("/holds", response_model=HoldList, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def holds(released: Annotated[bool, Query(description="those too that were released")] = False) -> HoldList:
        """Studies that nothing corrected may leave, oldest first."""
        return HoldList(holds=[show_hold(row) for row in ledger.holds.find(open_only=not released)])

    @router.post(
        "/studies/{study_instance_uid}/release",
        response_model=HoldOut,
        responses=problem_responses(404, 409, 422),
    )
    def release(study_instance_uid: Uid, decision: Decision, actor: Decider) -> HoldOut:
        """Let the corrections of a held study go."""
        try:
            return show_hold(release_study(context, study_instance_uid, decision_author(actor, decision.actor), decision.reason))
        except LookupError:
            raise ProblemError(HTTPStatus.NOT_FOUND, "not-held", "no study with this Study Instance UID is held") from None

    def _decide(
        decide: Callable[[Context, int, str, str], CorrectionRow], correction_id: int, decision: Decision, actor: Identity
    ) -> CorrectionDetail:
        try:
            return show_whole_correction(decide(context, correction_id, decision_author(actor, decision.actor), decision.reason), ledger)
        except LookupError:
            raise _unknown() from None

    return router


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown-correction", "no correction has this number")


def _file(lines: Any, media_type: str, name: str) -> StreamingResponse:
    return StreamingResponse(lines, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
