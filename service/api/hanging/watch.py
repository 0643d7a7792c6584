"""Those who wait for a hanging to become final: without a thread for each, woken by the ledger's events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import anyio

from service.api.events.feed import Feed
from service.api.hanging.cache import Answer, HangingAnswers
from service.api.http.problems import ProblemError
from service.store.ledger import Ledger

THREADS = 4
"""Of our own: those that all other routes share may all be at work on pictures."""
RETRY_AFTER_S = 2
RECHECK_S = 1.0
"""Not every change is an event: an image that was analysed is none."""
COMMENT_AFTER_S = 10.0
"""Shorter than proxies wait for a byte."""
LONGEST_STREAM_S = 600.0

_Value = TypeVar("_Value")


class HangingWatch:
    """Hanging answers of one ledger, now and as they change. One for each process."""

    def __init__(self, ledger: Ledger, feed: Feed) -> None:
        self._answers, self._feed = HangingAnswers(ledger), feed
        self._threads = anyio.CapacityLimiter(THREADS)

    async def ask(self, question: Callable[[], _Value]) -> _Value:
        """Ask the ledger in a thread of ours."""
        return await anyio.to_thread.run_sync(question, limiter=self._threads)

    async def find(self, study_instance_uid: str) -> Answer:
        """The answer now. Raises `ProblemError` (404) for an unknown study."""
        answer = await self.ask(partial(self._answers.find, study_instance_uid))
        if answer is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-study", "no study has this Study Instance UID")
        return answer

    async def find_many(self, study_instance_uids: Sequence[str]) -> dict[str, Answer]:
        """Answers by study; unknown ones are left out."""
        return await self.ask(partial(self._answers.find_many, study_instance_uids))

    async def follow(self, study_instance_uid: str) -> AsyncGenerator[Answer | None, None]:
        """The answer now and whenever it changed; None where nothing did for `RECHECK_S`. Ends when the server stops."""
        shown = None
        async with contextlib.aclosing(self._feed.follow(None, study_instance_uid, idle_s=RECHECK_S)) as steps:
            async for _ in steps:
                answer = await self.find(study_instance_uid)
                yield answer if answer != shown else None
                shown = answer

    async def wait_until_final(self, study_instance_uid: str, wait_s: float) -> Answer:
        """The final answer, or after `wait_s` seconds the one that there is."""
        answer = await self.find(study_instance_uid)
        if answer.is_final or not wait_s:
            return answer
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s), contextlib.aclosing(self.follow(study_instance_uid)) as steps:
                async for step in steps:
                    answer = step or answer
                    if answer.is_final:
                        break
        return answer

    async def write_events(self, study_instance_uid: str, known: str | None) -> AsyncGenerator[str, None]:
        """Text of the stream: an event for each answer that the client has not got, a comment where there was none for a while.

        Parameters
        ----------
        known
            Id of the last event that the client has.
        """
        end_at = time.monotonic() + LONGEST_STREAM_S
        said_at = time.monotonic()
        yield f"retry: {1000 * RETRY_AFTER_S}\n\n"
        async with contextlib.aclosing(self.follow(study_instance_uid)) as answers:
            async for answer in answers:
                if answer is not None and (answer.event_id != known or answer.is_final):
                    yield f"event: {'final' if answer.is_final else 'provisional'}\nid: {answer.event_id}\ndata: {answer.body.decode()}\n\n"
                    known, said_at = answer.event_id, time.monotonic()
                elif time.monotonic() - said_at >= COMMENT_AFTER_S:
                    yield ": still in work\n\n"
                    said_at = time.monotonic()
                if (answer is not None and answer.is_final) or time.monotonic() >= end_at:
                    return
