"""The HTTP server of the site: streams of events end before it waits for open connections."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from service.api.events.feed import Feed


class SiteServer(uvicorn.Server):
    """Uvicorn with an orderly end.

    Parameters
    ----------
    site
        As `create_site` builds it.
    options
        As for `uvicorn.Config`.
    """

    def __init__(self, site: FastAPI, **options: object) -> None:
        super().__init__(uvicorn.Config(site, **options))  # type: ignore[arg-type]
        self._feed: Feed = site.state.feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: the application hears of it only after its last response, so an endless one must be ended first."""
        self._feed.close()
        await super().shutdown(sockets)
