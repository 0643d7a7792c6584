"""What people decide about corrections, from wherever they decide it: entered in the ledger with what follows, then queued."""

from __future__ import annotations

import logging

from service.domain.findings import Priority
from service.errors import BrokerDown, DecisionRefused
from service.jobs.context import Context
from service.jobs.planning import plan_correction
from service.store.corrections import CorrectionRow
from service.store.decisions import Planner
from service.store.deliveries import DeliveryRow
from service.store.holds import HoldRow

log = logging.getLogger(__name__)


def approve_correction(context: Context, correction_id: int, actor: str, reason: str) -> CorrectionRow:
    """Have a correction written.

    Raises
    ------
    LookupError
        There is no such correction.
    DecisionRefused
        Its state does not allow it, or name or reason are missing. As for the other decisions here.
    """
    row = context.ledger.decisions.approve(correction_id, *_signed(actor, reason), _planner(context))
    queue_deliveries(context, row.study_instance_uid)
    return row


def reject_correction(context: Context, correction_id: int, actor: str, reason: str) -> CorrectionRow:
    """Leave the labels as they are."""
    return context.ledger.decisions.reject(correction_id, *_signed(actor, reason))


def undo_correction(context: Context, correction_id: int, actor: str, reason: str) -> CorrectionRow:
    """Have the former labels written back by the road that the correction took."""
    row = context.ledger.decisions.undo(correction_id, *_signed(actor, reason), _planner(context))
    queue_deliveries(context, row.study_instance_uid)
    return row


def release_study(context: Context, study_instance_uid: str, actor: str, reason: str) -> HoldRow:
    """Let the corrections of a held study go."""
    hold = context.ledger.decisions.release(study_instance_uid, *_signed(actor, reason), _planner(context))
    queue_deliveries(context, study_instance_uid)
    return hold


def retry_delivery(context: Context, delivery_id: int, actor: str) -> DeliveryRow:
    """Try a delivery again that ended without proof."""
    row = context.ledger.decisions.retry(delivery_id, _signed(actor, "-")[0])
    queue_deliveries(context, row.study_instance_uid)
    return row


def queue_deliveries(context: Context, study_instance_uid: str) -> None:
    """Put a study's due deliveries on the queue at once, instead of waiting for the sweeper."""
    study = context.ledger.studies.get(study_instance_uid)
    for delivery in context.ledger.deliveries.due(study_instance_uid=study_instance_uid):
        try:
            context.publisher.deliver(delivery.id, study.priority if study else Priority.ROUTINE)
        except BrokerDown:
            log.warning("deliveries not queued, the sweeper will", extra={"study_instance_uid": study_instance_uid})
            return


def _planner(context: Context) -> Planner:
    """Where a correction goes, by the rules for its study."""
    return lambda row, images: plan_correction(row, context.route(images))


def _signed(actor: str, reason: str) -> tuple[str, str]:
    if not actor.strip() or not reason.strip():
        raise DecisionRefused("a decision needs the name of a person and a reason")
    return actor.strip()[:64], reason.strip()
