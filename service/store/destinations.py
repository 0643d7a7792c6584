"""Destinations: which of them answer, whose circuit breaker is open, which SOP classes each accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from service.store.database import Database, Transaction
from service.store.tables import destination_health as states


@dataclass(frozen=True)
class DestinationRow:
    """What the ledger knows of a destination; the circuit breaker is open while `open_until` is in the future."""

    name: str
    failures: int
    open_until: datetime | None
    last_error: str | None
    last_answer_at: datetime | None
    capabilities: dict[str, bool] | None
    asked_at: datetime | None


class Destinations:
    """One row for each destination that was ever tried, shared by all workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def health(self, name: str) -> DestinationRow | None:
        """What is known of a destination; None where no worker has tried it yet."""
        with self._database.read() as tx:
            row = tx.execute(select(states).where(states.c.name == name)).one_or_none()
        return _destination(row) if row else None

    def all(self) -> list[DestinationRow]:
        """What is known of all destinations that were ever tried."""
        with self._database.read() as tx:
            return [_destination(row) for row in tx.execute(select(states).order_by(states.c.name))]

    def record_answer(self, name: str) -> None:
        """Note that a destination answered, even with a failure status: its circuit breaker closes."""
        with self._database.write() as tx:
            tx.insert_once(states, name=name, failures=0)
            answered = update(states).where(states.c.name == name)
            tx.execute(answered.values(failures=0, open_until=None, last_answer_at=tx.now))

    def record_failure(self, name: str, error: str, breaker_after: int, pause_s: float) -> bool:
        """Count a failure to reach a destination.

        Returns
        -------
        Whether the circuit breaker opened: after `breaker_after` failures in a row nothing is sent for `pause_s` seconds. After that, one
        attempt is allowed for each pause.
        """
        with self._database.write() as tx:
            tx.insert_once(states, name=name, failures=0)
            count = update(states).where(states.c.name == name).values(failures=states.c.failures + 1, last_error=error.replace("\0", ""))
            failures: int = tx.execute(count.returning(states.c.failures)).scalar_one()
            if failures < breaker_after:
                return False
            tx.execute(update(states).where(states.c.name == name).values(open_until=tx.now + timedelta(seconds=pause_s)))
            return True

    def record_capabilities(self, name: str, taken: Mapping[str, bool]) -> None:
        """Note which SOP classes a destination accepts; what is known of others stays."""
        with self._database.write() as tx:
            tx.insert_once(states, name=name, failures=0)
            known = tx.execute(select(states.c.capabilities).where(states.c.name == name).with_for_update()).scalar()
            together = json.dumps({**(json.loads(known) if known else {}), **taken}, sort_keys=True)
            tx.execute(update(states).where(states.c.name == name).values(capabilities=together, asked_at=tx.now))


def lock_destination(tx: Transaction, name: str) -> None:
    """Keep other transactions from changing the row of a destination, which is entered where it is missing."""
    tx.insert_once(states, name=name, failures=0)
    tx.execute(select(states.c.name).where(states.c.name == name).with_for_update())


def _destination(row: Row[Any]) -> DestinationRow:
    return DestinationRow(
        name=row.name,
        failures=row.failures,
        open_until=row.open_until,
        last_error=row.last_error,
        last_answer_at=row.last_answer_at,
        capabilities=json.loads(row.capabilities) if row.capabilities else None,
        asked_at=row.asked_at,
    )
