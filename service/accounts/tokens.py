"""Random secrets: how they are made, and what the ledger keeps instead of them."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from service.domain.access import Scope
from service.errors import AccountRefused
from service.store.accounts.api_keys import ApiKeys
from service.store.accounts.rows import KeyRow

KEY_PREFIX = "mt_"
"""Lets secret scanners and people see what it is."""

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def make_token() -> str:
    """256 random bits as text that a header, a cookie and a form take as it is."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What the ledger keeps of a token: it has 256 random bits, so a fast hash cannot be turned round by guessing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_name(name: str) -> str:
    """A name of an account or key, in lower case.

    Raises
    ------
    AccountRefused
        It holds something that would read badly in a log line, a URL or a table.
    """
    lower = name.strip().lower()
    if not NAME.fullmatch(lower):
        raise AccountRefused("a name has 1 to 64 letters a-z, digits and . _ @ - and begins with a letter or digit")
    return lower


def issue_key(
    api_keys: ApiKeys, name: str, scopes: frozenset[Scope], created_by: str, expires_at: datetime | None = None
) -> tuple[str, KeyRow]:
    """Make a key for software; its secret is in this answer and nowhere else.

    Raises
    ------
    AccountRefused
        The name is taken or cannot be one, or there are no scopes.
    """
    if not scopes:
        raise AccountRefused("a key without scopes opens nothing: name at least one")
    secret = KEY_PREFIX + make_token()
    return secret, api_keys.add(check_name(name), digest(secret), scopes, created_by, expires_at)
