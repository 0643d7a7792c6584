"""The ledger's numbers, as metrics want them: a few grouped queries, all on indexes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from service.domain.findings import CorrectionKind, CorrectionState, DeliveryState
from service.store.database import Database
from service.store.tables import corrections, deliveries, destination_health, events, study_holds, webhook_cursors


@dataclass(frozen=True)
class Backlog:
    """What a webhook has not been told yet."""

    events: int
    age_s: float
    """Of the oldest of them; 0 where there is none."""
    failures: int
    """Tries in a row that it did not take."""


class Tallies(Database):
    def deliveries_by_destination(self) -> dict[tuple[str, str], int]:
        """Count deliveries by (destination, state); each state of a destination that has any delivery is there."""
        grouped = select(deliveries.c.destination, deliveries.c.state, func.count()).group_by(deliveries.c.destination, deliveries.c.state)
        with self._read() as connection:
            found = {(destination, state): count for destination, state, count in connection.execute(grouped)}
        names = sorted({destination for destination, _ in found})
        return {(name, state.value): found.get((name, state.value), 0) for name in names for state in DeliveryState}

    def corrections_by_kind(self) -> dict[tuple[str, str], int]:
        """Count corrections by (kind, state); all pairs are there."""
        grouped = select(corrections.c.kind, corrections.c.state, func.count()).group_by(corrections.c.kind, corrections.c.state)
        with self._read() as connection:
            found = {(kind, state): count for kind, state, count in connection.execute(grouped)}
        return {(kind.value, state.value): found.get((kind.value, state.value), 0) for kind in CorrectionKind for state in CorrectionState}

    def oldest_delivery_age_s(self) -> float:
        """Age of the delivery that is longest on its way; 0 where none is."""
        unfinished = deliveries.c.state.in_((DeliveryState.PENDING, DeliveryState.SENT))
        with self._read() as connection:
            oldest = connection.execute(select(func.min(deliveries.c.created_at)).where(unfinished)).scalar()
        return (self._now() - oldest).total_seconds() if oldest else 0.0

    def breakers(self) -> dict[str, bool]:
        """Whether each destination that was ever tried is being left alone now."""
        at = self._now()
        with self._read() as connection:
            rows = connection.execute(select(destination_health.c.name, destination_health.c.open_until)).all()
        return {row.name: row.open_until is not None and row.open_until > at for row in rows}

    def held_studies(self) -> int:
        """Studies that nothing corrected may leave until a person releases them."""
        with self._read() as connection:
            return connection.execute(select(func.count()).select_from(study_holds).where(study_holds.c.released_at.is_(None))).scalar_one()

    def webhook_backlog(self, name: str) -> Backlog:
        """How far a webhook is behind; one that was never told anything is behind by all that ever happened."""
        with self._read() as connection:
            state = connection.execute(select(webhook_cursors).where(webhook_cursors.c.name == name)).one_or_none()
            ahead = select(func.count(), func.min(events.c.at)).where(events.c.id > (state.last_event_id if state else 0))
            count, oldest = connection.execute(ahead).one()
        age_s = (self._now() - oldest).total_seconds() if oldest else 0.0
        return Backlog(count, age_s, state.tries if state else 0)
