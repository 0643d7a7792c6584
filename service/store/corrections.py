"""The ledger's pages on corrections: each difference is a row with a life, and every step of it is written down."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from service.domain.findings import CorrectionKind, CorrectionState, DeliveryState, LabelCorrection, ObjectKind
from service.domain.policy import Action
from service.store.events import Chronicle
from service.store.rows import POLICY, CorrectionRow, CorrectionStep, HoldRow, PlannedCorrection
from service.store.tables import correction_history, corrections, deliveries, study_holds

ON_THE_WAY = (DeliveryState.PENDING, DeliveryState.SENT)
UNDECIDED = (CorrectionState.PROPOSED, CorrectionState.REPORTED)
FOLLOWS_DELIVERIES = (CorrectionState.APPROVED, CorrectionState.APPLIED, CorrectionState.VERIFIED, CorrectionState.MISMATCH)


class Corrections(Chronicle):
    def correction(self, correction_id: int) -> CorrectionRow | None:
        """Look one correction up."""
        with self._read() as connection:
            row = connection.execute(select(corrections).where(corrections.c.id == correction_id)).one_or_none()
        return as_correction(row) if row else None

    def corrections(
        self,
        state: CorrectionState | None = None,
        study_instance_uid: str | None = None,
        after_id: int = 0,
        limit: int | None = 100,
        kind: CorrectionKind | None = None,
        newest_first: bool = False,
    ) -> list[CorrectionRow]:
        """List corrections behind one that is known, oldest or newest first."""
        wanted = select(corrections).order_by(corrections.c.id.desc() if newest_first else corrections.c.id).limit(limit)
        if after_id:
            wanted = wanted.where(corrections.c.id < after_id if newest_first else corrections.c.id > after_id)
        if kind is not None:
            wanted = wanted.where(corrections.c.kind == kind)
        if state is not None:
            wanted = wanted.where(corrections.c.state == state)
        if study_instance_uid is not None:
            wanted = wanted.where(corrections.c.study_instance_uid == study_instance_uid)
        with self._read() as connection:
            return [as_correction(row) for row in connection.execute(wanted)]

    def history(self, correction_id: int) -> list[CorrectionStep]:
        """Every step of a correction's life, first to last."""
        wanted = select(correction_history).where(correction_history.c.correction_id == correction_id).order_by(correction_history.c.id)
        with self._read() as connection:
            return [CorrectionStep(row.at, CorrectionState(row.state), row.actor, row.reason) for row in connection.execute(wanted)]

    def hold(self, study_instance_uid: str) -> HoldRow | None:
        """The hold on a study, released or not; None where there never was one."""
        with self._read() as connection:
            row = connection.execute(select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)).one_or_none()
        return as_hold(row) if row else None

    def holds(self, open_only: bool = True) -> list[HoldRow]:
        """Studies that nothing corrected may leave, oldest first."""
        wanted = select(study_holds).order_by(study_holds.c.since, study_holds.c.study_instance_uid)
        if open_only:
            wanted = wanted.where(study_holds.c.released_at.is_(None))
        with self._read() as connection:
            return [as_hold(row) for row in connection.execute(wanted)]

    def _enter_correction(self, connection: Connection, study_instance_uid: str, version: int, planned: PlannedCorrection) -> None:
        """Enter what a conclusion found. A change that is known keeps its life; one that was withdrawn begins anew."""
        at, correction = self._now(), planned.correction
        assert correction.kind is not None
        found = connection.execute(
            select(corrections)
            .where(corrections.c.sop_instance_uid == correction.sop_instance_uid, corrections.c.change == change_key(correction))
            .with_for_update()
        ).one_or_none()
        seen = {"version": version, "correction": correction.model_dump_json(), "kind": correction.kind, "updated_at": at}
        if found is not None and found.state not in (*UNDECIDED, CorrectionState.WITHDRAWN):
            connection.execute(update(corrections).where(corrections.c.id == found.id).values(version=version, updated_at=at))
            return
        state = _first_state(planned.action)
        if found is None:
            new = insert(corrections).values(
                study_instance_uid=study_instance_uid,
                sop_instance_uid=correction.sop_instance_uid,
                change=change_key(correction),
                state=state,
                created_at=at,
                **seen,
            )
            correction_id: int = connection.execute(new.returning(corrections.c.id)).scalar_one()
        else:
            correction_id = found.id
            connection.execute(update(corrections).where(corrections.c.id == correction_id).values(**seen))
        if found is None or found.state != state:
            decided = (
                {"decided_by": POLICY, "decided_at": at, "decided_reason": correction.reason} if state is CorrectionState.APPROVED else {}
            )
            self._step(connection, correction_id, study_instance_uid, state, POLICY, correction.reason, **decided)

    def _withdraw_others(self, connection: Connection, study_instance_uid: str, version: int) -> None:
        """End what nobody decided and the current conclusion no longer sees."""
        stale = select(corrections.c.id).where(
            corrections.c.study_instance_uid == study_instance_uid, corrections.c.version < version, corrections.c.state.in_(UNDECIDED)
        )
        for correction_id in connection.execute(stale).scalars().all():
            reason = f"conclusion {version} of the study sees no such difference"
            self._step(connection, correction_id, study_instance_uid, CorrectionState.WITHDRAWN, POLICY, reason)

    def _step(
        self,
        connection: Connection,
        correction_id: int,
        study_instance_uid: str,
        state: CorrectionState,
        actor: str,
        reason: str,
        **values: Any,
    ) -> None:
        """Bring a correction into a state, and write down who did it and why."""
        at = self._now()
        connection.execute(update(corrections).where(corrections.c.id == correction_id).values(state=state, updated_at=at, **values))
        connection.execute(insert(correction_history).values(correction_id=correction_id, at=at, state=state, actor=actor, reason=reason))
        self._tell(connection, f"correction.{state}", study_instance_uid, correction=correction_id, state=state)

    def _state_of(self, connection: Connection, correction_id: int) -> CorrectionState:
        wanted = select(corrections.c.state).where(corrections.c.id == correction_id).with_for_update()
        return CorrectionState(connection.execute(wanted).scalar_one())

    def _settle(self, connection: Connection, correction_id: int) -> None:
        """Let a correction follow its deliveries."""
        row = connection.execute(select(corrections).where(corrections.c.id == correction_id).with_for_update()).one_or_none()
        if row is None:
            return
        state = CorrectionState(row.state)
        undoing = state is CorrectionState.REVERTING
        if not undoing and state not in FOLLOWS_DELIVERIES:
            return
        kind = ObjectKind.REVERTED if undoing else ObjectKind.CORRECTED
        wanted = select(deliveries).where(deliveries.c.correction_id == correction_id, deliveries.c.kind == kind)
        rows = connection.execute(wanted.order_by(deliveries.c.id)).all()
        if not rows:
            return
        new, reason = _undone(rows) if undoing else _carried_out(rows)
        if new is not state:
            self._step(connection, correction_id, row.study_instance_uid, new, POLICY, reason)


