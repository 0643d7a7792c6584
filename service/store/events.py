"""The ledger's pages on what happened: events, in one order, each in the transaction of what it tells of; and who was told how far."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, text, update

from service.store.database import Database
from service.store.rows import EventRow
from service.store.tables import events, webhook_cursors

_ONE_AT_A_TIME = 0x6576656E74


class Chronicle(Database):
    def events(self, after_id: int = 0, limit: int = 100, study_instance_uid: str | None = None) -> list[EventRow]:
        """List events behind one that is known, oldest first; of one study or of all."""
        wanted = select(events).where(events.c.id > after_id).order_by(events.c.id).limit(limit)
        if study_instance_uid is not None:
            wanted = wanted.where(events.c.study_instance_uid == study_instance_uid)
        with self._read() as connection:
            return [_event(row) for row in connection.execute(wanted)]

    def last_event_id(self) -> int:
        """Id of the newest event; 0 where nothing happened yet."""
        with self._read() as connection:
            return connection.execute(select(events.c.id).order_by(events.c.id.desc()).limit(1)).scalar() or 0

    def claim_webhook(self, name: str, lease_s: float) -> int | None:
        """Take on the telling of one webhook for `lease_s` seconds.

        Returns
        -------
        Id of the last event that it took; None where another worker tells it, or its next try is not due.
        """
        at = self._now()
        free = or_(webhook_cursors.c.leased_until.is_(None), webhook_cursors.c.leased_until <= at)
        claim = (
            update(webhook_cursors)
            .where(webhook_cursors.c.name == name, webhook_cursors.c.next_try_at <= at, free)
            .values(leased_until=at + timedelta(seconds=lease_s))
        )
        with self._write() as connection:
            self._insert_once(connection, webhook_cursors, name=name, last_event_id=0, tries=0, next_try_at=at)
            return connection.execute(claim.returning(webhook_cursors.c.last_event_id)).scalar()

    def webhook_done(self, name: str, event_id: int) -> None:
        """Note that everything up to an event was taken, and give the webhook back."""
        taken = {"last_event_id": event_id, "tries": 0, "leased_until": None, "last_error": None}
        self._change_webhook(name, **taken)

    def webhook_failed(self, name: str, error: str, next_try_at: datetime) -> None:
        """Give the webhook back for a later try; counts the failure."""
        self._change_webhook(name, tries=webhook_cursors.c.tries + 1, next_try_at=next_try_at, leased_until=None, last_error=error)

    def webhooks(self) -> dict[str, tuple[int, int, str | None]]:
        """By name: the last event taken, failures since, the last error."""
        with self._read() as connection:
            found = connection.execute(select(webhook_cursors).order_by(webhook_cursors.c.name))
            return {row.name: (row.last_event_id, row.tries, row.last_error) for row in found}

    def _change_webhook(self, name: str, **values: Any) -> None:
        with self._write() as connection:
            connection.execute(update(webhook_cursors).where(webhook_cursors.c.name == name).values(**values))

    def _tell(self, connection: Connection, kind: str, study_instance_uid: str, /, **detail: object) -> None:
        """Write an event down in a running transaction."""
        if connection.dialect.name == "postgresql":
            # Ids are drawn before the commit: without the lock a reader could pass over an event that commits late.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        connection.execute(
            insert(events).values(at=self._now(), kind=kind, study_instance_uid=study_instance_uid, detail=json.dumps(detail))
        )


def _event(row: Row[Any]) -> EventRow:
    return EventRow(id=row.id, at=row.at, kind=row.kind, study_instance_uid=row.study_instance_uid, detail=json.loads(row.detail))
