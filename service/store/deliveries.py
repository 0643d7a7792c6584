"""The ledger's pages on deliveries: what goes where, who is at it, how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, exists, func, or_, select, update

from service.domain.errors import DecisionRefused
from service.domain.findings import CorrectionState, DeliveryState, ObjectKind
from service.store.corrections import FOLLOWS_DELIVERIES, ON_THE_WAY, Corrections
from service.store.rows import DeliveryRow, PlannedDelivery
from service.store.tables import deliveries, destination_health, study_holds

HELD_BACK = (ObjectKind.CORRECTED, ObjectKind.REJECTION)
"""What does not leave a study that is held."""


class Outbox(Corrections):
    def plan_delivery(
        self,
        study_instance_uid: str,
        version: int,
        kind: ObjectKind,
        source_sop_instance_uid: str | None,
        destination: str,
        object_uid: str,
    ) -> bool:
        """Enter an object that is to reach a destination; False where that is already entered."""
        with self._write() as connection:
            return self._plan(
                connection, study_instance_uid, version, PlannedDelivery(kind, source_sop_instance_uid, destination, object_uid)
            )

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        """Look one delivery up."""
        found = self._deliveries(select(deliveries).where(deliveries.c.id == delivery_id))
        return found[0] if found else None

    def deliveries(
        self,
        state: DeliveryState | None = None,
        study_instance_uid: str | None = None,
        destination: str | None = None,
        correction_id: int | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> list[DeliveryRow]:
        """List deliveries behind one that is known, in the order they were planned."""
        wanted = select(deliveries).where(deliveries.c.id > after_id).order_by(deliveries.c.id).limit(limit)
        if destination is not None:
            wanted = wanted.where(deliveries.c.destination == destination)
        if correction_id is not None:
            wanted = wanted.where(deliveries.c.correction_id == correction_id)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        if study_instance_uid is not None:
            wanted = wanted.where(deliveries.c.study_instance_uid == study_instance_uid)
        return self._deliveries(wanted)

    def is_produced(self, uid: str) -> bool:
        """Tell whether a SOP Instance UID names an object of our own making."""
        with self._read() as connection:
            # An image that is corrected under its own UID is still the sender's.
            made_here = or_(deliveries.c.source_sop_instance_uid.is_(None), deliveries.c.source_sop_instance_uid != deliveries.c.object_uid)
            found = select(deliveries.c.id).where(deliveries.c.object_uid == uid, made_here).limit(1)
            return connection.execute(found).scalar() is not None

    def due_deliveries(self, at: datetime | None = None, study_instance_uid: str | None = None, limit: int = 1000) -> list[DeliveryRow]:
        """List deliveries, of one study or of all, that nobody works on and whose next try is due; the longest overdue first."""
        wanted = select(deliveries).where(_claimable(at or self._now()))
        if study_instance_uid is not None:
            wanted = wanted.where(deliveries.c.study_instance_uid == study_instance_uid)
        return self._deliveries(wanted.order_by(deliveries.c.next_try_at, deliveries.c.id).limit(limit))

    def claim_delivery(self, delivery_id: int, lease_s: float, concurrency: int | None = None) -> DeliveryRow | None:
        """Take a delivery on for `lease_s` seconds and count the try.

        Parameters
        ----------
        concurrency
            How many deliveries may be on their way to its destination at the same time; None: any number.

        Returns
        -------
        None where it is not to be worked on now: finished, not due yet, another worker's lease runs, its destination is left alone or
        has enough to do, or its study is held. A worker that died blocks its delivery only until its lease ends.
        """
        at = self._now()
        claim = (
            update(deliveries)
            .where(deliveries.c.id == delivery_id, _claimable(at))
            .values(tries=deliveries.c.tries + 1, leased_until=at + timedelta(seconds=lease_s))
        )
        with self._write() as connection:
            if concurrency is not None and self._is_busy(connection, delivery_id, concurrency, at):
                return None
            row = connection.execute(claim.returning(*deliveries.c)).one_or_none()
        return as_delivery(row) if row else None

    def mark_sent(self, delivery_id: int) -> bool:
        """Note that the peer took the object; the proof is still to come. False where the delivery has ended."""
        return self._change_delivery(delivery_id, update(deliveries).values(state=DeliveryState.SENT))

    def finish_delivery(self, delivery_id: int, state: DeliveryState, error: str | None = None, status: int | None = None) -> bool:
        """End a delivery; False where it had ended before.

        Parameters
        ----------
        status
            The peer's last answer, a DIMSE or HTTP status, where it gave one.
        """
        if state in ON_THE_WAY:
            raise ValueError("a delivery ends verified, mismatch, rejected, failed or unsupported")
        end = update(deliveries).values(state=state, error=_plain(error), status=status, leased_until=None, finished_at=self._now())
        return self._change_delivery(delivery_id, end)

    def rename_object(self, delivery_id: int, object_uid: str) -> None:
        """Note that the destination gets the object in another form, under a UID of its own."""
        with self._write() as connection:
            connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(object_uid=object_uid))

    def postpone_delivery(self, delivery_id: int, reason: str, next_try_at: datetime) -> bool:
        """Give a delivery back that must wait for another one: that was no try."""
        back = update(deliveries).values(error=_plain(reason), leased_until=None, next_try_at=next_try_at, tries=deliveries.c.tries - 1)
        return self._change_delivery(delivery_id, back)

    def retry_delivery(self, delivery_id: int, error: str, next_try_at: datetime) -> bool:
        """Give a delivery back for a later try; False where it has ended."""
        back = update(deliveries).values(error=_plain(error), leased_until=None, next_try_at=next_try_at)
        return self._change_delivery(delivery_id, back)

    def retry(self, delivery_id: int, actor: str) -> DeliveryRow:
        """Give a delivery that ended without proof fresh tries, because a person asks for it.

        Raises
        ------
        LookupError
            There is no such delivery.
        DecisionRefused
            It is verified, still on its way, or writes labels that a person undid or rejected.
        """
        at = self._now()
        with self._write() as connection:
            row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()).one_or_none()
            if row is None:
                raise LookupError(f"no delivery {delivery_id}")
            if row.state in (*ON_THE_WAY, DeliveryState.VERIFIED):
                raise DecisionRefused(f"delivery {delivery_id} is {row.state}: only what ended without proof is tried again")
            self._take_up(connection, row, actor)
            anew = {"state": DeliveryState.PENDING, "tries": 0, "next_try_at": at, "leased_until": None, "finished_at": None}
            again = update(deliveries).where(deliveries.c.id == delivery_id).values(**anew)
            fresh = as_delivery(connection.execute(again.returning(*deliveries.c)).one())
            self._tell(
                connection, "delivery.retried", row.study_instance_uid, delivery=delivery_id, destination=row.destination, actor=actor
            )
            if row.correction_id is not None:
                self._settle(connection, row.correction_id)
        return fresh

    def _take_up(self, connection: Connection, row: Row[Any], actor: str) -> None:
        """See that a delivery which is to be tried again still serves its correction."""
        if row.correction_id is None:
            return
        state = self._state_of(connection, row.correction_id)
        if row.kind == ObjectKind.REVERTED and state in FOLLOWS_DELIVERIES:
            self._step(connection, row.correction_id, row.study_instance_uid, CorrectionState.REVERTING, actor, "the undo is tried again")
        elif state not in FOLLOWS_DELIVERIES and not (row.kind == ObjectKind.REVERTED and state is CorrectionState.REVERTING):
            raise DecisionRefused(f"delivery {row.id} belongs to correction {row.correction_id}, which is {state}: it is not written again")

    def _plan(
        self, connection: Connection, study_instance_uid: str, version: int, planned: PlannedDelivery, correction_id: int | None = None
    ) -> bool:
        at = self._now()
        return self._insert_once(
            connection,
            deliveries,
            study_instance_uid=study_instance_uid,
            version=version,
            kind=planned.kind,
            correction_id=correction_id,
            source_sop_instance_uid=planned.source_sop_instance_uid,
            destination=planned.destination,
            object_uid=planned.object_uid,
            state=DeliveryState.PENDING,
            tries=0,
            created_at=at,
            next_try_at=at,
        )

    def _change_delivery(self, delivery_id: int, change: Update) -> bool:
        """Change a delivery that has not ended; what follows from that is written in the same transaction."""
        unfinished = change.where(deliveries.c.id == delivery_id, deliveries.c.state.in_(ON_THE_WAY))
        with self._write() as connection:
            row = connection.execute(unfinished.returning(*deliveries.c)).one_or_none()
            if row is None:
                return False
            if row.state not in ON_THE_WAY:
                told = {
                    "delivery": row.id,
                    "kind": row.kind,
                    "destination": row.destination,
                    "object_uid": row.object_uid,
                    "tries": row.tries,
                }
                self._tell(connection, f"delivery.{row.state}", row.study_instance_uid, **told)
            if row.correction_id is not None:
                self._settle(connection, row.correction_id)
            return True

    def _is_busy(self, connection: Connection, delivery_id: int, concurrency: int, at: datetime) -> bool:
        name = connection.execute(select(deliveries.c.destination).where(deliveries.c.id == delivery_id)).scalar()
        if name is None:
            return False
        # The row is the queue's turnstile: two workers must not count at the same time.
        self._insert_once(connection, destination_health, name=name, failures=0)
        connection.execute(select(destination_health.c.name).where(destination_health.c.name == name).with_for_update())
        running = select(func.count()).where(deliveries.c.destination == name, deliveries.c.leased_until > at)
        return connection.execute(running).scalar_one() >= concurrency

    def _deliveries(self, wanted: Select[Any]) -> list[DeliveryRow]:
        with self._read() as connection:
            return [as_delivery(row) for row in connection.execute(wanted)]


def _plain(error: str | None) -> str | None:
    # A peer's comment may hold anything; PostgreSQL takes no NUL.
    return error.replace("\0", "") if error else error


def _claimable(at: datetime) -> ColumnElement[bool]:
    free = or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= at)
    left_alone = exists().where(destination_health.c.name == deliveries.c.destination, destination_health.c.open_until > at)
    held = deliveries.c.kind.in_(HELD_BACK) & exists().where(
        study_holds.c.study_instance_uid == deliveries.c.study_instance_uid, study_holds.c.released_at.is_(None)
    )
    return deliveries.c.state.in_(ON_THE_WAY) & (deliveries.c.next_try_at <= at) & free & ~left_alone & ~held


def as_delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        version=row.version,
        kind=ObjectKind(row.kind),
        source_sop_instance_uid=row.source_sop_instance_uid,
        destination=row.destination,
        object_uid=row.object_uid,
        state=DeliveryState(row.state),
        tries=row.tries,
        error=row.error,
        status=row.status,
        correction_id=row.correction_id,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        finished_at=row.finished_at,
    )
