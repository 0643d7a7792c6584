"""``/api/v1/quality``: how often labels differ and images are not analysed, whether scores drift, what readers say."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from service.api.auth import require_scope
from service.api.http.csv_lines import csv_line
from service.api.http.problems import ProblemError, problem_responses
from service.api.quality.report import COLUMNS, Question, report, write_quality
from service.api.quality.schemas import QualityOut
from service.domain.access import Scope
from service.domain.time_buckets import Bucket, buckets_between
from service.store.quality import GroupBy, Period, Quality

DAYS = 90
"""A period where none is asked for: that many days up to today."""
MOST_POINTS = 400
AT_ONCE = 2
"""Reports that one process makes at a time: each reads the ledger on four connections, and others want some too."""

_FIRST, _LAST = date(1990, 1, 1), date(2199, 12, 31)
Day = Annotated[date | None, Query(ge=_FIRST, le=_LAST)]

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": csv_line(COLUMNS)}}, "description": "the figures"}
}


def _asked(
    by: Annotated[GroupBy, Query(description="attribute of the header that groups the images")] = GroupBy.STATION,
    first: Annotated[
        Day, Query(alias="from", description="first day, UTC; 90 days up to `to` where absent", examples=["2026-08-24"])
    ] = None,
    last: Annotated[Day, Query(alias="to", description="last day, counted in; today where absent", examples=["2026-11-21"])] = None,
    bucket: Annotated[Bucket, Query(description="one point of a line over time")] = Bucket.WEEK,
    reference_from: Annotated[Day, Query(description="first day to compare with; as many days as the period has where absent")] = None,
    reference_to: Annotated[Day, Query(description="last day to compare with; the day before `from` where absent")] = None,
    only: Annotated[
        str | None, Query(max_length=64, pattern=r"^[^\x00-\x1f]*$", description="one group; empty: the images whose headers say nothing")
    ] = None,
) -> Question:
    """What a request asks, with what it left open filled in."""
    end = last or datetime.now(UTC).date()
    period = _period(first or end - timedelta(days=DAYS - 1), end)
    before = reference_to or period.first - timedelta(days=1)
    reference = _period(reference_from or before - timedelta(days=period.days - 1), before)
    # Check the number of days before listing them.
    if period.days > MOST_POINTS * 31 or len(buckets_between(period.first, period.last, bucket)) > MOST_POINTS:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "period-too-long", f"more than {MOST_POINTS} points: take longer buckets or fewer days"
        )
    return Question(by, period, reference, bucket, only)


def _period(first: date, last: date) -> Period:
    if first > last:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-period", "the first day of a period must not be after its last")
    return Period(first, last)


Asked = Annotated[Question, Depends(_asked)]


def build_router(figures: Quality) -> APIRouter:
    """Routes over the quality figures of one ledger."""
    router = APIRouter(prefix="/api/v1", tags=["quality"], dependencies=[require_scope(Scope.READ)])
    turn = threading.BoundedSemaphore(AT_ONCE)

    @router.get("/quality", response_model=QualityOut, responses=problem_responses(422))
    def quality(asked: Asked) -> QualityOut:
        """Rates by group and over time, scores and densities against a reference period, and what readers say."""
        with turn:
            return report(figures, asked)

    @router.get("/quality.csv", response_class=StreamingResponse, responses={**_CSV, **problem_responses(422)})
    def export(asked: Asked) -> StreamingResponse:
        """The rates of each group in each bucket, for a spreadsheet."""
        lines = write_quality(figures, asked)
        return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="quality.csv"'})

    return router
