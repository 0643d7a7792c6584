"""Events of the ledger for those who wait for them: one look into the ledger at a time, however many wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from service.store.events import EventRow, Events

POLL_S = 0.5
READ_AT_ONCE = 500
LONGEST_QUEUE = 1000
"""Events that wait for one follower; one who falls further behind is let go, and may come back with the last id that it knows."""
AFTER_ERROR_S = 5.0

log = logging.getLogger(__name__)


def _everything(_: EventRow) -> bool:
    return True


class _Follower:
    def __init__(self, wanted: Callable[[EventRow], bool]) -> None:
        self.wanted = wanted
        self.waiting: deque[EventRow] = deque()
        self.news = asyncio.Event()
        self.ended = False

    def push(self, event: EventRow) -> None:
        if not self.wanted(event):
            return
        if len(self.waiting) >= LONGEST_QUEUE:
            self.end()
            return
        self.waiting.append(event)
        self.news.set()

    def end(self) -> None:
        self.waiting.clear()
        self.ended = True
        self.news.set()


class Feed:
    """The ledger's events as they happen. One for each process; it polls only while a client follows.

    Parameters
    ----------
    poll_s
        Seconds between two looks: how old an event may be when a follower hears of it.
    """

    def __init__(self, events: Events, poll_s: float = POLL_S) -> None:
        self._events, self._poll_s = events, poll_s
        self._followers: set[_Follower] = set()
        self._position = 0
        self._poller: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closing = asyncio.Event()

    async def follow(
        self,
        after_id: int | None = None,
        study_instance_uid: str | None = None,
        wanted: Callable[[EventRow], bool] = _everything,
        idle_s: float = 15.0,
    ) -> AsyncGenerator[EventRow | None, None]:
        """Hand events on as they come, oldest first, none twice and none left out.

        Parameters
        ----------
        after_id
            The last event that is known: those since are handed on first. None: from now on; what happens after the first item was
            handed on is not missed, so ask for the state of things after it.
        study_instance_uid
            Only of this study.
        wanted
            Only those for which this is true.
        idle_s
            None is handed on once at the beginning, and whenever nothing came for so long.

        Returns
        -------
        Ends when the feed is closed, when the follower is `LONGEST_QUEUE` events behind, or when the ledger is away at the beginning.
        """
        follower = _Follower(lambda event: (study_instance_uid is None or event.study_instance_uid == study_instance_uid) and wanted(event))
        self._followers.add(follower)
        try:
            known = await self._begin()
            if after_id is not None and after_id > known:
                # An id of another ledger, or one that our last look has not seen yet.
                known = min(after_id, await run_in_threadpool(self._events.last_id))
            elif after_id is not None:
                known = after_id
            yield None
            if after_id is not None:
                async with contextlib.aclosing(self._missed(known, study_instance_uid)) as missed:
                    async for event in missed:
                        known = event.id
                        if wanted(event):
                            yield event
            while not self._closing.is_set():
                while follower.waiting:
                    event = follower.waiting.popleft()
                    if event.id > known:
                        yield event
                if follower.ended:
                    return
                follower.news.clear()
                try:
                    await asyncio.wait_for(follower.news.wait(), idle_s)
                except TimeoutError:
                    yield None
        except (SQLAlchemyError, OSError) as error:
            # Before the stream starts; afterwards `_poll` survives a ledger that is not available.
            log.warning("no events for a follower", extra={"error": type(error).__name__})
        finally:
            self._followers.discard(follower)

    @property
    def position(self) -> int:
        """Id of the last event that every follower has received."""
        return self._position

    def close(self) -> None:
        """Let every follower go: the server stops, and would wait for them."""
        self._closing.set()
        for follower in self._followers:
            follower.end()

    async def _begin(self) -> int:
        async with self._starting:
            if self._poller is None or self._poller.done():
                self._position = await run_in_threadpool(self._events.last_id)
                self._poller = asyncio.create_task(self._poll())
            return self._position

    async def _missed(self, known: int, study_instance_uid: str | None) -> AsyncGenerator[EventRow, None]:
        while not self._closing.is_set():
            page = await run_in_threadpool(self._events.find, known, READ_AT_ONCE, study_instance_uid)
            for event in page:
                known = event.id
                yield event
            if len(page) < READ_AT_ONCE:
                return

    async def _poll(self) -> None:
        while self._followers and not self._closing.is_set():
            pause_s = self._poll_s
            try:
                fresh = await run_in_threadpool(self._events.find, self._position, READ_AT_ONCE)
            except (SQLAlchemyError, OSError) as error:
                # Those who follow stay: what they missed is in the ledger when it is back.
                log.warning("no look at the ledger's events", extra={"error": type(error).__name__})
                fresh, pause_s = [], AFTER_ERROR_S
            for event in fresh:
                self._position = event.id
                for follower in tuple(self._followers):
                    follower.push(event)
            if len(fresh) < READ_AT_ONCE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause_s)