def change_key(correction: LabelCorrection) -> str:
    """What would be written, in a word: ``contradicts:L:MLO``."""
    return f"{correction.kind}:{correction.new_laterality}:{correction.new_view}"


def as_correction(row: Row[Any]) -> CorrectionRow:
    return CorrectionRow(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        version=row.version,
        kind=CorrectionKind(row.kind),
        correction=LabelCorrection.model_validate_json(row.correction),
        state=CorrectionState(row.state),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decided_reason=row.decided_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def as_hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.study_instance_uid, row.reason, row.since, row.released_at, row.released_by, row.released_reason)


def _first_state(action: Action) -> CorrectionState:
    states = {Action.AUTO: CorrectionState.APPROVED, Action.APPROVE: CorrectionState.PROPOSED}
    return states.get(action, CorrectionState.REPORTED)


def _carried_out(rows: list[Row[Any]] | Any) -> tuple[CorrectionState, str]:
    states = [DeliveryState(row.state) for row in rows]
    bad = [f"{row.destination}: {row.state}" for row in rows if row.state not in (*ON_THE_WAY, DeliveryState.VERIFIED)]
    if DeliveryState.PENDING in states:
        return CorrectionState.APPROVED, "not yet at every destination"
    if DeliveryState.SENT in states:
        return CorrectionState.APPLIED, "sent, not yet proved"
    return (CorrectionState.MISMATCH, "; ".join(bad)) if bad else (CorrectionState.VERIFIED, "read back from every destination")


def _undone(rows: list[Row[Any]] | Any) -> tuple[CorrectionState, str]:
    bad = [f"{row.destination}: {row.state}" for row in rows if row.state not in (*ON_THE_WAY, DeliveryState.VERIFIED)]
    if any(row.state in ON_THE_WAY for row in rows):
        return CorrectionState.REVERTING, ""
    return (CorrectionState.VERIFIED, f"not undone: {'; '.join(bad)}") if bad else (CorrectionState.REVERTED, "former labels read back")
