"""Accounts of persons who may sign in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, func, select, update

from service.domain.access import Role
from service.errors import AccountRefused
from service.store.accounts.rows import UserRow
from service.store.accounts.tables import sessions, users
from service.store.database import Database, Transaction


class Users:
    """Accounts of persons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, display_name: str, role: Role, password_hash: str | None = None, subject: str | None = None) -> UserRow:
        """Enter a person.

        Parameters
        ----------
        name
            As it is typed at sign-in; lower case.
        password_hash
            Argon2id, encoded; None for a person who signs in at an OpenID Connect issuer.
        subject
            Issuer and subject of OpenID Connect, where the person signs in there.

        Raises
        ------
        AccountRefused
            The name or the subject is taken.
        """
        with self._database.write() as tx:
            entered = tx.insert_once(
                users, name=name, display_name=display_name, role=role, password_hash=password_hash, subject=subject,
                disabled=False, created_at=tx.now,
            )  # fmt: skip
            if not entered:
                raise AccountRefused("a user of this name exists")
            return _user_of(tx, name)

    def get(self, name: str) -> UserRow | None:
        """Look one person up."""
        with self._database.read() as tx:
            row = tx.execute(select(users).where(users.c.name == name)).one_or_none()
        return as_user(row) if row else None

    def get_by_subject(self, subject: str) -> UserRow | None:
        """The person with this issuer and subject of OpenID Connect."""
        with self._database.read() as tx:
            row = tx.execute(select(users).where(users.c.subject == subject)).one_or_none()
        return as_user(row) if row else None

    def all(self) -> list[UserRow]:
        """All people, by name."""
        with self._database.read() as tx:
            return [as_user(row) for row in tx.execute(select(users).order_by(users.c.name))]

    def password_hash(self, name: str) -> str | None:
        """What the password of an account that is not disabled is compared with."""
        with self._database.read() as tx:
            return tx.execute(select(users.c.password_hash).where(users.c.name == name, users.c.disabled.is_(False))).scalar()

    def set_password(self, name: str, password_hash: str, keep_sessions: bool = False) -> UserRow:
        """Set the password of an account; its sessions end, unless only the cost of the hash has changed."""
        return self._change(name, end_sessions=not keep_sessions, password_hash=password_hash)

    def set_role(self, name: str, role: Role, display_name: str | None = None, keep_an_admin: bool = True) -> UserRow:
        """Set the role of an account, and its displayed name where one is given. Its sessions continue with the new role."""
        values = {"role": role} | ({"display_name": display_name} if display_name else {})
        return self._change(name, end_sessions=False, keep_an_admin=keep_an_admin, **values)

    def set_disabled(self, name: str, disabled: bool) -> UserRow:
        """Disable an account, which ends its sessions, or enable it again."""
        return self._change(name, end_sessions=disabled, disabled=disabled)

    def _change(self, name: str, end_sessions: bool, keep_an_admin: bool = True, **values: Any) -> UserRow:
        """Change an account.

        Raises
        ------
        LookupError
            There is none of this name.
        AccountRefused
            No administrator would be left.
        """
        with self._database.write() as tx:
            # Locks all administrators, in order: of two who disable each other at the same moment, one comes second.
            admins = select(users.c.name).where(users.c.role == Role.ADMIN, users.c.disabled.is_(False)).order_by(users.c.name)
            before = set(tx.execute(admins.with_for_update()).scalars())
            if tx.execute(update(users).where(users.c.name == name).values(**values)).rowcount == 0:
                raise LookupError(name)
            if keep_an_admin and before and tx.execute(select(func.count()).select_from(admins.subquery())).scalar_one() == 0:
                raise AccountRefused("this is the last administrator who can sign in: make another one first")
            if end_sessions:
                tx.execute(delete(sessions).where(sessions.c.user_name == name))
            return _user_of(tx, name)


def _user_of(tx: Transaction, name: str) -> UserRow:
    return as_user(tx.execute(select(users).where(users.c.name == name)).one())


def as_user(row: Row[Any]) -> UserRow:
    """The person of a row of `users`."""
    return UserRow(
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        is_from_directory=row.subject is not None,
        disabled=row.disabled,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )
