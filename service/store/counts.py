"""Numbers for the metrics: a few grouped queries, all on indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from service.domain.delivery_lifecycle import OPEN
from service.domain.findings import CorrectionKind, CorrectionState, DeliveryState, InstanceState
from service.store.database import Database
from service.store.study_rows import StudyState
from service.store.tables import (
    conflicts,
    corrections,
    deliveries,
    destination_health,
    events,
    instances,
    studies,
    study_holds,
    webhook_cursors,
)


@dataclass(frozen=True)
class Backlog:
    """The events that a webhook has not delivered yet."""

    events: int
    age_s: float
    """Of the oldest of them; 0 where there is none."""
    failures: int
    """Attempts in a row that its receiver did not accept."""


class Counts:
    """What `service.metrics.Numbers` asks for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_state(self) -> dict[str, dict[str, int]]:
        """Count instances, studies, deliveries and corrections by state, and conflicts; a state without any is included as 0."""
        answer: dict[str, dict[str, int]] = {}
        with self._database.read() as tx:
            subjects = ((instances, InstanceState), (studies, StudyState), (deliveries, DeliveryState), (corrections, CorrectionState))
            for table, states in subjects:
                counted = {str(state): 0 for state in states}
                for state, count in tx.execute(select(table.c.state, func.count()).group_by(table.c.state)):
                    counted[state] = count
                answer[table.name] = counted
            answer["conflicts"] = {"kept": tx.execute(select(func.count()).select_from(conflicts)).scalar_one()}
        return answer

    def deliveries_by_destination(self) -> dict[tuple[str, str], int]:
        """Count deliveries by (destination, state); every state of a destination with any delivery is included."""
        grouped = select(deliveries.c.destination, deliveries.c.state, func.count()).group_by(deliveries.c.destination, deliveries.c.state)
        with self._database.read() as tx:
            found = {(destination, state): count for destination, state, count in tx.execute(grouped)}
        names = sorted({destination for destination, _ in found})
        return {(name, state.value): found.get((name, state.value), 0) for name in names for state in DeliveryState}

    def corrections_by_kind(self) -> dict[tuple[str, str], int]:
        """Count corrections by (kind, state); every pair is included."""
        grouped = select(corrections.c.kind, corrections.c.state, func.count()).group_by(corrections.c.kind, corrections.c.state)
        with self._database.read() as tx:
            found = {(kind, state): count for kind, state, count in tx.execute(grouped)}
        return {(kind.value, state.value): found.get((kind.value, state.value), 0) for kind in CorrectionKind for state in CorrectionState}

    def oldest_unfinished_at(self) -> datetime | None:
        """When the instance was received that waits longest for its result."""
        with self._database.read() as tx:
            return tx.execute(select(func.min(instances.c.received_at)).where(instances.c.state == InstanceState.RECEIVED)).scalar()

    def oldest_delivery_age_s(self) -> float:
        """Age of the oldest open delivery, seconds; 0 where none is open."""
        unfinished = deliveries.c.state.in_(OPEN)
        with self._database.read() as tx:
            oldest = tx.execute(select(func.min(deliveries.c.created_at)).where(unfinished)).scalar()
            return (tx.now - oldest).total_seconds() if oldest else 0.0

    def breakers(self) -> dict[str, bool]:
        """Whether the circuit breaker of each destination that was ever tried is open now."""
        with self._database.read() as tx:
            rows = tx.execute(select(destination_health.c.name, destination_health.c.open_until))
            return {row.name: row.open_until is not None and row.open_until > tx.now for row in rows}

    def held_studies(self) -> int:
        """Count the studies whose corrections wait for a person."""
        with self._database.read() as tx:
            return tx.execute(select(func.count()).select_from(study_holds).where(study_holds.c.released_at.is_(None))).scalar_one()

    def webhook_backlog(self, name: str) -> Backlog:
        """How far a webhook is behind; a new one is behind by every event that there is."""
        with self._database.read() as tx:
            state = tx.execute(select(webhook_cursors).where(webhook_cursors.c.name == name)).one_or_none()
            ahead = select(func.count(), func.min(events.c.at)).where(events.c.id > (state.last_event_id if state else 0))
            count, oldest = tx.execute(ahead).one()
            age_s = (tx.now - oldest).total_seconds() if oldest else 0.0
            return Backlog(count, age_s, state.tries if state else 0)
