"""Passwords: Argon2id (RFC 9106), a minimum length, and the same work whether an account exists or not."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import AccountRefused
from service.store.accounts.users import Users

SHORTEST, LONGEST = 12, 256
"""Characters. The upper bound limits the work of hashing (NIST SP 800-63B, 5.1.1.2)."""

FEWEST_DIFFERENT = 5
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
"""The second recommended choice of RFC 9106, 4: 64 MiB, three passes, four lanes."""

_TOGETHER = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB and four threads: many sign-ins at once must not exhaust the machine."""

_NO_SUCH_ACCOUNT = _HASHER.hash("an account that does not exist costs as much as one that does")


def hash_password(password: str) -> str:
    """The encoded hash that the ledger keeps."""
    with _TOGETHER:
        return _HASHER.hash(_normal(password))


def check_new_password(name: str, password: str) -> str:
    """Check and hash a new password.

    Returns
    -------
    Its hash.

    Raises
    ------
    AccountRefused
        It is too short or too long, holds the user's own name, or is a few characters over and over.
    """
    normal = _normal(password)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise AccountRefused(f"a password has {SHORTEST} to {LONGEST} characters")
    if name.lower() in normal.lower():
        raise AccountRefused("the password holds the user's name")
    if len(set(normal)) < FEWEST_DIFFERENT:
        raise AccountRefused(f"a password has at least {FEWEST_DIFFERENT} different characters")
    return hash_password(password)


def is_password(users: Users, name: str, password: str) -> bool:
    """Tell whether the password is right. A hash with older parameters is renewed on success."""
    kept = users.password_hash(name)
    tried = _normal(password[:LONGEST])
    with _TOGETHER:
        try:
            _HASHER.verify(kept or _NO_SUCH_ACCOUNT, tried)
        except (VerificationError, InvalidHashError):
            return False
    if kept is None:
        return False
    if _HASHER.check_needs_rehash(kept):
        users.set_password(name, hash_password(password), keep_sessions=True)
    return True


def _normal(password: str) -> str:
    # The same letters, whichever keyboard composed them (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password)
