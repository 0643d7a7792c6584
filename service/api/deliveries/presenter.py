"""Deliveries and destinations as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from service.api.deliveries.schemas import DeliveryOut, DestinationOut
from service.destinations import Destination
from service.domain.findings import CorrectionKind
from service.store.deliveries import DeliveryRow
from service.store.destinations import DestinationRow


def show_delivery(row: DeliveryRow) -> DeliveryOut:
    """One delivery."""
    return DeliveryOut(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        kind=row.kind,
        destination=row.destination,
        object_uid=row.object_uid,
        source_sop_instance_uid=row.source_sop_instance_uid,
        correction=row.correction_id,
        state=row.state,
        tries=row.tries,
        error=row.error,
        status=row.status,
        created_at=row.created_at,
        next_try_at=row.next_try_at if row.state.is_open else None,
        finished_at=row.finished_at,
    )


def show_destination(destination: Destination, row: DestinationRow | None) -> DestinationOut:
    """A destination: what the site configured, and what the ledger knows of it."""
    policy = {kind: getattr(destination.corrections, kind.value.replace("-", "_")) for kind in CorrectionKind}
    paused = row is not None and row.open_until is not None and row.open_until > datetime.now(UTC)
    return DestinationOut(
        name=destination.name,
        ae_title=destination.ae_title,
        host=destination.host,
        port=destination.port,
        tls=destination.tls is not None,
        dicomweb=destination.dicomweb.url if destination.dicomweb else None,
        objects=list(destination.objects),
        mode=destination.corrections.mode,
        policy=policy,
        state=_condition(row, paused),
        failures=row.failures if row else 0,
        paused_until=row.open_until if row and paused else None,
        last_error=row.last_error if row else None,
        last_answer_at=row.last_answer_at if row else None,
        takes=(row.capabilities if row else None) or {},
        asked_at=row.asked_at if row else None,
    )


def _condition(row: DestinationRow | None, paused: bool) -> Literal["unknown", "up", "failing", "circuit-open"]:
    if row is None:
        return "unknown"
    if paused:
        return "circuit-open"
    return "failing" if row.failures else "up" if row.last_answer_at else "unknown"


SLOW_AFTER_S = 600.0
"""A delivery that is on its way for longer is called stuck: the first tries with their pauses take less than half of this."""
