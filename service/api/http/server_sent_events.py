"""A response that streams server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PATIENCE_S = 20.0
"""Seconds until a client that does not read is disconnected."""


class EventStream(Response):
    """A response that continues until its source ends, the client disconnects, or the client no longer reads.

    Parameters
    ----------
    source
        Text of whole events and comments.
    """

    media_type = "text/event-stream"

    def __init__(self, source: AsyncGenerator[str, None]) -> None:
        # Proxies must forward at once (nginx reads the second header), and no cache may store it.
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
