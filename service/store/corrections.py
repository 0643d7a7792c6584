"""Corrections: one row for each change of each image, and every step of it.

`service.domain.correction_lifecycle` says which steps are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from service.domain.correction_lifecycle import (
    UNDECIDED,
    Delivered,
    check_transition,
    delivered_kind,
    is_decision,
    state_after_conclusion,
    step_after_delivery,
)
from service.domain.events import CORRECTION_EVENTS
from service.domain.findings import (
    CorrectionKind,
    CorrectionState,
    DeliveryState,
    LabelCorrection,
)
from service.domain.policy import Action
from service.store.database import Database, Transaction
from service.store.events import append_event
from service.store.tables import correction_history, corrections, deliveries


@dataclass(frozen=True)
class PlannedCorrection:
    """A difference that a conclusion has found, and the strongest action that any destination's policy asks for."""

    correction: LabelCorrection
    action: Action


@dataclass(frozen=True)
class CorrectionRow:
    id: int
    study_instance_uid: str
    sop_instance_uid: str
    version: int
    kind: CorrectionKind
    correction: LabelCorrection
    state: CorrectionState
    decided_by: str | None
    """A person's name, or `POLICY`."""
    decided_at: datetime | None
    decided_reason: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def by_person(self) -> bool:
        return self.decided_by not in (None, POLICY)


POLICY = "policy"
"""The name of the decider where the policy decided."""


@dataclass(frozen=True)
class CorrectionStep:
    """One step of a correction."""

    at: datetime
    state: CorrectionState
    actor: str
    reason: str


