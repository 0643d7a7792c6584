"""Studies that wait for a person: `HoldKind` says why, and what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from service.domain.events import EventKind
from service.domain.patients.identity import HoldKind
from service.errors import DecisionRefused
from service.store.database import Database, Transaction
from service.store.events import append_event
from service.store.studies import withdraw_results
from service.store.tables import study_holds


@dataclass(frozen=True)
class HoldRow:
    study_instance_uid: str
    reason: str
    since: datetime
    released_at: datetime | None
    released_by: str | None
    released_reason: str | None
    kind: HoldKind = HoldKind.SIDES_SWAPPED


class Holds:
    """One row for each study that is or was held."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, study_instance_uid: str) -> HoldRow | None:
        """The hold on a study, released or not; None where there never was one."""
        with self._database.read() as tx:
            row = tx.execute(select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)).one_or_none()
        return _hold(row) if row else None

    def withholds_results(self, study_instance_uid: str) -> bool:
        """Tell whether a study is held in such a way that it gets no conclusion and nothing leaves."""
        with self._database.read() as tx:
            kind = hold_kind(tx, study_instance_uid)
        return kind is not None and kind.withholds_results

    def find(self, open_only: bool = True) -> list[HoldRow]:
        """List holds, oldest first; only those that nobody has released, or all."""
        wanted = select(study_holds).order_by(study_holds.c.since, study_holds.c.study_instance_uid)
        if open_only:
            wanted = wanted.where(study_holds.c.released_at.is_(None))
        with self._database.read() as tx:
            return [_hold(row) for row in tx.execute(wanted)]


def hold_study(tx: Transaction, study_instance_uid: str, reason: str, kind: HoldKind = HoldKind.SIDES_SWAPPED) -> None:
    """Hold a study.

    One hold at a time: a kind that withholds results takes the place of swapped sides, and a second reason of such a kind is added to
    the first. Swapped sides that a person has released stay released; any other new cause holds the study again.
    """
    row = _lock_hold(tx, study_instance_uid)
    if row is None:
        tx.execute(study_holds.insert().values(study_instance_uid=study_instance_uid, reason=reason, since=tx.now, kind=kind))
    else:
        known, open_now = HoldKind(row.kind), row.released_at is None
        if kind is HoldKind.SIDES_SWAPPED and (open_now or known is HoldKind.SIDES_SWAPPED):
            return
        if open_now and reason in row.reason:
            return
        both = f"{row.reason}; {reason}" if open_now else reason
        values = {"reason": both, "kind": known if open_now and known.withholds_results else kind}
        again = update(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)
        fresh = {} if open_now else {"since": tx.now, "released_at": None, "released_by": None, "released_reason": None}
        tx.execute(again.values(**values, **fresh))
    if kind.withholds_results:
        withdraw_results(tx, study_instance_uid)
    append_event(tx, EventKind.STUDY_HELD, study_instance_uid, hold=kind)


def hold_kind(tx: Transaction, study_instance_uid: str) -> HoldKind | None:
    """Why a study waits for a person; None where it does not."""
    held = select(study_holds.c.kind).where(study_holds.c.study_instance_uid == study_instance_uid, study_holds.c.released_at.is_(None))
    kind = tx.execute(held).scalar()
    return HoldKind(kind) if kind else None


def is_held(tx: Transaction, study_instance_uid: str) -> bool:
    """Tell whether the corrections of a study wait for a person."""
    return hold_kind(tx, study_instance_uid) is not None


def release_hold(tx: Transaction, study_instance_uid: str, actor: str, reason: str) -> HoldRow:
    """Release a held study.

    Raises
    ------
    LookupError
        The study was never held.
    DecisionRefused
        It was released before.
    """
    row = _lock_hold(tx, study_instance_uid)
    if row is None:
        raise LookupError("the study is not held")
    if row.released_at is not None:
        raise DecisionRefused(f"the study was released before, by {row.released_by}")
    release = update(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid)
    released = release.values(released_at=tx.now, released_by=actor, released_reason=reason)
    append_event(tx, EventKind.STUDY_RELEASED, study_instance_uid, actor=actor)
    return _hold(tx.execute(released.returning(*study_holds.c)).one())


def _lock_hold(tx: Transaction, study_instance_uid: str) -> Row[Any] | None:
    return tx.execute(select(study_holds).where(study_holds.c.study_instance_uid == study_instance_uid).with_for_update()).one_or_none()


def _hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.study_instance_uid, row.reason, row.since, row.released_at, row.released_by, row.released_reason, HoldKind(row.kind))
