"""``/api/v1/operations`` and what it lists: for those who keep the service running."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import APIRouter, Query

from service.api.auth import require_scope
from service.api.http.params import Cursor, Uid
from service.api.http.problems import ProblemError, problem_responses
from service.api.operations.presenter import Figures, build_overview, count_up, interval_of
from service.api.operations.schemas import ConflictOut, ConflictPage, ImageOut, ImagePage, Overview
from service.domain.access import Scope
from service.domain.findings import InstanceState
from service.errors import BrokerDown
from service.health import Probe
from service.jobs.context import Context
from service.store.failures import ImageRow

PROBE_EVERY_S = 5.0
"""However many pages are open, the parts are asked no more often: each time costs the listener an association."""
FIGURES_EVERY = 20
"""Figures over time are counted anew when a twentieth of their interval has passed: before that a plot would not change."""
MOST_REMEMBERED = 32

log = logging.getLogger(__name__)


Key = TypeVar("Key")
Answer = TypeVar("Answer")


class TtlCache(Generic[Key, Answer]):
    """A value that is computed at most every few seconds; requests in between get the last one."""

    def __init__(self, ask: Callable[[Key], Answer], keep_s: Callable[[Key], float]) -> None:
        self._ask, self._keep_s = ask, keep_s
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[float, Answer]] = {}

    def __call__(self, key: Key) -> Answer:
        with self._lock:
            known = self._known.get(key)
            if known is None or known[0] <= time.monotonic():
                if len(self._known) >= MOST_REMEMBERED:
                    self._known.clear()
                answer = self._ask(key)
                known = self._known[key] = (time.monotonic() + self._keep_s(key), answer)
            return known[1]


def build_router(context: Context, probe: Probe) -> APIRouter:
    """Routes over one ledger, one broker and one data folder."""
    router = APIRouter(prefix="/api/v1", tags=["operations"])
    ledger = context.ledger
    checks = TtlCache[None, Mapping[str, str | None]](lambda _: dict(probe()), lambda _: PROBE_EVERY_S)
    figures = TtlCache[int, Figures](lambda hours: count_up(ledger, hours), lambda hours: min(60.0, interval_of(hours) / FIGURES_EVERY))

    @router.get("/operations", response_model=Overview, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def operations(
        hours: Annotated[int, Query(ge=1, le=720, description="how far figures over time go back", examples=[24])] = 24,
    ) -> Overview:
        """Parts, workers, queues, destinations, disk and figures over time, from one look."""
        return build_overview(context, checks(None), figures(hours))

    @router.get("/instances", response_model=ImagePage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def images(
        state: Annotated[
            Literal["failed", "skipped", "received"], Query(description="only images in this state; received: those in work")
        ] = "failed",
        reason: Annotated[
            str,
            Query(
                pattern=r"^[a-z0-9-]*$", max_length=64, description="only images with this code of a reason", examples=["not-mammography"]
            ),
        ] = "",
        cursor: Annotated[
            str,
            Query(
                pattern=r"^(\d{1,17}-[0-9.]{1,64})?$", description="`next_cursor` of the former page", examples=["1793606400000000-2.25"]
            ),
        ] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="images a page")] = 50,
    ) -> ImagePage:
        """Images without labels and why, those first that were tried last."""
        rows = ledger.failures.images(InstanceState(state), reason, cursor, limit + 1)
        return ImagePage(images=[_show(row) for row in rows[:limit]], next_cursor=rows[limit - 1].cursor if len(rows) > limit else None)

    @router.post(
        "/instances/{sop_instance_uid}/analyse",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ImageOut,
        responses=problem_responses(404, 409, 422),
        dependencies=[require_scope(Scope.OPERATE)],
    )
    def analyse(sop_instance_uid: Uid) -> ImageOut:
        """Have an image analysed anew that failed or was not analysed; its study is concluded anew afterwards."""
        row = ledger.instances.get(sop_instance_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID")
        if row.state not in (InstanceState.FAILED, InstanceState.SKIPPED):
            what = f"the image is {row.state}: only one that failed or was not analysed is analysed anew"
            raise ProblemError(HTTPStatus.CONFLICT, "nothing-to-do", what)
        ledger.instances.reopen(sop_instance_uid)
        try:
            context.publisher.analyse(sop_instance_uid, row.priority)
        except BrokerDown:
            log.warning("image not queued, the sweeper will", extra={"sop_instance_uid": sop_instance_uid})
        return _show(ledger.failures.image(sop_instance_uid))

    @router.get("/conflicts", response_model=ConflictPage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def conflicts(cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=500, description="conflicts a page")] = 50) -> ConflictPage:
        """Other bytes that came under the UIDs of known images, newest first. The first ones stay in use."""
        rows = ledger.failures.conflicts(int(cursor or 0), limit + 1)
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
        tried_at=row.last_attempt_at,
    )
