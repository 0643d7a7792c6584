"""Users, sessions, API keys and entries of the audit log, as the ledger returns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.domain.access import Role, Scope


@dataclass(frozen=True)
class UserRow:
    """A person who may sign in."""

    name: str
    display_name: str
    role: Role
    has_password: bool
    is_from_directory: bool
    """They sign in at an OpenID Connect issuer, which names their role."""
    disabled: bool
    created_at: datetime
    signed_in_at: datetime | None


@dataclass(frozen=True)
class SessionRow:
    """A signed-in browser, and the person behind it as the account is now."""

    user: UserRow
    csrf_token: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class KeyRow:
    """A key for software; the ledger does not know its secret."""

    id: int
    name: str
    scopes: frozenset[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class AuditRow:
    """Who did what, when, to which thing."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
