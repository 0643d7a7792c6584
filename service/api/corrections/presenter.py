"""From the ledger's rows on corrections, holds, deliveries and destinations to what the API and the command line show."""

from __future__ import annotations

from collections.abc import Iterable

from service.api.corrections.schemas import CorrectionDetail, CorrectionLinks, CorrectionOut, HoldOut, Labels, StepOut
from service.api.deliveries.presenter import show_delivery
from service.api.http.params import ROOT
from service.store.corrections import CorrectionRow, CorrectionStep
from service.store.holds import HoldRow
from service.store.ledger import Ledger


def show_correction(row: CorrectionRow) -> CorrectionOut:
    """One line of the list."""
    found = row.correction
    return CorrectionOut(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        version=row.version,
        kind=row.kind,
        state=row.state,
        declared=Labels(view=found.declared_view, laterality=found.declared_laterality),
        pixels=Labels(view=found.pixel_view, laterality=found.pixel_laterality),
        proposed=Labels(view=found.new_view, laterality=found.new_laterality),
        confidence=found.confidence,
        reason=found.reason,
        blocked_reason=found.blocked_reason,
        evidence=list(found.evidence),
        film=found.film,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decided_reason=row.decided_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        links=CorrectionLinks(self=f"{ROOT}/corrections/{row.id}", study=f"{ROOT}/studies/{row.study_instance_uid}"),
    )


def show_whole_correction(row: CorrectionRow, ledger: Ledger) -> CorrectionDetail:
    """Everything about one correction."""
    hold = ledger.holds.get(row.study_instance_uid)
    return CorrectionDetail(
        **show_correction(row).model_dump(),
        held=hold is not None and hold.released_at is None,
        history=show_history(ledger.corrections.history(row.id)),
        deliveries=[show_delivery(each) for each in ledger.deliveries.find(correction_id=row.id)],
    )


def show_history(steps: Iterable[CorrectionStep]) -> list[StepOut]:
    """A correction's life."""
    return [StepOut(at=each.at, state=each.state, actor=each.actor, reason=each.reason) for each in steps]


def show_hold(row: HoldRow) -> HoldOut:
    """A hold, released or not."""
    return HoldOut(
        study_instance_uid=row.study_instance_uid,
        kind=row.kind,
        reason=row.reason,
        since=row.since,
        released_at=row.released_at,
        released_by=row.released_by,
        released_reason=row.released_reason,
    )