class Corrections:
    """Reads corrections and their history; decisions and deliveries change them (the functions of this module)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, correction_id: int) -> CorrectionRow | None:
        """Look one correction up."""
        with self._database.read() as tx:
            row = tx.execute(select(corrections).where(corrections.c.id == correction_id)).one_or_none()
        return _correction(row) if row else None

    def find(
        self,
        state: CorrectionState | None = None,
        study_instance_uid: str | None = None,
        after_id: int = 0,
        limit: int | None = 100,
        kind: CorrectionKind | None = None,
        newest_first: bool = False,
    ) -> list[CorrectionRow]:
        """List the corrections after a known one, oldest or newest first."""
        wanted = select(corrections).order_by(corrections.c.id.desc() if newest_first else corrections.c.id).limit(limit)
        if after_id:
            wanted = wanted.where(corrections.c.id < after_id if newest_first else corrections.c.id > after_id)
        if kind is not None:
            wanted = wanted.where(corrections.c.kind == kind)
        if state is not None:
            wanted = wanted.where(corrections.c.state == state)
        if study_instance_uid is not None:
            wanted = wanted.where(corrections.c.study_instance_uid == study_instance_uid)
        with self._database.read() as tx:
            return [_correction(row) for row in tx.execute(wanted)]

    def history(self, correction_id: int) -> list[CorrectionStep]:
        """Every step of a correction, first to last."""
        wanted = select(correction_history).where(correction_history.c.correction_id == correction_id).order_by(correction_history.c.id)
        with self._database.read() as tx:
            return [CorrectionStep(row.at, CorrectionState(row.state), row.actor, row.reason) for row in tx.execute(wanted)]


def lock_correction(tx: Transaction, correction_id: int) -> CorrectionRow:
    """Read a correction and keep other transactions from changing it. Raises LookupError for an unknown one."""
    row = tx.execute(select(corrections).where(corrections.c.id == correction_id).with_for_update()).one_or_none()
    if row is None:
        raise LookupError(f"no correction {correction_id}")
    return _correction(row)


def lock_corrections(tx: Transaction, study_instance_uid: str) -> None:
    """Keep other transactions from changing the corrections of a study."""
    wanted = select(corrections.c.id).where(corrections.c.study_instance_uid == study_instance_uid).order_by(corrections.c.id)
    tx.execute(wanted.with_for_update())


def approved_corrections(tx: Transaction, study_instance_uid: str) -> list[CorrectionRow]:
    """Read the approved corrections of a study, oldest first, and keep other transactions from changing them."""
    approved = select(corrections).where(
        corrections.c.study_instance_uid == study_instance_uid, corrections.c.state == CorrectionState.APPROVED
    )
    return [_correction(row) for row in tx.execute(approved.order_by(corrections.c.id).with_for_update()).all()]


def step_correction(tx: Transaction, row: CorrectionRow, state: CorrectionState, actor: str, reason: str) -> CorrectionRow:
    """Bring a correction into another state, and write down who did it and why."""
    return _enter_state(tx, row.id, row.state, state, actor, reason)


def enter_correction(tx: Transaction, study_instance_uid: str, version: int, planned: PlannedCorrection) -> None:
    """Enter a difference that a conclusion found. A decided change stays as it is; a withdrawn one starts anew."""
    correction = planned.correction
    assert correction.kind is not None
    wanted = select(corrections).where(
        corrections.c.sop_instance_uid == correction.sop_instance_uid, corrections.c.change == change_key(correction)
    )
    found = tx.execute(wanted.with_for_update()).one_or_none()
    before = CorrectionState(found.state) if found else None
    state = state_after_conclusion(before, planned.action)
    if found is not None and state is None:
        tx.execute(update(corrections).where(corrections.c.id == found.id).values(version=version, updated_at=tx.now))
        return
    assert state is not None
    content = {"version": version, "correction": correction.model_dump_json(), "kind": correction.kind, "updated_at": tx.now}
    if found is None:
        new = insert(corrections).values(
            study_instance_uid=study_instance_uid,
            sop_instance_uid=correction.sop_instance_uid,
            change=change_key(correction),
            state=state,
            created_at=tx.now,
            **content,
        )
        correction_id: int = tx.execute(new.returning(corrections.c.id)).scalar_one()
    else:
        correction_id = found.id
        tx.execute(update(corrections).where(corrections.c.id == correction_id).values(**content))
    if state is not before:
        _enter_state(tx, correction_id, before, state, POLICY, correction.reason)


def withdraw_corrections(tx: Transaction, study_instance_uid: str, version: int) -> None:
    """Withdraw what nobody has decided and conclusion `version` of the study no longer finds."""
    stale = select(corrections).where(
        corrections.c.study_instance_uid == study_instance_uid, corrections.c.version < version, corrections.c.state.in_(UNDECIDED)
    )
    for row in tx.execute(stale.with_for_update()).all():
        reason = f"conclusion {version} of the study sees no such difference"
        step_correction(tx, _correction(row), CorrectionState.WITHDRAWN, POLICY, reason)


def follow_deliveries(tx: Transaction, row: CorrectionRow) -> CorrectionRow:
    """Bring a correction, whose row this transaction has locked, into the state that its deliveries ask for."""
    kind = delivered_kind(row.state)
    if kind is None:
        return row
    wanted = select(deliveries.c.destination, deliveries.c.state).where(deliveries.c.correction_id == row.id, deliveries.c.kind == kind)
    delivered = [Delivered(destination, DeliveryState(state)) for destination, state in tx.execute(wanted.order_by(deliveries.c.id))]
    step = step_after_delivery(row.state, delivered)
    return step_correction(tx, row, step.state, POLICY, step.reason) if step else row


def change_key(correction: LabelCorrection) -> str:
    """What would be written, as one word: ``contradicts:L:MLO``."""
    return f"{correction.kind}:{correction.new_laterality}:{correction.new_view}"


def _enter_state(
    tx: Transaction, correction_id: int, before: CorrectionState | None, state: CorrectionState, actor: str, reason: str
) -> CorrectionRow:
    check_transition(before, state)
    decided = {"decided_by": actor, "decided_at": tx.now, "decided_reason": reason} if is_decision(before, state) else {}
    step = update(corrections).where(corrections.c.id == correction_id).values(state=state, updated_at=tx.now, **decided)
    row = _correction(tx.execute(step.returning(*corrections.c)).one())
    tx.execute(insert(correction_history).values(correction_id=correction_id, at=tx.now, state=state, actor=actor, reason=reason))
    append_event(tx, CORRECTION_EVENTS[state], row.study_instance_uid, correction=correction_id, state=state)
    return row


def _correction(row: Row[Any]) -> CorrectionRow:
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
