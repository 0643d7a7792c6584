"""Decisions of people about corrections: the ledger records each one with the deliveries that follow, then those are queued."""

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
    """Approve a correction, so that workers write it.

    Raises
    ------
    LookupError
        There is no such correction.
    DecisionRefused
        Its state does not allow it, or name or reason are missing. The other decisions of this module raise the same errors.
    """
    row = context.ledger.decisions.approve(correction_id, *_check_author(actor, reason), _planner(context))
    queue_deliveries(context, row.study_instance_uid)
    return row


def reject_correction(context: Context, correction_id: int, actor: str, reason: str) -> CorrectionRow:
    """Reject a correction: the labels stay as they are."""
    return context.ledger.decisions.reject(correction_id, *_check_author(actor, reason))


def undo_correction(context: Context, correction_id: int, actor: str, reason: str) -> CorrectionRow:
    """Undo a correction: workers write the former labels back in the mode in which it was written."""
    row = context.ledger.decisions.undo(correction_id, *_check_author(actor, reason), _planner(context))
    queue_deliveries(context, row.study_instance_uid)
    return row


def release_study(context: Context, study_instance_uid: str, actor: str, reason: str) -> HoldRow:
    """Release a held study: its corrections, and where its patients differed its conclusion and all that follows."""
    hold = context.ledger.decisions.release(study_instance_uid, *_check_author(actor, reason), _planner(context))
    queue_conclusion(context, study_instance_uid)
    queue_deliveries(context, study_instance_uid)
    return hold


def queue_conclusion(context: Context, study_instance_uid: str) -> None:
    """Queue a study that waits for a conclusion and whose images have all ended; the sweeper would do it later."""
    study = context.ledger.studies.get(study_instance_uid)
    if study is None or not study.needs_conclusion or study.instance_count != study.finished_count:
        return
    try:
        context.publisher.conclude(study_instance_uid, study.priority)
    except BrokerDown:
        log.warning("conclusion not queued: the sweeper will queue it", extra={"study_instance_uid": study_instance_uid})


def retry_delivery(context: Context, delivery_id: int, actor: str) -> DeliveryRow:
    """Give a delivery that ended without proof new attempts."""
    row = context.ledger.decisions.retry(delivery_id, _check_author(actor, "-")[0])
    queue_deliveries(context, row.study_instance_uid)
    return row


def queue_deliveries(context: Context, study_instance_uid: str) -> None:
    """Put a study's due deliveries on the queue at once, instead of waiting for the sweeper."""
    study = context.ledger.studies.get(study_instance_uid)
    for delivery in context.ledger.deliveries.due(study_instance_uid=study_instance_uid):
        try:
            context.publisher.deliver(delivery.id, study.priority if study else Priority.ROUTINE)
        except BrokerDown:
            log.warning(
                "deliveries not queued, the broker is down: the sweeper will queue them", extra={"study_instance_uid": study_instance_uid}
            )
            return


def _planner(context: Context) -> Planner:
    """Plans a correction for the destinations that the routing rules choose for its study."""
    return lambda row, images: plan_correction(row, context.route(images))


def _check_author(actor: str, reason: str) -> tuple[str, str]:
    if not actor.strip() or not reason.strip():
        raise DecisionRefused("a decision needs the name of a person and a reason")
    return actor.strip()[:64], reason.strip()
