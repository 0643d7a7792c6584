"""Deliveries: which object goes to which destination, which worker has it, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select, update

from service.domain.delivery_lifecycle import OPEN, check_end, may_hold_object, sources_of
from service.domain.events import DELIVERY_EVENTS
from service.domain.findings import (
    DeliveryState,
    ObjectKind,
)
from service.domain.patients.identity import WITHHOLDING
from service.store.corrections import CorrectionRow, follow_deliveries, lock_correction
from service.store.database import Database, Transaction
from service.store.destinations import lock_destination
from service.store.events import append_event
from service.store.tables import deliveries, destination_health, study_holds

HELD_BACK = (ObjectKind.CORRECTED, ObjectKind.REJECTION)
"""The kinds of objects that wait for a person where the sides of a study are swapped; other holds let nothing leave."""


@dataclass(frozen=True)
class PlannedDelivery:
    """An object that a destination is to get. The pair of object and destination is unique in the ledger."""

    kind: ObjectKind
    source_sop_instance_uid: str | None
    """The image that the object describes; None for a report of the study."""
    destination: str
    object_uid: str
    sop_class_uid: str = ""
    """Empty where the class is that of the source image."""


@dataclass(frozen=True)
class DeliveryRow:
    id: int
    study_instance_uid: str
    version: int
    kind: ObjectKind
    source_sop_instance_uid: str | None
    destination: str
    object_uid: str
    sop_class_uid: str
    """Of the object; empty where it is that of the source image, or the row is older than this column."""
    state: DeliveryState
    tries: int
    error: str | None
    status: int | None
    correction_id: int | None
    """None where it serves no correction."""
    created_at: datetime
    next_try_at: datetime
    finished_at: datetime | None


class Deliveries:
    """One row for each object and destination. A worker claims a row for a lease, and ends it or gives it back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(
        self,
        study_instance_uid: str,
        version: int,
        kind: ObjectKind,
        source_sop_instance_uid: str | None,
        destination: str,
        object_uid: str,
        sop_class_uid: str = "",
    ) -> bool:
        """Enter an object that is to reach a destination; False where it is entered already."""
        planned = PlannedDelivery(kind, source_sop_instance_uid, destination, object_uid, sop_class_uid)
        with self._database.write() as tx:
            return plan_delivery(tx, study_instance_uid, version, planned)

    def get(self, delivery_id: int) -> DeliveryRow | None:
        """Look one delivery up."""
        found = self._rows(select(deliveries).where(deliveries.c.id == delivery_id))
        return found[0] if found else None

    def find(
        self,
        state: DeliveryState | None = None,
        study_instance_uid: str | None = None,
        destination: str | None = None,
        correction_id: int | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> list[DeliveryRow]:
        """List the deliveries after a known one, in the order they were planned."""
        wanted = select(deliveries).where(deliveries.c.id > after_id).order_by(deliveries.c.id).limit(limit)
        if destination is not None:
            wanted = wanted.where(deliveries.c.destination == destination)
        if correction_id is not None:
            wanted = wanted.where(deliveries.c.correction_id == correction_id)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        if study_instance_uid is not None:
            wanted = wanted.where(deliveries.c.study_instance_uid == study_instance_uid)
        return self._rows(wanted)

    def is_own_object(self, uid: str) -> bool:
        """Tell whether a SOP Instance UID names an object that this service made."""
        # An image that is corrected under its own UID is still the sender's.
        made_here = or_(deliveries.c.source_sop_instance_uid.is_(None), deliveries.c.source_sop_instance_uid != deliveries.c.object_uid)
        found = select(deliveries.c.id).where(deliveries.c.object_uid == uid, made_here).limit(1)
        with self._database.read() as tx:
            return tx.execute(found).scalar() is not None

    def due(self, at: datetime | None = None, study_instance_uid: str | None = None, limit: int = 1000) -> list[DeliveryRow]:
        """List deliveries, of one study or of all, that no worker has and whose next attempt is due; the longest overdue first."""
        with self._database.read() as tx:
            wanted = select(deliveries).where(_claimable(at or tx.now))
            if study_instance_uid is not None:
                wanted = wanted.where(deliveries.c.study_instance_uid == study_instance_uid)
            rows = tx.execute(wanted.order_by(deliveries.c.next_try_at, deliveries.c.id).limit(limit))
            return [as_delivery(row) for row in rows]

    def claim(self, delivery_id: int, lease_s: float, concurrency: int | None = None) -> DeliveryRow | None:
        """Reserve a delivery for the calling worker for `lease_s` seconds, and count the attempt.

        Parameters
        ----------
        concurrency
            How many deliveries to its destination may be claimed at the same time; None: any number.

        Returns
        -------
        None where the delivery is not to be worked on now: it has ended or is not due yet, another worker's lease runs, the circuit
        breaker of its destination is open, `concurrency` is reached, or its study is held. A worker that died blocks its delivery only
        until its lease ends.
        """
        with self._database.write() as tx:
            claim = (
                update(deliveries)
                .where(deliveries.c.id == delivery_id, _claimable(tx.now))
                .values(tries=deliveries.c.tries + 1, leased_until=tx.now + timedelta(seconds=lease_s))
            )
            if concurrency is not None and _is_busy(tx, delivery_id, concurrency):
                return None
            row = tx.execute(claim.returning(*deliveries.c)).one_or_none()
        return as_delivery(row) if row else None

    def mark_sent(self, delivery_id: int) -> bool:
        """Note that the destination accepted the object; the proof is still to come. False where the delivery has ended."""
        return self._change(delivery_id, state=DeliveryState.SENT)

    def finish(self, delivery_id: int, state: DeliveryState, error: str | None = None, status: int | None = None) -> bool:
        """End a delivery; False where it had ended before.

        Parameters
        ----------
        status
            The destination's last answer, a DIMSE or HTTP status, where it gave one.
        """
        check_end(state)
        return self._change(delivery_id, state=state, error=_plain(error), status=status, leased_until=None)

    def change_sop_class(self, delivery_id: int, sop_class_uid: str, object_uid: str) -> DeliveryRow:
        """Note that the destination gets the object in another SOP class, and therefore under another SOP Instance UID."""
        changed = update(deliveries).where(deliveries.c.id == delivery_id).values(sop_class_uid=sop_class_uid, object_uid=object_uid)
        with self._database.write() as tx:
            return as_delivery(tx.execute(changed.returning(*deliveries.c)).one())

    def postpone(self, delivery_id: int, reason: str, next_try_at: datetime) -> bool:
        """Give back a delivery that must wait for another one; the attempt is not counted. False where it has ended."""
        not_counted = deliveries.c.tries - 1
        return self._change(delivery_id, error=_plain(reason), leased_until=None, next_try_at=next_try_at, tries=not_counted)

    def retry_later(self, delivery_id: int, error: str, next_try_at: datetime) -> bool:
        """Give back a delivery for a later attempt; False where it has ended."""
        return self._change(delivery_id, error=_plain(error), leased_until=None, next_try_at=next_try_at)

    def _change(self, delivery_id: int, state: DeliveryState | None = None, **values: Any) -> bool:
        """Change a delivery that has not ended, and in the same transaction what follows from that."""
        with self._database.write() as tx:
            correction = lock_correction_of(tx, delivery_id)
            ends = state is not None and not state.is_open
            values |= ({"state": state} if state else {}) | ({"finished_at": tx.now} if ends else {})
            unfinished = deliveries.c.state.in_(sources_of(state) if state else OPEN)
            change = update(deliveries).where(deliveries.c.id == delivery_id, unfinished)
            row = tx.execute(change.values(**values).returning(*deliveries.c)).one_or_none()
            if row is None:
                return False
            if state is not None and ends:
                detail = {"kind": row.kind, "destination": row.destination, "object_uid": row.object_uid, "tries": row.tries}
                append_event(tx, DELIVERY_EVENTS[state], row.study_instance_uid, delivery=row.id, **detail)
            if correction:
                follow_deliveries(tx, correction)
            return True

    def _rows(self, wanted: Select[Any]) -> list[DeliveryRow]:
        with self._database.read() as tx:
            return [as_delivery(row) for row in tx.execute(wanted)]


def plan_delivery(
    tx: Transaction, study_instance_uid: str, version: int, planned: PlannedDelivery, correction_id: int | None = None
) -> bool:
    """Enter an object that is to reach a destination; False where it is entered already."""
    return tx.insert_once(
        deliveries,
        study_instance_uid=study_instance_uid,
        version=version,
        kind=planned.kind,
        correction_id=correction_id,
        source_sop_instance_uid=planned.source_sop_instance_uid,
        destination=planned.destination,
        object_uid=planned.object_uid,
        sop_class_uid=planned.sop_class_uid,
        state=DeliveryState.PENDING,
        tries=0,
        created_at=tx.now,
        next_try_at=tx.now,
    )


def lock_correction_of(tx: Transaction, delivery_id: int) -> CorrectionRow | None:
    """Lock the correction that a delivery writes; None where it writes none."""
    correction_id = tx.execute(select(deliveries.c.correction_id).where(deliveries.c.id == delivery_id)).scalar()
    return None if correction_id is None else lock_correction(tx, correction_id)


def lock_delivery(tx: Transaction, delivery_id: int) -> DeliveryRow:
    """Read a delivery and keep other transactions from changing it. Raises LookupError for an unknown one."""
    row = tx.execute(select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()).one_or_none()
    if row is None:
        raise LookupError(f"no delivery {delivery_id}")
    return as_delivery(row)


def restart_delivery(tx: Transaction, delivery_id: int) -> DeliveryRow:
    """Give an ended delivery new attempts."""
    again = update(deliveries).where(deliveries.c.id == delivery_id).values(**_restarted(tx))
    return as_delivery(tx.execute(again.returning(*deliveries.c)).one())


def restart_undo(tx: Transaction, correction_id: int, planned: PlannedDelivery) -> None:
    """Give the delivery of an earlier undo new attempts, where it ended without proof."""
    ended = update(deliveries).where(
        deliveries.c.correction_id == correction_id,
        deliveries.c.kind == planned.kind,
        deliveries.c.destination == planned.destination,
        deliveries.c.state.in_(sources_of(DeliveryState.PENDING)),
    )
    tx.execute(ended.values(**_restarted(tx)))


def cancel_deliveries(tx: Transaction, correction_id: int) -> tuple[set[str], datetime]:
    """End the open deliveries of a correction that a person undoes.

    Returns
    -------
    Names of the destinations that hold the correction or may hold it, and the time when the last lease on an ended delivery runs out.
    """
    wanted = select(deliveries).where(deliveries.c.correction_id == correction_id)
    holders, free_at = set(), tx.now
    for row in tx.execute(wanted.order_by(deliveries.c.id)).all():
        state = DeliveryState(row.state)
        if row.kind == ObjectKind.CORRECTED and may_hold_object(state, row.tries):
            holders.add(row.destination)
        if state.is_open:
            free_at = max(free_at, row.leased_until or free_at)
            end = update(deliveries).where(deliveries.c.id == row.id)
            tx.execute(end.values(state=DeliveryState.MISMATCH, error="reverted", leased_until=None, finished_at=tx.now))
    return holders, free_at


def delay_undo(tx: Transaction, correction_id: int, until: datetime) -> None:
    """Let the deliveries of an undo wait: a worker that is just sending the correction must be done before the former labels follow."""
    waiting = update(deliveries).where(deliveries.c.correction_id == correction_id, deliveries.c.kind == ObjectKind.REVERTED)
    tx.execute(waiting.where(deliveries.c.next_try_at < until).values(next_try_at=until))


def _restarted(tx: Transaction) -> dict[str, Any]:
    return {"state": DeliveryState.PENDING, "tries": 0, "next_try_at": tx.now, "leased_until": None, "finished_at": None}


def _is_busy(tx: Transaction, delivery_id: int, concurrency: int) -> bool:
    name = tx.execute(select(deliveries.c.destination).where(deliveries.c.id == delivery_id)).scalar()
    if name is None:
        return False
    # Two workers must not count at the same time.
    lock_destination(tx, name)
    running = select(func.count()).where(deliveries.c.destination == name, deliveries.c.leased_until > tx.now)
    return tx.execute(running).scalar_one() >= concurrency


def _plain(error: str | None) -> str | None:
    # A peer's comment may hold anything; PostgreSQL takes no NUL.
    return error.replace("\0", "") if error else error


def _claimable(at: datetime) -> ColumnElement[bool]:
    free = or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= at)
    circuit_open = exists().where(destination_health.c.name == deliveries.c.destination, destination_health.c.open_until > at)
    held = exists().where(
        study_holds.c.study_instance_uid == deliveries.c.study_instance_uid,
        study_holds.c.released_at.is_(None),
        or_(deliveries.c.kind.in_(HELD_BACK), study_holds.c.kind.in_(WITHHOLDING)),
    )
    return deliveries.c.state.in_(OPEN) & (deliveries.c.next_try_at <= at) & free & ~circuit_open & ~held


def as_delivery(row: Row[Any]) -> DeliveryRow:
    """The delivery of a row of `deliveries`."""
    return DeliveryRow(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        version=row.version,
        kind=ObjectKind(row.kind),
        source_sop_instance_uid=row.source_sop_instance_uid,
        destination=row.destination,
        object_uid=row.object_uid,
        sop_class_uid=row.sop_class_uid,
        state=DeliveryState(row.state),
        tries=row.tries,
        error=row.error,
        status=row.status,
        correction_id=row.correction_id,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        finished_at=row.finished_at,
    )
