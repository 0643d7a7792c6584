"""Accounts as the API and the command line both make and change them."""

from __future__ import annotations

from service.accounts.passwords import check_new_password
from service.accounts.tokens import check_name
from service.domain.access import Role
from service.errors import AccountRefused
from service.store.accounts.rows import UserRow
from service.store.accounts.users import Users


def make_user(users: Users, name: str, display_name: str, role: Role, password: str) -> UserRow:
    """Enter a person with a password.

    Raises
    ------
    AccountRefused
        The name is taken or cannot be one, or the password is a bad one.
    """
    lower = check_name(name)
    return users.add(lower, display_name.strip() or lower, role, check_new_password(lower, password))


def set_password_of(users: Users, name: str, password: str) -> UserRow:
    """Give somebody another password, which ends their sessions.

    Raises
    ------
    LookupError
        There is no such account.
    AccountRefused
        The password is a bad one, or the account signs in elsewhere.
    """
    user = users.get(name)
    if user is None:
        raise LookupError(name)
    if user.is_from_directory:
        raise AccountRefused("this account signs in with OpenID Connect: its password is not ours")
    return users.set_password(name, check_new_password(name, password))
