"""Counts over time: how many images were received and analysed, studies concluded, and objects delivered in each interval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, cast, func, literal_column, select

from service.domain.findings import DeliveryState, InstanceState
from service.store.database import Database, Transaction
from service.store.tables import deliveries, instances, studies

# Table, time, and state. An empty string is added to the state, so that no database reads the index of states: that index has every
# image, and the index of times has the few of the interval.
_Subject = tuple[Table, ColumnElement[Any], ColumnElement[Any]]
_IMAGES: _Subject = (instances, instances.c.finished_at, instances.c.state.concat(""))
_DELIVERIES: _Subject = (deliveries, deliveries.c.finished_at, deliveries.c.state.concat(""))
_RECEIVED: _Subject = (instances, instances.c.received_at, literal_column("''"))
# Of the current conclusion: a study counts where it was concluded last.
_CONCLUDED: _Subject = (studies, studies.c.concluded_at, literal_column("''"))


class Throughput:
    """Counts by interval, for the charts of the operations page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_interval(self, since: datetime, step_s: int) -> dict[str, list[tuple[datetime, int]]]:
        """Images received, analysed, not analysed and failed, studies concluded, and objects delivered, by interval.

        Parameters
        ----------
        since
            Start of the first interval.
        step_s
            Length of each, seconds.

        Returns
        -------
        By subject: each interval's start and count, from `since` until now; intervals without any are included as 0.
        """
        with self._database.read() as tx:
            count = int((tx.now - since).total_seconds()) // step_s + 1
            received, concluded = (_count(tx, subject, since, step_s) for subject in (_RECEIVED, _CONCLUDED))
            images, sent = (_count(tx, subject, since, step_s) for subject in (_IMAGES, _DELIVERIES))
        counted = {
            "received": received.get("", {}),
            "analysed": images.get(InstanceState.ANALYSED, {}),
            "skipped": images.get(InstanceState.SKIPPED, {}),
            "failed": images.get(InstanceState.FAILED, {}),
            "concluded": concluded.get("", {}),
            "delivered": sent.get(DeliveryState.VERIFIED, {}),
        }
        starts = [since + timedelta(seconds=number * step_s) for number in range(count)]
        return {name: [(at, found.get(number, 0)) for number, at in enumerate(starts)] for name, found in counted.items()}


def _count(tx: Transaction, subject: _Subject, since: datetime, step_s: int) -> dict[str, dict[int, int]]:
    """Rows by state and number of the interval."""
    table, column, state = subject
    number = interval_number(tx, column, since, step_s).label("number")
    grouped = select(state.label("ended"), number, func.count()).select_from(table).where(column >= since)
    answer: dict[str, dict[int, int]] = {}
    for row in tx.execute(grouped.group_by("ended", "number")):
        answer.setdefault(row[0], {})[row[1]] = row[2]
    return answer


def interval_number(tx: Transaction, column: ColumnElement[Any], since: datetime, step_s: int) -> ColumnElement[int]:
    """The number of the interval that a time falls into, 0 for the first."""
    start = int(since.timestamp())
    if tx.dialect == "postgresql":
        seconds: ColumnElement[Any] = cast(func.floor(func.extract("epoch", column)), BigInteger)
    else:
        seconds = cast(func.strftime("%s", column), BigInteger)
    # Rounded towards zero, which is down: nothing before `since` is counted. Literals, because PostgreSQL takes an expression
    # with parameters for another one where GROUP BY repeats it.
    whole: ColumnElement[int] = (seconds - literal_column(str(start), BigInteger)) // literal_column(str(int(step_s)), BigInteger)
    return whole
