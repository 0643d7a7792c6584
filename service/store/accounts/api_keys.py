"""API keys: credentials of software."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from service.domain.access import Scope
from service.errors import AccountRefused
from service.store.accounts.rows import KeyRow
from service.store.accounts.tables import api_keys
from service.store.database import Database


class ApiKeys:
    """Keys for software. A name is never given twice: in the audit log it means one key for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, secret_sha256: str, scopes: frozenset[Scope], created_by: str, expires_at: datetime | None) -> KeyRow:
        """Enter a key.

        Raises
        ------
        AccountRefused
            There is or was one of this name: a name in the audit log means one key for good.
        """
        try:
            with self._database.write() as tx:
                new = insert(api_keys).values(
                    name=name, secret_sha256=secret_sha256, scopes=json.dumps(sorted(scopes)), created_by=created_by,
                    created_at=tx.now, expires_at=expires_at,
                )  # fmt: skip
                return _key(tx.execute(new.returning(api_keys)).one())
        except IntegrityError:
            raise AccountRefused("there is or was a key of this name: take another one") from None

    def get_by_secret(self, secret_sha256: str) -> KeyRow | None:
        """The key whose secret has this hash, valid or not."""
        with self._database.read() as tx:
            row = tx.execute(select(api_keys).where(api_keys.c.secret_sha256 == secret_sha256)).one_or_none()
        return _key(row) if row else None

    def all(self) -> list[KeyRow]:
        """All keys, those too that are revoked, by name."""
        with self._database.read() as tx:
            return [_key(row) for row in tx.execute(select(api_keys).order_by(api_keys.c.name))]

    def touch(self, key_id: int) -> None:
        """Note that a key is in use."""
        with self._database.write() as tx:
            tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(used_at=tx.now))

    def revoke(self, name: str) -> KeyRow:
        """End a key for good.

        Raises
        ------
        LookupError
            There is none of this name.
        """
        with self._database.write() as tx:
            ended = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None)).values(revoked_at=tx.now)
            tx.execute(ended)
            row = tx.execute(select(api_keys).where(api_keys.c.name == name)).one_or_none()
        if row is None:
            raise LookupError(name)
        return _key(row)


def _key(row: Row[Any]) -> KeyRow:
    return KeyRow(
        id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, json.loads(row.scopes))),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
