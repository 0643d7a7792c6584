"""Sign-in with a password: limits of failed attempts, equal answers, and the audit log."""

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
"""A whole hospital may share one address behind a proxy."""


def sign_in(ledger: Ledger, settings: Settings, name: str, password: str, address: str) -> OpenedSession:
    """Open a session for the user whose password is right.

    Parameters
    ----------
    name
        As the user typed it.
    address
        Of the client.

    Raises
    ------
    SignInRefused
        No such account, a wrong password, a disabled account: the same answer after the same work.
    TooManySignIns
        This name or this address failed too often; the password was not checked.
    """
    user = name.strip().lower()
    if not NAME.fullmatch(user):
        # Takes the same path and time as any other name; no account can have this one.
        user = "-"
    prove(ledger, user, password, address)
    opened = open_session(ledger.sessions, settings, user)
    ledger.audit_log.append(user, "sign-in", user, address)
    return opened


def prove(ledger: Ledger, user: str, password: str, address: str) -> None:
    """Check a password; raises as `sign_in` does."""
    of_user, of_address = _key("user", user), _key("address", address)
    blocked = ledger.sessions.begin_sign_in({of_user: FREE_TRIES_OF_USER, of_address: FREE_TRIES_OF_ADDRESS})
    if blocked is not None:
        raise TooManySignIns(blocked)
    if not is_password(ledger.users, user, password):
        # An unknown name is not recorded: people type passwords into the wrong field.
        known = user if ledger.users.get(user) else "unknown"
        ledger.audit_log.append(known, "sign-in failed", known if known == user else "", address)
        raise SignInRefused("name or password is wrong")
    ledger.sessions.end_sign_in(of_user, [of_address])


def _key(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()}"
