"""The ledger's pages on what people decide: approve, reject, undo, release. The decision and what follows from it are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from service.domain.errors import DecisionRefused
from service.domain.findings import CorrectionState, DeliveryState, ObjectKind
from service.store.corrections import FOLLOWS_DELIVERIES, ON_THE_WAY, UNDECIDED, as_correction, as_hold
from service.store.deliveries import Outbox
from service.store.rows import CorrectionRow, HoldRow, PlannedDelivery
from service.store.tables import corrections, deliveries, study_holds

Planner = Callable[[CorrectionRow], Iterable[PlannedDelivery]]
"""Says for a decided correction what is to be delivered, and where."""


class Decisions(Outbox):
    def approve(self, correction_id: int, actor: str, reason: str, plan: Planner) -> CorrectionRow:
        """A person wants the correction written.

        Parameters
        ----------
        who, why
            A person's name and reason; both are kept for good.
        plan
            Where it goes; asked after the decision stands in the row. Nothing is planned while the study is held.

        Raises
        ------
        LookupError
            There is no such correction.
        DecisionRefused
            It is decided already, nobody may apply it, or no destination takes it.
        """
        with self._write() as connection:
            row = self._locked(connection, correction_id)
            if row.state not in UNDECIDED:
                raise DecisionRefused(f"correction {correction_id} is {row.state}: it can no longer be approved")
            found = as_correction(row)
            if found.correction.blocked_reason:
                raise DecisionRefused(f"correction {correction_id} is reported only: {found.correction.blocked_reason}")
            decided = self._decide(connection, found, CorrectionState.APPROVED, actor, reason)
            if not list(plan(decided)):
                raise DecisionRefused(f"correction {correction_id}: no destination takes it, see corrections.mode of the destinations")
            self._plan_decided(connection, decided, plan)
            return self._again(connection, correction_id)

    def reject(self, correction_id: int, actor: str, reason: str) -> CorrectionRow:
        """A person wants the labels left as they are; the same change of the same image is not proposed again.

        Raises
        ------
        LookupError, DecisionRefused
            As for `approve`.
        """
        with self._write() as connection:
            row = self._locked(connection, correction_id)
            if row.state not in UNDECIDED:
                raise DecisionRefused(f"correction {correction_id} is {row.state}: it can no longer be rejected (undo it instead)")
            self._decide(connection, as_correction(row), CorrectionState.REJECTED, actor, reason)
            return self._again(connection, correction_id)

    def undo(self, correction_id: int, actor: str, reason: str, plan: Planner) -> CorrectionRow:
        """A person wants the former labels back, wherever the correction arrived or may have.

        Parameters
        ----------
        plan
            The deliveries that write the former labels; those to destinations that never took the correction are left away.

        Raises
        ------
        LookupError
            There is no such correction.
        DecisionRefused
            It was never applied, is undone already, or a destination that took it is no longer configured for it.
        """
        with self._write() as connection:
            row = self._locked(connection, correction_id)
            if row.state not in FOLLOWS_DELIVERIES:
                raise DecisionRefused(f"correction {correction_id} is {row.state}: there is nothing to undo")
            taken, free_at = self._end_corrected(connection, correction_id)
            found = as_correction(row)
            if not taken:
                self._step(
                    connection,
                    correction_id,
                    row.study_instance_uid,
                    CorrectionState.REVERTED,
                    actor,
                    f"{reason} (it had reached no destination)",
                )
                return self._again(connection, correction_id)
            self._step(connection, correction_id, row.study_instance_uid, CorrectionState.REVERTING, actor, reason)
            back = [planned for planned in plan(self._again(connection, correction_id)) if planned.destination in taken]
            if lost := taken - {planned.destination for planned in back}:
                raise DecisionRefused(f"correction {correction_id} went to {', '.join(sorted(lost))}, which can no longer be written to")
            for planned in back:
                if not self._plan(connection, found.study_instance_uid, found.version, planned, correction_id):
                    self._begin_again(connection, correction_id, planned)
            # A worker that is just sending the correction must be done before the former labels follow it.
            waiting = update(deliveries).where(deliveries.c.correction_id == correction_id, deliveries.c.kind == ObjectKind.REVERTED)
            connection.execute(waiting.where(deliveries.c.next_try_at < free_at).values(next_try_at=free_at))
            return self._again(connection, correction_id)

    def release(self, study_instance_uid: str, actor: str, reason: str, plan: Planner) -> HoldRow:
        """A person lets the corrections of a held study go.

        Raises
        ------
        LookupError
            The study is not held, and never was.
        DecisionRefused
            It was released before.
        """
        with self._write() as connection:
            row = connection.execute(
                select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid).with_for_update()
            ).one_or_none()
            if row is None:
                raise LookupError("the study is not held")
            if row.released_at is not None:
                raise DecisionRefused(f"the study was released before, by {row.released_by}")
            let_go = update(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)
            connection.execute(let_go.values(released_at=self._now(), released_by=actor, released_reason=reason))
            self._tell(connection, "study.released", study_instance_uid, actor=actor)
            approved = select(corrections).where(
                corrections.c.study_instance_uid == study_instance_uid, corrections.c.state == CorrectionState.APPROVED
            )
            for found in connection.execute(approved.order_by(corrections.c.id)).all():
                self._plan_decided(connection, as_correction(found), plan)
            return as_hold(connection.execute(select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)).one())

    def _hold(self, connection: Connection, study_instance_uid: str, reason: str) -> None:
        """Keep what is corrected of a study back; a study that a person released stays released."""
        known = connection.execute(
            select(study_holds.c.study_instance_uid).where(study_holds.c.study_instance_uid == study_instance_uid)
        ).scalar()
        if known is None:
            connection.execute(insert(study_holds).values(study_instance_uid=study_instance_uid, reason=reason, since=self._now()))
            self._tell(connection, "study.held", study_instance_uid)

    def _plan_decided(self, connection: Connection, row: CorrectionRow, plan: Planner) -> None:
        """Enter the deliveries of an approved correction, unless its study is held."""
        held = select(study_holds.c.study_instance_uid).where(
            study_holds.c.study_instance_uid == row.study_instance_uid, study_holds.c.released_at.is_(None)
        )
        if connection.execute(held).scalar() is None:
            # Before deliveries refer to it: else a worker that settles it at the same time could wait for us, and we for it.
            self._locked(connection, row.id)
            for planned in plan(row):
                self._plan(connection, row.study_instance_uid, row.version, planned, row.id)
            self._settle(connection, row.id)

    def _decide(self, connection: Connection, row: CorrectionRow, state: CorrectionState, actor: str, reason: str) -> CorrectionRow:
        decided = {"decided_by": actor, "decided_at": self._now(), "decided_reason": reason}
        self._step(connection, row.id, row.study_instance_uid, state, actor, reason, **decided)
        return self._again(connection, row.id)

    def _end_corrected(self, connection: Connection, correction_id: int) -> tuple[set[str], datetime]:
        """End what is still on its way with a correction; names the destinations that took it, or may have, and when no lease runs."""
        wanted = select(deliveries).where(deliveries.c.correction_id == correction_id)
        taken, free_at = set(), self._now()
        for row in connection.execute(wanted.order_by(deliveries.c.id)).all():
            touched = row.state != DeliveryState.PENDING or row.tries > 0
            if row.kind == ObjectKind.CORRECTED and touched and row.state not in (DeliveryState.REJECTED, DeliveryState.UNSUPPORTED):
                taken.add(row.destination)
            if row.state in ON_THE_WAY:
                free_at = max(free_at, row.leased_until or free_at)
                end = update(deliveries).where(deliveries.c.id == row.id)
                connection.execute(end.values(state=DeliveryState.MISMATCH, error="reverted", leased_until=None, finished_at=self._now()))
        return taken, free_at

    def _begin_again(self, connection: Connection, correction_id: int, planned: PlannedDelivery) -> None:
        """Give the delivery of an undo that failed before fresh tries."""
        failed = update(deliveries).where(
            deliveries.c.correction_id == correction_id,
            deliveries.c.kind == planned.kind,
            deliveries.c.destination == planned.destination,
            deliveries.c.state.not_in((*ON_THE_WAY, DeliveryState.VERIFIED)),
        )
        connection.execute(failed.values(state=DeliveryState.PENDING, tries=0, next_try_at=self._now(), finished_at=None))

    def _locked(self, connection: Connection, correction_id: int) -> Row[Any]:
        row = connection.execute(select(corrections).where(corrections.c.id == correction_id).with_for_update()).one_or_none()
        if row is None:
            raise LookupError(f"no correction {correction_id}")
        return row

    def _again(self, connection: Connection, correction_id: int) -> CorrectionRow:
        return as_correction(connection.execute(select(corrections).where(corrections.c.id == correction_id)).one())
