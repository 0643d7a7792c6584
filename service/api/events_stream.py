"""``/api/v1/events``: what happens, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator
from fnmatch import fnmatchcase
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.access import needs
from service.api.correction_schemas import STUDY_UID
from service.api.feed import Feed
from service.api.problems import problem_responses
from service.deliver.webhook import as_body
from service.domain import access
from service.store.rows import EventRow

KEEP_ALIVE_S = 15.0
"""Shorter than proxies wait for a byte."""
LONGEST_STREAM_S = 600.0
"""Then the client connects anew by itself, and whether it still may is asked anew."""
PATIENCE_S = 20.0
"""For a client that does not take what is sent."""
RECONNECT_MS = 2000

_ID = re.compile(r"[0-9]{1,10}")
_EXAMPLE = (
    "id: 42\ndata: "
    f'{{"data":{{"complete":true,"flag":"routine","study_instance_uid":"{STUDY_UID}","version":1}},'
    '"id":42,"timestamp":"2026-11-02T08:14:12Z","type":"study.concluded"}\n\n'
)


class EventStream(Response):
    """A response that goes on until its source ends, its client leaves, or its client no longer takes what is sent.

    Parameters
    ----------
    source
        Text of whole events and comments.
    """

    media_type = "text/event-stream"

    def __init__(self, source: AsyncGenerator[str, None]) -> None:
        # Proxies must hand on at once (nginx reads the second header), and nobody may keep it.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send (ASGI): whichever comes first, the source's end or the client's, ends the response."""
        tasks = [asyncio.create_task(self._send_all(send)), asyncio.create_task(_wait_until_gone(receive))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        # A response that is not ended makes the server close the connection.
        async with contextlib.aclosing(self._source) as source:
            with contextlib.suppress(TimeoutError):
                async for text in source:
                    await asyncio.wait_for(send({"type": "http.response.body", "body": text.encode(), "more_body": True}), PATIENCE_S)
                await asyncio.wait_for(send({"type": "http.response.body", "body": b"", "more_body": False}), PATIENCE_S)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def as_text(event: EventRow) -> str:
    """One event of the stream; its data are the body that webhooks get."""
    return f"id: {event.id}\ndata: {as_body(event).decode()}\n\n"


def build_router(feed: Feed) -> APIRouter:
    """The route over one feed."""
    router = APIRouter(prefix="/api/v1", tags=["events"], dependencies=[needs(access.Scope.READ)])
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
            str | None, Query(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="only of this study", examples=[STUDY_UID])
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


async def _write(feed: Feed, after_id: int | None, study_uid: str | None, patterns: list[str]) -> AsyncGenerator[str, None]:
    def wanted(event: EventRow) -> bool:
        return not patterns or any(fnmatchcase(event.kind, pattern) for pattern in patterns)

    end_at = time.monotonic() + LONGEST_STREAM_S
    begun = False
    async with contextlib.aclosing(feed.follow(after_id, study_uid, wanted, KEEP_ALIVE_S)) as events:
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
