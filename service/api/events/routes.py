"""``/api/v1/events``: what happens, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncGenerator
from fnmatch import fnmatchcase
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from service.api.auth import require_scope
from service.api.events.feed import Feed
from service.api.http.params import STUDY_INSTANCE_UID
from service.api.http.problems import problem_responses
from service.api.http.server_sent_events import EventStream
from service.deliver.webhook import as_body
from service.domain import access
from service.store.events import EventRow

KEEP_ALIVE_S = 15.0
"""Shorter than proxies wait for a byte."""
LONGEST_STREAM_S = 600.0
"""Then the client connects anew by itself, and whether it still may is asked anew."""
RECONNECT_MS = 2000

_ID = re.compile(r"[0-9]{1,10}")
_EXAMPLE = (
    "id: 42\ndata: "
    f'{{"data":{{"complete":true,"flag":"routine","study_instance_uid":"{STUDY_INSTANCE_UID}","version":1}},'
    '"id":42,"timestamp":"2026-11-02T08:14:12Z","type":"study.concluded"}\n\n'
)


def as_text(event: EventRow) -> str:
    """One event of the stream; its data are the body that webhooks get."""
    return f"id: {event.id}\ndata: {as_body(event).decode()}\n\n"


def build_router(feed: Feed) -> APIRouter:
    """The route over one feed."""
    router = APIRouter(prefix="/api/v1", tags=["events"], dependencies=[require_scope(access.Scope.READ)])
    described: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"example": _EXAMPLE, "schema": {"type": "string"}}}, "description": "the stream"}
    }

    @router.get("/events", status_code=200, response_class=EventStream, responses=described | problem_responses(422))
    async def events(
        kinds: Annotated[
            str,
            Query(
                pattern=r"^[a-z.*,-]*$",
                max_length=200,
                description="only these kinds, as patterns with commas between them; empty: all",
                examples=["study.*,label.disagreement"],
            ),
        ] = "",
        study: Annotated[
            str | None,
            Query(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="only of this study", examples=[STUDY_INSTANCE_UID]),
        ] = None,
        after: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="the last event that is known; those since come first")] = None,
        last_event_id: Annotated[str | None, Header(description="as `after`, which it overrules; browsers send it by themselves")] = None,
    ) -> Response:
        """Events of the ledger as they happen (docs/events.md names the kinds), without anything about a patient.

        Begins now, or behind the last event that is known. The server ends the stream every ten minutes, when it stops, and when the
        client falls behind: come back with the last id, and nothing is missed.
        """
        patterns = [pattern for pattern in kinds.split(",") if pattern]
        known = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else after
        return EventStream(_write(feed, known, study, patterns))

    return router


async def _write(feed: Feed, after_id: int | None, study_instance_uid: str | None, patterns: list[str]) -> AsyncGenerator[str, None]:
    def wanted(event: EventRow) -> bool:
        return not patterns or any(fnmatchcase(event.kind, pattern) for pattern in patterns)

    end_at = time.monotonic() + LONGEST_STREAM_S
    begun = False
    async with contextlib.aclosing(feed.follow(after_id, study_instance_uid, wanted, KEEP_ALIVE_S)) as events:
        async for event in events:
            if event is not None:
                yield as_text(event)
            elif begun:
                yield ": still here\n\n"
            else:
                # An id without data: who is cut off before the first event still knows where to go on.
                start = f"id: {feed.position}\n" if after_id is None else ""
                yield f"retry: {RECONNECT_MS}\n{start}\n"
                begun = True
            if time.monotonic() >= end_at:
                return
