"""Roles of people, scopes of API keys, and the table from roles to scopes. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """A permission; every route requires one."""

    READ = "read"
    """Worklist, studies, images, hanging, DICOMweb retrieval, corrections, deliveries: everything that only shows."""
    UPLOAD = "upload"
    """Upload studies: POST and STOW-RS."""
    FEEDBACK = "feedback"
    """Give feedback on labels."""
    DECIDE = "decide"
    """Approve, reject and revert corrections, release held studies."""
    OPERATE = "operate"
    """Retry deliveries, analyse an image again."""
    METRICS = "metrics"
    ADMIN = "admin"
    """Users, keys, the audit log."""


class Role(StrEnum):
    """Role of a person; each role includes the scopes of the one before."""

    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEWER = frozenset({Scope.READ, Scope.FEEDBACK, Scope.METRICS})
_APPROVER = _VIEWER | {Scope.UPLOAD, Scope.DECIDE, Scope.OPERATE}

SCOPES: dict[Role, frozenset[Scope]] = {Role.VIEWER: _VIEWER, Role.APPROVER: _APPROVER, Role.ADMIN: frozenset(Scope)}
"""The scopes of each role."""


@dataclass(frozen=True)
class Identity:
    """The person or the key that makes a request."""

    name: str
    """Name of the account or of the key, for the audit log."""
    display_name: str
    """Name for people, for example in the history of a correction."""
    scopes: frozenset[Scope]
    role: Role | None
    """None for a key."""

    @property
    def is_person(self) -> bool:
        return self.role is not None
