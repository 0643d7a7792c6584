"""Which image hangs where, for hanging-protocol software: of one study, as it becomes final, and of a whole worklist."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from service.api.auth import require_scope
from service.api.events.feed import Feed
from service.api.hanging.cache import Answer
from service.api.hanging.schemas import HANGING, MOST_STUDIES, HangingBatch, HangingOut, HangingPage, HangingQuestion
from service.api.hanging.watch import RETRY_AFTER_S, HangingWatch
from service.api.http.conditional import is_held, make_tag
from service.api.http.params import Uid
from service.api.http.prefer import read_wait
from service.api.http.problems import ProblemError, problem_responses
from service.api.http.server_sent_events import EventStream
from service.domain.access import Scope
from service.store.ledger import Ledger
from service.store.study_rows import StudyFilter

_KNOWN: dict[str, Any] = {
    "ETag": {"description": "of the answer; send it back as If-None-Match", "schema": {"type": "string"}},
    "Preference-Applied": {"description": "where `Prefer: wait=N` was heeded", "schema": {"type": "string"}},
}
_ONE: dict[int | str, dict[str, Any]] = {
    200: {"model": HangingOut, "headers": _KNOWN, "description": "final: the current conclusion knows every image"},
    202: {
        "model": HangingOut,
        "headers": {**_KNOWN, "Retry-After": {"description": "seconds until it is worth asking again", "schema": {"type": "integer"}}},
        "description": "provisional: images of the study are still in work",
        "content": {"application/json": {"example": {**HANGING, "status": "provisional", "version": 0}}},
    },
    304: {"description": "as it was when the ETag that you hold was handed out"},
    **problem_responses(404, 422),
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": f"event: final\nid: 5f0c6d1b\ndata: {json.dumps(HANGING, separators=(',', ':'))}\n\n",
            }
        },
        "description": "`provisional` events as the study changes, then one `final` event, and the end",
    },
    204: {"description": "the final answer is the one that you hold: do not reconnect"},
    **problem_responses(404, 422),
}

IfNoneMatch = Annotated[str | None, Header(description="ETags of answers that you hold", examples=['"5f0c6d1b2a9e4c7d8b3f1e6a0c5d9b24"'])]


def build_router(ledger: Ledger, feed: Feed) -> APIRouter:
    """Routes over one ledger; the feed wakes the requests that wait."""
    router = APIRouter(prefix="/api/v1", tags=["hanging"], dependencies=[require_scope(Scope.READ)])
    watch = HangingWatch(ledger, feed)

    @router.get("/studies/{study_instance_uid}/hanging", response_model=HangingOut, responses=_ONE)
    async def study_hanging(
        study_instance_uid: Uid,
        if_none_match: IfNoneMatch = None,
        prefer: Annotated[
            str | None, Header(description="`wait=N`: answer when it is final, or as it is after N seconds", examples=["wait=20"])
        ] = None,
    ) -> Response:
        """Which image hangs where: by the pixels, and by the headers as long as the pixels are still to be read."""
        wait_s = read_wait(prefer)
        answer = await watch.wait_until_final(study_instance_uid, wait_s)
        headers = {"ETag": answer.tag, "Cache-Control": "private, no-cache"}
        if wait_s:
            headers["Preference-Applied"] = f"wait={wait_s:.0f}"
        if not answer.is_final:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if is_held(answer.tag, if_none_match):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        status = HTTPStatus.OK if answer.is_final else HTTPStatus.ACCEPTED
        return Response(answer.body, status, headers, "application/json")

    @router.get("/studies/{study_instance_uid}/hanging/events", status_code=200, response_class=EventStream, responses=_STREAM)
    async def study_hanging_events(
        study_instance_uid: Uid,
        last_event_id: Annotated[str | None, Header(description="the last event that you have; browsers send it by themselves")] = None,
    ) -> Response:
        """The hanging answer as server-sent events, until it is final."""
        answer = await watch.find(study_instance_uid)
        if answer.is_final and answer.event_id == last_event_id:
            # The one answer that makes a browser's EventSource stop (WHATWG HTML section 9.2.3).
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return EventStream(watch.write_events(study_instance_uid, last_event_id))

    @router.get("/hanging", response_model=HangingPage, responses={304: _ONE[304], **problem_responses(422)})
    async def worklist_hanging(
        study_date: Annotated[
            str | None,
            Query(
                pattern=r"^(today|[0-9]{4}-[0-9]{2}-[0-9]{2})$",
                description="of the Study Date: a day, or `today` as the server's clock says",
            ),
        ] = None,
        station: Annotated[
            str, Query(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=64, description="Station Name (0008,1010)", examples=["MAMMO-1"])
        ] = "",
        cursor: Annotated[str | None, Query(description="`next_cursor` of the former page", max_length=512)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_STUDIES, description="studies a page")] = 50,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """A day's worklist, newest study first."""
        wanted = StudyFilter(study_date=_read_day(study_date), station_name=station)
        rows, next_cursor = await watch.ask(partial(ledger.studies.find, "received", wanted, cursor, limit))
        uids = [row.study_instance_uid for row in rows]
        found = await watch.find_many(uids)
        body = b'{"studies":[%s],"next_cursor":%s}' % (_join(found, uids), json.dumps(next_cursor).encode())
        headers = {"ETag": make_tag(body), "Cache-Control": "private, no-cache"}
        if is_held(headers["ETag"], if_none_match):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(body, HTTPStatus.OK, headers, "application/json")

    @router.post("/hanging", response_model=HangingBatch, responses=problem_responses(422))
    async def batch_hanging(question: HangingQuestion) -> Response:
        """The hanging of many studies at once. Changes nothing."""
        uids = list(dict.fromkeys(question.study_instance_uids))
        found = await watch.find_many(uids)
        unknown = json.dumps([uid for uid in uids if uid not in found])
        return Response(b'{"studies":[%s],"unknown":%s}' % (_join(found, uids), unknown.encode()), media_type="application/json")

    return router


def _read_day(text: str | None) -> str:
    """As a DA value (PS3.5 section 6.2); empty where none is wanted."""
    if text is None:
        return ""
    if text == "today":
        return f"{date.today():%Y%m%d}"
    try:
        return f"{date.fromisoformat(text):%Y%m%d}"
    except ValueError:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-date", "study_date is no day of the calendar") from None


def _join(found: dict[str, Answer], uids: list[str]) -> bytes:
    return b",".join(found[uid].body for uid in uids if uid in found)
