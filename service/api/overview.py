"""``/api/v1/operations`` and what it lists: for those who keep the service running."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from service.api.access import needs
from service.api.correction_schemas import Cursor
from service.api.overview_presentation import overlook
from service.api.overview_schemas import ConflictOut, ConflictPage, ImageOut, ImagePage, Overview
from service.api.problems import ProblemError, problem_responses
from service.api.readiness import Probe
from service.api.schemas import Uid
from service.domain.access import Scope
from service.domain.errors import BrokerDown
from service.domain.findings import InstanceState
from service.jobs.context import Context
from service.store.troubles import ImageRow

PROBE_EVERY_S = 5.0
"""However many pages are open, the parts are asked no more often: each time costs the listener an association."""

log = logging.getLogger(__name__)


class _Remembered:
    """A probe that is asked at most every few seconds; whoever comes between gets the last answer."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._lock = threading.Lock()
        self._answer: Mapping[str, str | None] = {}
        self._until_s = 0.0

    def __call__(self) -> Mapping[str, str | None]:
        with self._lock:
            if time.monotonic() >= self._until_s:
                self._answer = dict(self._probe())
                self._until_s = time.monotonic() + PROBE_EVERY_S
            return self._answer


def build_router(context: Context, probe: Probe) -> APIRouter:
    """Routes over one ledger, one broker and one data folder."""
    router = APIRouter(prefix="/api/v1", tags=["operations"])
    ledger = context.ledger
    checks = _Remembered(probe)

    @router.get("/operations", response_model=Overview, responses=problem_responses(422), dependencies=[needs(Scope.READ)])
    def operations(
        hours: Annotated[int, Query(ge=1, le=720, description="how far figures over time go back", examples=[24])] = 24,
    ) -> Overview:
        """Parts, workers, queues, destinations, disk and figures over time, from one look."""
        return overlook(context, checks(), hours)

    @router.get("/instances", response_model=ImagePage, responses=problem_responses(422), dependencies=[needs(Scope.READ)])
    def images(
        state: Annotated[
            Literal["failed", "not-analysed", "received"], Query(description="only images in this state; received: those in work")
        ] = "failed",
        reason: Annotated[
            str, Query(max_length=64, description="only images with this code of a reason", examples=["not-mammography"])
        ] = "",
        cursor: Annotated[
            str,
            Query(
                pattern=r"^(\d{1,18}-[0-9.]{1,64})?$", description="`next_cursor` of the former page", examples=["1793606400000000-2.25"]
            ),
        ] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="images a page")] = 50,
    ) -> ImagePage:
        """Images without labels and why, those first that were tried last."""
        rows = ledger.images(InstanceState(state), reason, cursor, limit + 1)
        return ImagePage(images=[_show(row) for row in rows[:limit]], next_cursor=rows[limit - 1].cursor if len(rows) > limit else None)

    @router.post(
        "/instances/{sop_uid}/analyse",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ImageOut,
        responses=problem_responses(404, 409, 422),
        dependencies=[needs(Scope.OPERATE)],
    )
    def analyse(sop_uid: Uid) -> ImageOut:
        """Have an image analysed anew that failed or was not analysed; its study is concluded anew afterwards."""
        row = ledger.instance(sop_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID")
        if row.state not in (InstanceState.FAILED, InstanceState.NOT_ANALYSED):
            what = f"the image is {row.state}: only one that failed or was not analysed is analysed anew"
            raise ProblemError(HTTPStatus.CONFLICT, "nothing-to-do", what)
        ledger.reopen(sop_uid)
        try:
            context.publisher.analyse(sop_uid, row.priority)
        except BrokerDown:
            log.warning("image not queued, the sweeper will", extra={"sop_uid": sop_uid})
        return _show(ledger.image(sop_uid))

    @router.get("/conflicts", response_model=ConflictPage, responses=problem_responses(422), dependencies=[needs(Scope.READ)])
    def conflicts(cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=500, description="conflicts a page")] = 50) -> ConflictPage:
        """Other bytes that came under the UIDs of known images, newest first. The first ones stay in use."""
        rows = ledger.newest_conflicts(int(cursor or 0), limit + 1)
        shown = [ConflictOut(**vars(row)) for row in rows[:limit]]
        return ConflictPage(conflicts=shown, next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None)

    return router


def _show(row: ImageRow) -> ImageOut:
    return ImageOut(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        state=row.state,
        reason=row.reason,
        station_name=row.station_name,
        manufacturer=row.manufacturer,
        calling_ae=row.calling_ae,
        tries=row.tries,
        received_at=row.received_at,
        tried_at=row.touched_at,
    )
