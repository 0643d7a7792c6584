"""The ledger's pages on workers that are alive, and samples of what comes and goes over time."""

from __future__ import annotations

from service.store.database import Database


class Workshop(Database):
    pass
