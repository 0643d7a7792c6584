"""The audit log. Rows are only ever added."""

from __future__ import annotations

from sqlalchemy import insert, select

from service.store.accounts.rows import AuditRow
from service.store.accounts.tables import audit_log
from service.store.database import Database


class AuditLog:
    """Entries of who did what, when, to which thing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, actor: str, action: str, subject: str = "", detail: str = "") -> None:
        """Add an entry. An entry has nothing of a patient: UIDs, numbers of the ledger, names of accounts and keys."""
        with self._database.write() as tx:
            tx.execute(
                insert(audit_log).values(at=tx.now, actor=actor[:64], action=action[:64], subject=subject[:130], detail=detail[:500])
            )

    def find(
        self, before_id: int | None = None, limit: int = 100, actor: str | None = None, action: str | None = None, after_id: int = 0
    ) -> list[AuditRow]:
        """Entries, newest first.

        Parameters
        ----------
        before_id
            Only those older than the entry of this number.
        after_id
            Only those newer than the entry of this number.
        """
        wanted = select(audit_log).where(audit_log.c.id > after_id).order_by(audit_log.c.id.desc()).limit(limit)
        if before_id is not None:
            wanted = wanted.where(audit_log.c.id < before_id)
        if actor is not None:
            wanted = wanted.where(audit_log.c.actor == actor)
        if action is not None:
            wanted = wanted.where(audit_log.c.action == action)
        with self._database.read() as tx:
            rows = tx.execute(wanted).all()
        return [AuditRow(row.id, row.at, row.actor, row.action, row.subject, row.detail) for row in rows]
