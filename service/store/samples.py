"""What the sweeper measures once a minute: queue depth, free disk space, waiting deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from service.store.database import Database
from service.store.tables import metric_samples
from service.store.throughput import interval_number

SAMPLES_KEPT = timedelta(days=30)


class Samples:
    """Values over time, one a name and minute."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, values: Mapping[str, float]) -> None:
        """Write one value a name for this minute; of several sweepers the first one's value counts.

        Values of these names that are older than `SAMPLES_KEPT` are removed.
        """
        with self._database.write() as tx:
            for name, value in values.items():
                tx.insert_once(metric_samples, name=name, at=tx.now.replace(second=0, microsecond=0), value=value)
            tx.execute(delete(metric_samples).where(metric_samples.c.name.in_(list(values)), metric_samples.c.at < tx.now - SAMPLES_KEPT))

    def means(self, names: Iterable[str], since: datetime, step_s: int) -> dict[str, list[tuple[datetime, float]]]:
        """Means over intervals of `step_s` seconds, by name, oldest first; an interval without a value is left out."""
        with self._database.read() as tx:
            number = interval_number(tx, metric_samples.c.at, since, step_s)
            grouped = select(metric_samples.c.name, number.label("number"), func.avg(metric_samples.c.value).label("mean"))
            # The primary key begins with the name: with the names given, one day is read without passing over the other days.
            grouped = grouped.where(metric_samples.c.name.in_(list(names)), metric_samples.c.at >= since)
            grouped = grouped.group_by(metric_samples.c.name, number).order_by(metric_samples.c.name, number)
            answer: dict[str, list[tuple[datetime, float]]] = {}
            for row in tx.execute(grouped):
                answer.setdefault(row.name, []).append((since + timedelta(seconds=row.number * step_s), float(row.mean)))
        return answer
