"""How far each webhook has read the event log, which worker reads for it, and how often its receiver failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from service.store.database import Database
from service.store.tables import webhook_cursors


class Webhooks:
    """The read position of each webhook, and the lease of the worker that delivers to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, name: str, lease_s: float) -> int | None:
        """Reserve a webhook for the calling worker for `lease_s` seconds.

        Returns
        -------
        Id of the last event that the receiver accepted; None where another worker has the webhook, or its next attempt is not due.
        """
        with self._database.write() as tx:
            free = or_(webhook_cursors.c.leased_until.is_(None), webhook_cursors.c.leased_until <= tx.now)
            claim = (
                update(webhook_cursors)
                .where(webhook_cursors.c.name == name, webhook_cursors.c.next_try_at <= tx.now, free)
                .values(leased_until=tx.now + timedelta(seconds=lease_s))
            )
            tx.insert_once(webhook_cursors, name=name, last_event_id=0, tries=0, next_try_at=tx.now)
            return tx.execute(claim.returning(webhook_cursors.c.last_event_id)).scalar()

    def record_success(self, name: str, event_id: int) -> None:
        """Note that the receiver accepted every event up to `event_id`, and release the webhook."""
        self._change(name, last_event_id=event_id, tries=0, leased_until=None, last_error=None)

    def record_failure(self, name: str, error: str, next_try_at: datetime) -> None:
        """Count a failure, and release the webhook for a later attempt."""
        self._change(name, tries=webhook_cursors.c.tries + 1, next_try_at=next_try_at, leased_until=None, last_error=error)

    def all(self) -> dict[str, tuple[int, int, str | None]]:
        """By name: the last event that the receiver accepted, the failures since then, the last error."""
        with self._database.read() as tx:
            found = tx.execute(select(webhook_cursors).order_by(webhook_cursors.c.name))
            return {row.name: (row.last_event_id, row.tries, row.last_error) for row in found}

    def _change(self, name: str, **values: Any) -> None:
        with self._database.write() as tx:
            tx.execute(update(webhook_cursors).where(webhook_cursors.c.name == name).values(**values))
