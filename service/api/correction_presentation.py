"""From the ledger's rows on corrections, holds, deliveries and destinations to what the API and the command line show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from service.api.correction_schemas import (
    CorrectionDetail,
    CorrectionLinks,
    CorrectionOut,
    DeliveryOut,
    DestinationOut,
    HoldOut,
    Labels,
    StepOut,
)
from service.destinations import Destination
from service.domain.findings import CorrectionKind, DeliveryState
from service.store.ledger import Ledger
from service.store.rows import CorrectionRow, CorrectionStep, DeliveryRow, DestinationRow, HoldRow

ROOT = "/api/v1"


def show_correction(row: CorrectionRow) -> CorrectionOut:
    """One line of the list."""
    found = row.correction
    return CorrectionOut(
        id=row.id,
        study_instance_uid=row.study_uid,
        sop_instance_uid=row.sop_instance_uid,
        version=row.version,
        kind=row.kind,
        state=row.state,
        declared=Labels(view=found.declared_view, laterality=found.declared_laterality),
        pixels=Labels(view=found.pixel_view, laterality=found.pixel_laterality),
        proposed=Labels(view=found.new_view, laterality=found.new_laterality),
        confidence=found.confidence,
        reason=found.reason,
        obstacle=found.obstacle,
        evidence=list(found.evidence),
        film=found.film,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decided_why=row.decided_why,
        created_at=row.created_at,
        changed_at=row.changed_at,
        links=CorrectionLinks(self=f"{ROOT}/corrections/{row.id}", study=f"{ROOT}/studies/{row.study_uid}"),
    )


def show_whole_correction(row: CorrectionRow, ledger: Ledger) -> CorrectionDetail:
    """Everything about one correction."""
    hold = ledger.hold(row.study_uid)
    return CorrectionDetail(
        **show_correction(row).model_dump(),
        held=hold is not None and hold.released_at is None,
        history=show_history(ledger.history(row.id)),
        deliveries=[show_delivery(each) for each in ledger.deliveries(correction_id=row.id)],
    )


def show_history(steps: Iterable[CorrectionStep]) -> list[StepOut]:
    """A correction's life."""
    return [StepOut(at=each.at, state=each.state, who=each.who, why=each.why) for each in steps]


def show_hold(row: HoldRow) -> HoldOut:
    """A hold, released or not."""
    return HoldOut(
        study_instance_uid=row.study_uid,
        reason=row.reason,
        since=row.since,
        released_at=row.released_at,
        released_by=row.released_by,
        released_why=row.released_why,
    )


def show_delivery(row: DeliveryRow) -> DeliveryOut:
    """One delivery."""
    on_the_way = row.state in (DeliveryState.PENDING, DeliveryState.SENT)
    return DeliveryOut(
        id=row.id,
        study_instance_uid=row.study_uid,
        kind=row.kind,
        destination=row.destination,
        object_uid=row.object_uid,
        source_sop_uid=row.source_sop_uid,
        correction=row.correction_id or None,
        state=row.state,
        tries=row.tries,
        error=row.error,
        status=row.status,
        created_at=row.created_at,
        next_try_at=row.next_try_at if on_the_way else None,
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


def _condition(row: DestinationRow | None, paused: bool) -> Literal["untried", "answers", "fails", "paused"]:
    if row is None:
        return "untried"
    if paused:
        return "paused"
    return "fails" if row.failures else "answers" if row.last_answer_at else "untried"
