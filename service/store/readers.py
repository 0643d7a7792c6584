"""The ledger's pages on what readers say of the labels."""

from __future__ import annotations

from service.store.database import Database


class Readers(Database):
    pass
