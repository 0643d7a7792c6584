"""Who may do what: roles for people, scopes for software, one table between them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One kind of thing that a request may do; every route names one."""

    READ = "read"
    """Worklist, studies, pictures, hanging, DICOMweb retrieval, corrections, deliveries: whatever shows and changes nothing."""
    UPLOAD = "upload"
    """Hand studies in: POST and STOW-RS."""
    FEEDBACK = "feedback"
    """Say whether a label is right."""
    DECIDE = "decide"
    """Approve, reject and undo corrections, release held studies."""
    OPERATE = "operate"
    """Retry deliveries, analyse an image anew."""
    METRICS = "metrics"
    ADMIN = "admin"
    """Users, keys, the audit trail."""


class Role(StrEnum):
    """What a person is; each role may do what the one before may."""

    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEWER = frozenset({Scope.READ, Scope.FEEDBACK, Scope.METRICS})
_APPROVER = _VIEWER | {Scope.UPLOAD, Scope.DECIDE, Scope.OPERATE}

SCOPES: dict[Role, frozenset[Scope]] = {Role.VIEWER: _VIEWER, Role.APPROVER: _APPROVER, Role.ADMIN: frozenset(Scope)}
"""What each role may do."""


@dataclass(frozen=True)
class Identity:
    """Who makes a request."""

    name: str
    """Of the account or of the key: what the audit trail says."""
    display_name: str
    """As people read it in a correction's history."""
    scopes: frozenset[Scope]
    role: Role | None
    """None for software."""

    @property
    def is_person(self) -> bool:
        return self.role is not None
