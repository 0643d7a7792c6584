"""The ledger's pages on those who work: which workers are alive, and what a look each minute found of queues and disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from service.domain.findings import ModelIdentity
from service.store.failures import Troubles
from service.store.tables import metric_samples, workers
from service.store.throughput import Intervals

FORGOTTEN_AFTER = timedelta(days=1)
"""A worker that died is shown for so long; one that was stopped in order leaves no row."""
SAMPLES_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class WorkerRow:
    """A process that analyses, concludes and delivers."""

    name: str
    host: str
    pid: int
    provider: str
    """Where its networks really run."""
    models: tuple[ModelIdentity, ...]
    started_at: datetime
    seen_at: datetime
    """Its last sign of life."""


class Workshop(Intervals, Troubles):
    def register_worker(self, name: str, host: str, pid: int, provider: str, models: Iterable[ModelIdentity]) -> None:
        """Enter a worker that is ready to work; one of the same name that was there before is this one's past."""
        at = self._now()
        entered: dict[str, Any] = {
            "host": host[:64],
            "pid": pid,
            "provider": provider,
            "models": json.dumps([model.model_dump(mode="json") for model in models]),
            "started_at": at,
            "seen_at": at,
        }
        with self._write() as connection:
            if not self._insert_once(connection, workers, name=name, **entered):
                connection.execute(update(workers).where(workers.c.name == name).values(entered))
            connection.execute(delete(workers).where(workers.c.seen_at < at - FORGOTTEN_AFTER))

    def heartbeat_worker(self, name: str) -> bool:
        """Note a sign of life; False where the worker is not known (any more)."""
        with self._write() as connection:
            seen = update(workers).where(workers.c.name == name).values(seen_at=self._now())
            return connection.execute(seen).rowcount > 0

    def deregister_worker(self, name: str) -> None:
        """Forget a worker that stops in order."""
        with self._write() as connection:
            connection.execute(delete(workers).where(workers.c.name == name))

    def workers(self) -> list[WorkerRow]:
        """Everyone who was seen within a day, by name."""
        with self._read() as connection:
            found = connection.execute(select(workers).where(workers.c.seen_at >= self._now() - FORGOTTEN_AFTER).order_by(workers.c.name))
            return [_worker(row) for row in found]

    def keep_samples(self, values: Mapping[str, float]) -> None:
        """Write down what a look found, one value a name and minute: of several sweepers the first one's counts.

        What is older than `SAMPLES_KEPT` goes.
        """
        now = self._now()
        at = now.replace(second=0, microsecond=0)
        with self._write() as connection:
            for name, value in values.items():
                self._insert_once(connection, metric_samples, name=name, at=at, value=value)
            connection.execute(
                delete(metric_samples).where(metric_samples.c.name.in_(list(values)), metric_samples.c.at < now - SAMPLES_KEPT)
            )

    def samples(self, names: Iterable[str], since: datetime, step_s: int) -> dict[str, list[tuple[datetime, float]]]:
        """Means over intervals of `step_s` seconds, by name, oldest first; an interval without a look is not there."""
        with self._read() as connection:
            number = self._interval(connection, metric_samples.c.at, since, step_s)
            grouped = select(metric_samples.c.name, number.label("number"), func.avg(metric_samples.c.value).label("mean"))
            # The names are told because the key begins with them: a look at one day must not pass over thirty.
            grouped = grouped.where(metric_samples.c.name.in_(list(names)), metric_samples.c.at >= since)
            grouped = grouped.group_by(metric_samples.c.name, number).order_by(metric_samples.c.name, number)
            answer: dict[str, list[tuple[datetime, float]]] = {}
            for row in connection.execute(grouped):
                answer.setdefault(row.name, []).append((since + timedelta(seconds=row.number * step_s), float(row.mean)))
        return answer


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
