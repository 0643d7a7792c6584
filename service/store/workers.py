"""Which worker processes are alive, where their networks run, and which models they loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update

from service.domain.findings import ModelIdentity
from service.store.database import Database
from service.store.tables import workers

FORGOTTEN_AFTER = timedelta(days=1)
"""A worker that died is listed for so long; one that stopped normally leaves no row."""


@dataclass(frozen=True)
class WorkerRow:
    """A process that analyses, concludes and delivers."""

    name: str
    host: str
    pid: int
    provider: str
    """The ONNX Runtime provider that its networks run on."""
    models: tuple[ModelIdentity, ...]
    started_at: datetime
    seen_at: datetime
    """Its last heartbeat."""


class Workers:
    """One row for each worker process, kept up to date by its heartbeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, host: str, pid: int, provider: str, models: Iterable[ModelIdentity]) -> None:
        """Enter a worker that is ready; this replaces an earlier row of the same name."""
        with self._database.write() as tx:
            entered: dict[str, Any] = {
                "host": host[:64],
                "pid": pid,
                "provider": provider,
                "models": json.dumps([model.model_dump(mode="json") for model in models]),
                "started_at": tx.now,
                "seen_at": tx.now,
            }
            if not tx.insert_once(workers, name=name, **entered):
                tx.execute(update(workers).where(workers.c.name == name).values(entered))
            tx.execute(delete(workers).where(workers.c.seen_at < tx.now - FORGOTTEN_AFTER))

    def heartbeat(self, name: str) -> bool:
        """Note that a worker is alive; False where the ledger does not know it (any more)."""
        with self._database.write() as tx:
            return tx.execute(update(workers).where(workers.c.name == name).values(seen_at=tx.now)).rowcount > 0

    def deregister(self, name: str) -> None:
        """Remove a worker that stops normally."""
        with self._database.write() as tx:
            tx.execute(delete(workers).where(workers.c.name == name))

    def all(self) -> list[WorkerRow]:
        """Every worker with a heartbeat within `FORGOTTEN_AFTER`, by name."""
        with self._database.read() as tx:
            found = tx.execute(select(workers).where(workers.c.seen_at >= tx.now - FORGOTTEN_AFTER).order_by(workers.c.name))
            return [_worker(row) for row in found]


def _worker(row: Row[Any]) -> WorkerRow:
    return WorkerRow(
        name=row.name,
        host=row.host,
        pid=row.pid,
        provider=row.provider,
        models=tuple(ModelIdentity.model_validate(each) for each in json.loads(row.models)),
        started_at=row.started_at,
        seen_at=row.seen_at,
    )
