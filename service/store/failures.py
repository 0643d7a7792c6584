"""What an operator should see: images without a result, failed or slow deliveries, other bytes under known UIDs. Newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, or_, select

from service.domain.delivery_lifecycle import OPEN, UNPROVEN
from service.domain.findings import ImageFinding, InstanceState, Reason
from service.store.database import Database
from service.store.deliveries import DeliveryRow, as_delivery
from service.store.tables import conflicts, deliveries, instances

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class ImageRow:
    """An image as lists show it."""

    sop_instance_uid: str
    study_instance_uid: str
    state: InstanceState
    reason: Reason | None
    station_name: str
    manufacturer: str
    calling_ae: str
    tries: int
    received_at: datetime
    last_attempt_at: datetime
    """Last time it was queued or attempted."""

    @property
    def cursor(self) -> str:
        return f"{(self.last_attempt_at - _EPOCH) // _MICROSECOND}-{self.sop_instance_uid}"


@dataclass(frozen=True)
class KeptConflict:
    """Other bytes that were received under a known UID, with the study of the known image."""

    id: int
    sop_instance_uid: str
    study_instance_uid: str
    calling_ae: str
    size: int
    """Bytes."""
    received_at: datetime


@dataclass(frozen=True)
class Waiting:
    """The open deliveries to one destination."""

    stuck: int
    """Open for longer than they should be."""
    oldest_s: float
    """Age of the oldest, seconds; 0 where none is open."""


class Failures:
    """Lists for the operations page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def images(self, state: InstanceState, code: str = "", cursor: str = "", limit: int = 50) -> list[ImageRow]:
        """Images in a state, the last attempted first.

        Parameters
        ----------
        code
            Only those with this reason.
        cursor
            `ImageRow.cursor` of the last one that is known.
        """
        wanted = select(instances).where(instances.c.state == state)
        if code:
            wanted = wanted.where(instances.c.reason_code == code)
        if cursor:
            microseconds, _, uid = cursor.partition("-")
            at = _EPOCH + int(microseconds) * _MICROSECOND
            behind = and_(instances.c.last_attempt_at == at, instances.c.sop_instance_uid > uid)
            wanted = wanted.where(instances.c.last_attempt_at <= at, or_(instances.c.last_attempt_at < at, behind))
        wanted = wanted.order_by(instances.c.last_attempt_at.desc(), instances.c.sop_instance_uid).limit(limit)
        with self._database.read() as tx:
            return [_image(row) for row in tx.execute(wanted)]

    def image(self, sop_instance_uid: str) -> ImageRow:
        """Look one image up. Raises LookupError for an unknown one."""
        with self._database.read() as tx:
            row = tx.execute(select(instances).where(instances.c.sop_instance_uid == sop_instance_uid)).one_or_none()
        if row is None:
            raise LookupError("no such image")
        return _image(row)

    def reasons(self) -> dict[tuple[str, str], int]:
        """Count images without labels by (state, code of the reason)."""
        ended = instances.c.state.in_((InstanceState.SKIPPED, InstanceState.FAILED))
        grouped = select(instances.c.state, instances.c.reason_code, func.count()).where(ended)
        with self._database.read() as tx:
            rows = tx.execute(grouped.group_by(instances.c.state, instances.c.reason_code)).all()
        return {(row[0], row[1]): row[2] for row in rows}

    def failed_or_slow_deliveries(
        self, slow_after_s: float, destination: str | None = None, before_id: int = 0, limit: int = 50
    ) -> list[DeliveryRow]:
        """Deliveries that ended without proof, and those that have been open for longer than `slow_after_s` seconds."""
        with self._database.read() as tx:
            slow = and_(deliveries.c.state.in_(OPEN), deliveries.c.created_at <= tx.now - timedelta(seconds=slow_after_s))
            wanted = select(deliveries).where(or_(deliveries.c.state.in_(UNPROVEN), slow))
            if destination is not None:
                wanted = wanted.where(deliveries.c.destination == destination)
            if before_id:
                wanted = wanted.where(deliveries.c.id < before_id)
            return [as_delivery(row) for row in tx.execute(wanted.order_by(deliveries.c.id.desc()).limit(limit))]

    def waiting_deliveries(self, slow_after_s: float) -> dict[str, Waiting]:
        """Open deliveries by destination; a destination without any is left out."""
        with self._database.read() as tx:
            since = func.min(deliveries.c.created_at)
            slow = func.count().filter(deliveries.c.created_at <= tx.now - timedelta(seconds=slow_after_s))
            grouped = select(deliveries.c.destination, slow, since).where(deliveries.c.state.in_(OPEN)).group_by(deliveries.c.destination)
            return {row[0]: Waiting(row[1], (tx.now - row[2]).total_seconds()) for row in tx.execute(grouped)}

    def conflicts(self, before_id: int = 0, limit: int = 50) -> list[KeptConflict]:
        """Other bytes that were received under known UIDs."""
        wanted = select(conflicts, instances.c.study_instance_uid.label("known_study_instance_uid")).join(
            instances, instances.c.sop_instance_uid == conflicts.c.sop_instance_uid
        )
        if before_id:
            wanted = wanted.where(conflicts.c.id < before_id)
        with self._database.read() as tx:
            rows = tx.execute(wanted.order_by(conflicts.c.id.desc()).limit(limit)).all()
        return [
            KeptConflict(row.id, row.sop_instance_uid, row.known_study_instance_uid, row.calling_ae, row.size, row.received_at)
            for row in rows
        ]


def _image(row: Row[Any]) -> ImageRow:
    finding = ImageFinding.model_validate_json(row.finding) if row.finding else None
    return ImageRow(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        state=InstanceState(row.state),
        reason=finding.reason if finding else None,
        station_name=row.station_name,
        manufacturer=row.manufacturer,
        calling_ae=row.calling_ae,
        tries=row.tries,
        received_at=row.received_at,
        last_attempt_at=row.last_attempt_at,
    )
