"""Sessions of signed-in browsers, and attempts to sign in that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update

from service.store.accounts.rows import SessionRow
from service.store.accounts.tables import sessions, sign_in_failures, users
from service.store.accounts.users import as_user
from service.store.database import Database

FORGOTTEN_AFTER = timedelta(hours=1)
"""Failures older than this count no more."""

FIRST_BLOCK_S, LONGEST_BLOCK_S = 5.0, 300.0


class Sessions:
    """Signed-in browsers, and the attempts to sign in that failed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, token_sha256: str, user_name: str, csrf_token: str, lasts: timedelta, idle: timedelta) -> None:
        """Enter a session, note the sign-in, and remove sessions that have ended."""
        with self._database.write() as tx:
            at = tx.now
            tx.execute(delete(sessions).where(or_(sessions.c.expires_at <= at, sessions.c.seen_at <= at - idle)))
            tx.insert_once(
                sessions, token_sha256=token_sha256, user_name=user_name, csrf_token=csrf_token,
                created_at=at, seen_at=at, expires_at=at + lasts,
            )  # fmt: skip
            tx.execute(update(users).where(users.c.name == user_name).values(signed_in_at=at))

    def get(self, token_sha256: str, idle: timedelta, touch_after: timedelta = timedelta.max) -> SessionRow | None:
        """The session of a token; None where it has ended, was idle for longer than `idle`, or the account is disabled.

        The use is noted where that was not done for `touch_after`.
        """
        wanted = select(users, sessions.c.csrf_token, sessions.c.created_at.label("opened_at"), sessions.c.seen_at, sessions.c.expires_at)
        wanted = wanted.join(sessions, sessions.c.user_name == users.c.name)
        with self._database.read() as tx:
            at = tx.now
            wanted = wanted.where(
                sessions.c.token_sha256 == token_sha256,
                sessions.c.expires_at > at,
                sessions.c.seen_at > at - idle,
                users.c.disabled.is_(False),
            )
            row = tx.execute(wanted).one_or_none()
        if row is None:
            return None
        if at - row.seen_at > touch_after:
            with self._database.write() as tx:
                tx.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(seen_at=at))
        return SessionRow(as_user(row), row.csrf_token, row.opened_at, row.seen_at, row.expires_at)

    def close(self, token_sha256: str) -> None:
        """End a session."""
        with self._database.write() as tx:
            tx.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))

    def begin_sign_in(self, allowed: Mapping[str, int]) -> datetime | None:
        """Count an attempt to sign in before the password is checked, so that attempts at the same moment count as well.

        Parameters
        ----------
        allowed
            Who attempts (a user's name, an address; hashed) to how many failures are free. Each one more doubles the block, from
            `FIRST_BLOCK_S` to `LONGEST_BLOCK_S`.

        Returns
        -------
        None where the attempt may go on; otherwise the time of the next allowed attempt.
        """
        with self._database.write() as tx:
            at = tx.now
            # Old ones go first: the table holds an hour of failures at most.
            stale = or_(sign_in_failures.c.blocked_until.is_(None), sign_in_failures.c.blocked_until <= at)
            tx.execute(delete(sign_in_failures).where(sign_in_failures.c.last_at < at - FORGOTTEN_AFTER, stale))
            # A row must be there to be locked; in one order, so that two attempts never wait for each other.
            for key in sorted(allowed):
                tx.insert_once(sign_in_failures, key=key, count=0, last_at=at)
            wanted = select(sign_in_failures).where(sign_in_failures.c.key.in_(allowed)).order_by(sign_in_failures.c.key)
            rows = tx.execute(wanted.with_for_update()).all()
            until: list[datetime] = [row.blocked_until for row in rows if row.blocked_until is not None and row.blocked_until > at]
            if until:
                return max(until)
            for row in rows:
                count, blocked_until = row._mapping["count"] + 1, None
                if count >= allowed[row.key]:
                    pause_s = min(FIRST_BLOCK_S * 2.0 ** min(count - allowed[row.key], 30), LONGEST_BLOCK_S)
                    blocked_until = at + timedelta(seconds=pause_s)
                counted = update(sign_in_failures).where(sign_in_failures.c.key == row.key)
                tx.execute(counted.values(count=count, last_at=at, blocked_until=blocked_until))
        return None

    def end_sign_in(self, cleared: str, others: Sequence[str]) -> None:
        """Note a successful attempt: the failures of its user are removed, and it does not count for others (the address)."""
        with self._database.write() as tx:
            tx.execute(delete(sign_in_failures).where(sign_in_failures.c.key == cleared))
            less = update(sign_in_failures).where(sign_in_failures.c.key.in_(others), sign_in_failures.c.count > 0)
            tx.execute(less.values(count=sign_in_failures.c.count - 1, blocked_until=None))
