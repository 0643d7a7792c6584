"""The ledger's pages on deliveries: what goes where, who is at it, how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, or_, select, update

from service.domain.findings import DeliveryState, ObjectKind
from service.store.database import Database
from service.store.rows import DeliveryRow, PlannedDelivery
from service.store.tables import deliveries

ON_THE_WAY = (DeliveryState.PENDING, DeliveryState.SENT)


class Outbox(Database):
    def plan_delivery(
        self, study_uid: str, version: int, kind: ObjectKind, source_sop_uid: str | None, destination: str, object_uid: str
    ) -> bool:
        """Enter an object that is to reach a destination; False where that is already entered."""
        with self._write() as connection:
            return self._plan(connection, study_uid, version, PlannedDelivery(kind, source_sop_uid, destination, object_uid))

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        """Look one delivery up."""
        found = self._deliveries(select(deliveries).where(deliveries.c.id == delivery_id))
        return found[0] if found else None

    def deliveries(self, state: DeliveryState | None = None, study_uid: str | None = None) -> list[DeliveryRow]:
        """List deliveries in the order they were planned."""
        wanted = select(deliveries).order_by(deliveries.c.id)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        if study_uid is not None:
            wanted = wanted.where(deliveries.c.study_uid == study_uid)
        return self._deliveries(wanted)

    def is_produced(self, uid: str) -> bool:
        """Tell whether a SOP Instance UID names an object of our own making."""
        with self._read() as connection:
            return connection.execute(select(deliveries.c.id).where(deliveries.c.object_uid == uid).limit(1)).scalar() is not None

    def due_deliveries(self, at: datetime | None = None, study_uid: str | None = None, limit: int = 1000) -> list[DeliveryRow]:
        """List deliveries, of one study or of all, that nobody works on and whose next try is due; the longest overdue first."""
        wanted = select(deliveries).where(_claimable(at or self._now()))
        if study_uid is not None:
            wanted = wanted.where(deliveries.c.study_uid == study_uid)
        return self._deliveries(wanted.order_by(deliveries.c.next_try_at, deliveries.c.id).limit(limit))

    def claim_delivery(self, delivery_id: int, lease_s: float) -> DeliveryRow | None:
        """Take a delivery on for `lease_s` seconds and count the try.

        Returns
        -------
        None where it is not to be worked on now: finished, not due yet, or another worker's lease runs. A worker that died
        blocks its delivery only until its lease ends.
        """
        at = self._now()
        claim = (
            update(deliveries)
            .where(deliveries.c.id == delivery_id, _claimable(at))
            .values(tries=deliveries.c.tries + 1, leased_until=at + timedelta(seconds=lease_s))
        )
        with self._write() as connection:
            row = connection.execute(claim.returning(*deliveries.c)).one_or_none()
        return _delivery(row) if row else None

    def mark_sent(self, delivery_id: int) -> bool:
        """Note that the peer took the object; the proof is still to come. False where the delivery has ended."""
        return self._change(delivery_id, update(deliveries).values(state=DeliveryState.SENT))

    def finish_delivery(self, delivery_id: int, state: DeliveryState, error: str | None = None) -> bool:
        """End a delivery as verified, not-applied or failed; False where it had ended before."""
        if state in ON_THE_WAY:
            raise ValueError("a delivery ends verified, not-applied or failed")
        end = update(deliveries).values(state=state, error=_plain(error), leased_until=None, finished_at=self._now())
        return self._change(delivery_id, end)

    def retry_delivery(self, delivery_id: int, error: str, next_try_at: datetime) -> bool:
        """Give a delivery back for a later try; False where it has ended."""
        return self._change(delivery_id, update(deliveries).values(error=_plain(error), leased_until=None, next_try_at=next_try_at))

    def _plan(self, connection: Connection, study_uid: str, version: int, planned: PlannedDelivery) -> bool:
        at = self._now()
        return self._insert_once(
            connection,
            deliveries,
            study_uid=study_uid,
            version=version,
            kind=planned.kind,
            source_sop_uid=planned.source_sop_uid,
            destination=planned.destination,
            object_uid=planned.object_uid,
            state=DeliveryState.PENDING,
            tries=0,
            created_at=at,
            next_try_at=at,
        )

    def _change(self, delivery_id: int, change: Update) -> bool:
        with self._write() as connection:
            unfinished = change.where(deliveries.c.id == delivery_id, deliveries.c.state.in_(ON_THE_WAY))
            return bool(connection.execute(unfinished).rowcount)

    def _deliveries(self, wanted: Select[Any]) -> list[DeliveryRow]:
        with self._read() as connection:
            return [_delivery(row) for row in connection.execute(wanted)]


def _plain(error: str | None) -> str | None:
    # A peer's comment may hold anything; PostgreSQL takes no NUL.
    return error.replace("\0", "") if error else error


def _claimable(at: datetime) -> ColumnElement[bool]:
    free = or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= at)
    return deliveries.c.state.in_(ON_THE_WAY) & (deliveries.c.next_try_at <= at) & free


def _delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        study_uid=row.study_uid,
        version=row.version,
        kind=ObjectKind(row.kind),
        source_sop_uid=row.source_sop_uid,
        destination=row.destination,
        object_uid=row.object_uid,
        state=DeliveryState(row.state),
        tries=row.tries,
        error=row.error,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        finished_at=row.finished_at,
    )
