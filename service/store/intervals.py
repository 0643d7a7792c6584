"""The ledger's figures over time: how many came, were analysed, concluded and delivered in each interval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, cast, func, literal_column, select

from service.domain.findings import DeliveryState, InstanceState
from service.store.database import Database
from service.store.tables import deliveries, instances, studies

_SUBJECTS: dict[str, tuple[Table, ColumnElement[Any], ColumnElement[bool] | None]] = {
    "received": (instances, instances.c.received_at, None),
    "analysed": (instances, instances.c.finished_at, instances.c.state == InstanceState.ANALYSED),
    "not-analysed": (instances, instances.c.finished_at, instances.c.state == InstanceState.NOT_ANALYSED),
    "failed": (instances, instances.c.finished_at, instances.c.state == InstanceState.FAILED),
    # Of the current conclusion: a study counts where it was concluded last.
    "concluded": (studies, studies.c.concluded_at, None),
    "delivered": (deliveries, deliveries.c.finished_at, deliveries.c.state == DeliveryState.VERIFIED),
}


class Intervals(Database):
    def throughput(self, since: datetime, step_s: int) -> dict[str, list[tuple[datetime, int]]]:
        """Images received, analysed, not analysed and failed, studies concluded, and objects delivered, by interval.

        Parameters
        ----------
        since
            Start of the first interval.
        step_s
            Length of each, seconds.

        Returns
        -------
        By subject: each interval's start and count, from `since` until now; intervals without any are there as 0.
        """
        count = int((self._now() - since).total_seconds()) // step_s + 1
        answer: dict[str, list[tuple[datetime, int]]] = {}
        with self._read() as connection:
            for subject, (table, column, condition) in _SUBJECTS.items():
                number = self._interval(connection, column, since, step_s)
                grouped = select(number, func.count()).select_from(table).where(column >= since)
                if condition is not None:
                    grouped = grouped.where(condition)
                found = {row[0]: row[1] for row in connection.execute(grouped.group_by(number))}
                answer[subject] = [(since + timedelta(seconds=i * step_s), found.get(i, 0)) for i in range(count)]
        return answer

    def _interval(self, connection: Connection, column: ColumnElement[Any], since: datetime, step_s: int) -> ColumnElement[int]:
        """The number of the interval that a time falls into, 0 for the first."""
        start = int(since.timestamp())
        if connection.dialect.name == "postgresql":
            seconds: ColumnElement[Any] = cast(func.floor(func.extract("epoch", column)), BigInteger)
        else:
            seconds = cast(func.strftime("%s", column), BigInteger)
        # Rounded towards zero, which is down: nothing before `since` is asked for. Written out, because PostgreSQL takes an
        # expression with parameters for another one where it stands again in GROUP BY.
        whole: ColumnElement[int] = (seconds - literal_column(str(start), BigInteger)) // literal_column(str(int(step_s)), BigInteger)
        return whole
