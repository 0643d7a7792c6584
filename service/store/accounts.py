"""The ledger's pages on users, sessions, keys and the audit trail."""

from __future__ import annotations

from service.store.database import Database


class Accounts(Database):
    pass
