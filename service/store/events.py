"""The event log. Each event is written in the transaction that caused it; ids rise in the order of the commits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, text

from service.domain.events import EventKind
from service.store.database import Database, Transaction
from service.store.tables import events

_ONE_AT_A_TIME = 0x6576656E74


@dataclass(frozen=True)
class EventRow:
    """An event for webhooks and API clients. Ids rise, and no two events have the same."""

    id: int
    at: datetime
    kind: str
    study_instance_uid: str
    detail: dict[str, object]


class Events:
    """Reads the event log; `append_event` writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, after_id: int = 0, limit: int = 100, study_instance_uid: str | None = None) -> list[EventRow]:
        """List the events after a known one, oldest first; of one study or of all."""
        wanted = select(events).where(events.c.id > after_id).order_by(events.c.id).limit(limit)
        if study_instance_uid is not None:
            wanted = wanted.where(events.c.study_instance_uid == study_instance_uid)
        with self._database.read() as tx:
            return [_event(row) for row in tx.execute(wanted)]

    def last_id(self) -> int:
        """Id of the newest event; 0 where nothing happened yet."""
        with self._database.read() as tx:
            return tx.execute(select(events.c.id).order_by(events.c.id.desc()).limit(1)).scalar() or 0


def append_event(tx: Transaction, event_kind: EventKind, study_instance_uid: str, /, **detail: object) -> None:
    """Write an event in a running transaction; `detail` holds UIDs, states and numbers of the ledger, nothing of a patient."""
    if tx.dialect == "postgresql":
        # PostgreSQL draws ids before the commit: without the lock a reader could pass over an event that commits late.
        tx.execute(text("SELECT pg_advisory_xact_lock(:lock)").bindparams(lock=_ONE_AT_A_TIME))
    tx.execute(insert(events).values(at=tx.now, kind=event_kind, study_instance_uid=study_instance_uid, detail=json.dumps(detail)))


def _event(row: Row[Any]) -> EventRow:
    return EventRow(id=row.id, at=row.at, kind=row.kind, study_instance_uid=row.study_instance_uid, detail=json.loads(row.detail))
