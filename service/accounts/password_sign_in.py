"""Signing in with a password: how often it may be tried, what is said, what is written down."""

from __future__ import annotations

import hashlib

from service.accounts.passwords import is_password
from service.accounts.sessions import OpenedSession, open_session
from service.accounts.tokens import NAME
from service.errors import SignInRefused, TooManySignIns
from service.settings import Settings
from service.store.ledger import Ledger

FREE_TRIES_OF_USER = 5
FREE_TRIES_OF_ADDRESS = 50
"""A hospital may stand behind one address."""


def sign_in(ledger: Ledger, settings: Settings, name: str, password: str, address: str) -> OpenedSession:
    """Open a session for somebody who knows the password.

    Parameters
    ----------
    name
        As it was typed.
    address
        Where the request comes from.

    Raises
    ------
    SignInRefused
        No such account, a wrong password, a disabled account: the same answer after the same work.
    TooManySignIns
        This name or this address failed too often; the password was not looked at.
    """
    user = name.strip().lower()
    if not NAME.fullmatch(user):
        # Goes the whole way like any other, as a name that nobody can have.
        user = "-"
    prove(ledger, user, password, address)
    opened = open_session(ledger.sessions, settings, user)
    ledger.audit_log.append(user, "sign-in", user, address)
    return opened


def prove(ledger: Ledger, user: str, password: str, address: str) -> None:
    """Let through who knows the password; raises as `sign_in` does."""
    of_user, of_address = _key("user", user), _key("address", address)
    blocked = ledger.sessions.begin_sign_in({of_user: FREE_TRIES_OF_USER, of_address: FREE_TRIES_OF_ADDRESS})
    if blocked is not None:
        raise TooManySignIns(blocked)
    if not is_password(ledger.users, user, password):
        # A name that is none of ours is not written down: people type passwords into the wrong field.
        known = user if ledger.users.get(user) else "unknown"
        ledger.audit_log.append(known, "sign-in failed", known if known == user else "", address)
        raise SignInRefused("name or password is wrong")
    ledger.sessions.end_sign_in(of_user, [of_address])


def _key(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()}"
