"""Middleware for what HTTP asks of every route: HEAD wherever GET is answered, and no guess about a body that is encoded."""

from __future__ import annotations

from http import HTTPStatus

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.http.problems import answer

READ_ENCODINGS = frozenset({"", "identity"})
"""Content-Encoding of a request body. A compressed one is not read: DICOM has its own compression, and its size is known."""


class MethodMiddleware:
    """ASGI middleware, inside of the one that audits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._answer_head(scope, receive, send)
        elif Headers(scope=scope).get("content-encoding", "").strip().lower() not in READ_ENCODINGS:
            # RFC 9110 section 15.5.16: Accept-Encoding says what would be read.
            refused = answer(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported-content-encoding",
                "send the body without Content-Encoding",
                headers={"Accept-Encoding": "identity"},
            )
            await refused(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer to the same GET without its body (RFC 9110 section 9.3.2). A stream is ended after its first chunk."""
        with anyio.CancelScope() as running:

            async def send_head(message: Message) -> None:
                if message["type"] != "http.response.body":
                    await send(message)
                    return
                if message.get("more_body"):
                    running.cancel()

            await self._app({**scope, "method": "GET"}, receive, send_head)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
