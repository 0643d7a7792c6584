"""Make and change accounts; shared by the API and the command line."""

from __future__ import annotations

from service.accounts.passwords import check_new_password
from service.accounts.tokens import check_name
from service.domain.access import Role
from service.errors import AccountRefused
from service.store.accounts.rows import UserRow
from service.store.accounts.users import Users


def make_user(users: Users, name: str, display_name: str, role: Role, password: str) -> UserRow:
    """Add an account with a password.

    Raises
    ------
    AccountRefused
        The name is taken or invalid, or the password is too weak.
    """
    lower = check_name(name)
    return users.add(lower, display_name.strip() or lower, role, check_new_password(lower, password))


def change_password(users: Users, name: str, password: str) -> UserRow:
    """Change the password of an account, which ends its sessions.

    Raises
    ------
    LookupError
        There is no such account.
    AccountRefused
        The password is too weak, or the account signs in with OpenID Connect.
    """
    user = users.get(name)
    if user is None:
        raise LookupError(name)
    if user.is_from_directory:
        raise AccountRefused("this account signs in with OpenID Connect: change its password at the issuer")
    return users.set_password(name, check_new_password(name, password))
