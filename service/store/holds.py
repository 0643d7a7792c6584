"""Studies whose corrections wait for a person, because the sides of the study are swapped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from service.domain.events import EventKind
from service.errors import DecisionRefused
from service.store.database import Database, Transaction
from service.store.events import append_event
from service.store.tables import study_holds


@dataclass(frozen=True)
class HoldRow:
    study_instance_uid: str
    reason: str
    since: datetime
    released_at: datetime | None
    released_by: str | None
    released_reason: str | None


class Holds:
    """One row for each study that is or was held."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, study_instance_uid: str) -> HoldRow | None:
        """The hold on a study, released or not; None where there never was one."""
        with self._database.read() as tx:
            row = tx.execute(select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)).one_or_none()
        return _hold(row) if row else None

    def find(self, open_only: bool = True) -> list[HoldRow]:
        """List holds, oldest first; only those that nobody has released, or all."""
        wanted = select(study_holds).order_by(study_holds.c.since, study_holds.c.study_instance_uid)
        if open_only:
            wanted = wanted.where(study_holds.c.released_at.is_(None))
        with self._database.read() as tx:
            return [_hold(row) for row in tx.execute(wanted)]


def hold_study(tx: Transaction, study_instance_uid: str, reason: str) -> None:
    """Hold the corrections of a study; a study that a person has released stays released."""
    if tx.insert_once(study_holds, study_instance_uid=study_instance_uid, reason=reason, since=tx.now):
        append_event(tx, EventKind.STUDY_HELD, study_instance_uid)


def is_held(tx: Transaction, study_instance_uid: str) -> bool:
    """Tell whether the corrections of a study wait for a person."""
    held = select(study_holds.c.study_instance_uid).where(
        study_holds.c.study_instance_uid == study_instance_uid, study_holds.c.released_at.is_(None)
    )
    return tx.execute(held).scalar() is not None


def release_hold(tx: Transaction, study_instance_uid: str, actor: str, reason: str) -> HoldRow:
    """Release the corrections of a held study.

    Raises
    ------
    LookupError
        The study was never held.
    DecisionRefused
        It was released before.
    """
    wanted = select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)
    row = tx.execute(wanted.with_for_update()).one_or_none()
    if row is None:
        raise LookupError("the study is not held")
    if row.released_at is not None:
        raise DecisionRefused(f"the study was released before, by {row.released_by}")
    release = update(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)
    released = release.values(released_at=tx.now, released_by=actor, released_reason=reason)
    append_event(tx, EventKind.STUDY_RELEASED, study_instance_uid, actor=actor)
    return _hold(tx.execute(released.returning(*study_holds.c)).one())


def _hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.study_instance_uid, row.reason, row.since, row.released_at, row.released_by, row.released_reason)
