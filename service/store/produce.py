"""The ledger's pages on objects of ours that were built and lie in the data folder."""

from __future__ import annotations

from service.store.database import Database


class Produce(Database):
    pass
