"""``/api/v1/feedback``: readers confirm or correct labels, and training uses their feedback."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from service.api.auth import require_scope
from service.api.feedback.export import COLUMNS, write_feedback
from service.api.feedback.schemas import FeedbackIn, FeedbackOut, FeedbackPage, show_feedback
from service.api.http.csv_lines import csv_line
from service.api.http.params import STUDY_INSTANCE_UID, Cursor
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Identity, Scope
from service.domain.feedback import FeedbackLabel, FeedbackVerdict, LabelFeedback
from service.store.feedback import Feedback

Study = Annotated[
    str | None, Query(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="only of this study", examples=[STUDY_INSTANCE_UID])
]
Label = Annotated[FeedbackLabel | None, Query(description="only on this label")]
Verdict = Annotated[FeedbackVerdict | None, Query(description="only with this verdict")]
History = Annotated[bool, Query(description="with feedback that a reader later replaced")]

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": csv_line(COLUMNS)}}, "description": "the feedback"}
}


def build_router(feedback: Feedback) -> APIRouter:
    """Routes over one ledger."""
    router = APIRouter(prefix="/api/v1", tags=["feedback"])

    @router.post("/feedback", status_code=HTTPStatus.CREATED, response_model=FeedbackOut, responses=problem_responses(404, 409, 422))
    def give(request: Request, given: FeedbackIn, actor: Annotated[Identity, require_scope(Scope.FEEDBACK)]) -> FeedbackOut:
        """Say whether a label is right. Of one reader, image and label the last word counts; the former ones are kept."""
        request.state.audit_subject = given.sop_instance_uid
        opinion = LabelFeedback(given.label, given.verdict, given.corrected_value, given.note)
        try:
            return show_feedback(feedback.add(given.sop_instance_uid, opinion, actor.name))
        except LookupError:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID") from None

    @router.get("/feedback", response_model=FeedbackPage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def read(
        study: Study = None,
        label: Label = None,
        verdict: Verdict = None,
        history: History = False,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500, description="rows a page")] = 100,
    ) -> FeedbackPage:
        """Feedback of readers, oldest first."""
        rows = feedback.find(study, label, verdict, not history, int(cursor or 0), limit + 1)
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return FeedbackPage(feedback=[show_feedback(row) for row in rows[:limit]], next_cursor=more)

    @router.get(
        "/feedback.csv",
        response_class=StreamingResponse,
        responses={**_CSV, **problem_responses(422)},
        dependencies=[require_scope(Scope.READ)],
    )
    def export(study: Study = None, label: Label = None, verdict: Verdict = None, history: History = False) -> StreamingResponse:
        """Feedback of readers, for training (`python -m training`, reader `feedback`) and for a spreadsheet."""
        lines = write_feedback(feedback, study, label, verdict, history)
        return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="feedback.csv"'})

    return router
