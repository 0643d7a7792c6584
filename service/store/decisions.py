"""What a person decides: approve, reject or undo a correction, release a held study, attempt a delivery again.

Each decision and what follows from it are one transaction. Who may decide what in which state: `service.domain.correction_lifecycle`
and `service.domain.delivery_lifecycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from service.domain.correction_lifecycle import check_approval, check_rejection, check_undo, state_after_retry
from service.domain.delivery_lifecycle import check_retry
from service.domain.events import EventKind
from service.domain.findings import CorrectionState
from service.errors import DecisionRefused
from service.store.corrections import CorrectionRow, approved_corrections, follow_deliveries, lock_correction, step_correction
from service.store.database import Database, Transaction
from service.store.deliveries import (
    DeliveryRow,
    PlannedDelivery,
    cancel_deliveries,
    delay_undo,
    lock_correction_of,
    lock_delivery,
    plan_delivery,
    restart_delivery,
    restart_undo,
)
from service.store.events import append_event
from service.store.holds import HoldRow, is_held, release_hold
from service.store.instances import InstanceRow, instances_of_study

Planner = Callable[[CorrectionRow, Sequence[InstanceRow]], Iterable[PlannedDelivery]]
"""Says for a decided correction, and the images of its study, what is to be delivered to which destination."""


class Decisions:
    """Every method takes the person's name and reason, which the ledger keeps for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def approve(self, correction_id: int, actor: str, reason: str, plan: Planner) -> CorrectionRow:
        """Approve a correction, so that it is written.

        Parameters
        ----------
        plan
            Called with the approved correction. Nothing is planned while the study is held.

        Raises
        ------
        LookupError
            There is no such correction.
        DecisionRefused
            It is decided already, it may only be reported, or no destination accepts it.
        """
        with self._database.write() as tx:
            row = lock_correction(tx, correction_id)
            check_approval(correction_id, row.state, row.correction.blocked_reason)
            approved = step_correction(tx, row, CorrectionState.APPROVED, actor, reason)
            planned = tuple(plan(approved, instances_of_study(tx, row.study_instance_uid)))
            if not planned:
                raise DecisionRefused(f"correction {correction_id}: no destination takes it, see corrections.mode of the destinations")
            return plan_approved(tx, approved, planned)

    def reject(self, correction_id: int, actor: str, reason: str) -> CorrectionRow:
        """Keep the declared labels; the same change of the same image is not proposed again.

        Raises
        ------
        LookupError, DecisionRefused
            As for `approve`.
        """
        with self._database.write() as tx:
            row = lock_correction(tx, correction_id)
            check_rejection(correction_id, row.state)
            return step_correction(tx, row, CorrectionState.REJECTED, actor, reason)

    def undo(self, correction_id: int, actor: str, reason: str, plan: Planner) -> CorrectionRow:
        """Write the former labels back to every destination that holds the correction or may hold it.

        Parameters
        ----------
        plan
            The deliveries that write the former labels; those to other destinations are left out.

        Raises
        ------
        LookupError
            There is no such correction.
        DecisionRefused
            It was never applied, is undone already, or a destination that holds it is no longer configured for corrections.
        """
        with self._database.write() as tx:
            row = lock_correction(tx, correction_id)
            check_undo(correction_id, row.state)
            holders, free_at = cancel_deliveries(tx, correction_id)
            if not holders:
                return step_correction(tx, row, CorrectionState.REVERTED, actor, f"{reason} (it had reached no destination)")
            reverting = step_correction(tx, row, CorrectionState.REVERTING, actor, reason)
            images = instances_of_study(tx, row.study_instance_uid)
            planned = [each for each in plan(reverting, images) if each.destination in holders]
            if unreachable := holders - {each.destination for each in planned}:
                names = ", ".join(sorted(unreachable))
                raise DecisionRefused(f"correction {correction_id} went to {names}, which can no longer be written to")
            for each in planned:
                if not plan_delivery(tx, row.study_instance_uid, row.version, each, correction_id):
                    restart_undo(tx, correction_id, each)
            delay_undo(tx, correction_id, free_at)
            return reverting

    def release(self, study_instance_uid: str, actor: str, reason: str, plan: Planner) -> HoldRow:
        """Release the approved corrections of a held study.

        Raises
        ------
        LookupError
            The study was never held.
        DecisionRefused
            It was released before.
        """
        with self._database.write() as tx:
            approved = approved_corrections(tx, study_instance_uid)
            hold = release_hold(tx, study_instance_uid, actor, reason)
            images = instances_of_study(tx, study_instance_uid)
            for row in approved:
                plan_approved(tx, row, plan(row, images))
            return hold

    def retry(self, delivery_id: int, actor: str) -> DeliveryRow:
        """Give a delivery that ended without proof new attempts.

        Raises
        ------
        LookupError
            There is no such delivery.
        DecisionRefused
            It is verified or still open, or writes labels that a person has undone or rejected.
        """
        with self._database.write() as tx:
            correction = lock_correction_of(tx, delivery_id)
            row = lock_delivery(tx, delivery_id)
            check_retry(delivery_id, row.state)
            if correction:
                state = state_after_retry(correction.id, correction.state, delivery_id, row.kind)
                if state is not correction.state:
                    correction = step_correction(tx, correction, state, actor, "the undo is tried again")
            restarted = restart_delivery(tx, delivery_id)
            detail = {"delivery": delivery_id, "destination": row.destination, "actor": actor}
            append_event(tx, EventKind.DELIVERY_RETRIED, row.study_instance_uid, **detail)
            if correction:
                follow_deliveries(tx, correction)
            return restarted


def plan_approved(tx: Transaction, row: CorrectionRow, planned: Iterable[PlannedDelivery]) -> CorrectionRow:
    """Enter the deliveries of an approved correction, whose row this transaction has locked, unless its study is held."""
    if is_held(tx, row.study_instance_uid):
        return row
    for each in planned:
        plan_delivery(tx, row.study_instance_uid, row.version, each, row.id)
    return follow_deliveries(tx, row)
