"""People, keys and the audit trail as the API shows and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from service.domain.access import Role, Scope
from service.store.accounts.rows import AuditRow, KeyRow, UserRow

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
AccountName = Annotated[str, Path(pattern=NAME, max_length=64, description="name of the account or key", examples=["a.curie"])]
Password = Annotated[str, Field(min_length=1, max_length=256, description="at least 12 characters, without the user's name")]
PRINTED = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: PostgreSQL keeps no NUL, and no name has one."""

DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=PRINTED)]


_USER: JsonDict = {
    "name": "a.curie",
    "display_name": "Dr A. Curie",
    "role": "approver",
    "signs_in": "password",
    "disabled": False,
    "created_at": "2026-11-02T08:00:00Z",
    "signed_in_at": "2026-11-21T07:12:40Z",
}
_KEY: JsonDict = {
    "name": "hanging-software",
    "scopes": ["read"],
    "created_by": "a.curie",
    "created_at": "2026-11-02T08:00:00Z",
    "expires_at": "2027-11-02T08:00:00Z",
    "revoked_at": None,
    "used_at": "2026-11-21T07:12:00Z",
}
_ENTRY: JsonDict = {
    "id": 17,
    "at": "2026-11-21T09:30:00Z",
    "actor": "a.curie",
    "action": "POST /corrections/*/approve",
    "subject": "3",
    "detail": "",
}


class Me(BaseModel):
    """Who asks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "a.curie", "display_name": "Dr Curie", "role": "viewer", "scopes": ["feedback", "read"]}]}
    )

    name: str
    display_name: str
    role: Role | None = Field(description="null for software")
    scopes: list[Scope]


class UserIn(BaseModel):
    """A person to enter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "a.curie", "display_name": "Dr A. Curie", "role": "approver", "password": "radium polonium 1898"}]
        },
    )

    name: str = Field(pattern=NAME, max_length=64, description="typed at sign-in; kept in lower case")
    display_name: DisplayName | None = Field(None, description="shown in histories; the name where absent")
    role: Role
    password: Password


class UserChange(BaseModel):
    """What is to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "viewer"}, {"disabled": True}]})

    role: Role | None = None
    display_name: DisplayName | None = None
    disabled: bool | None = Field(None, description="true ends the person's sessions at once")


class NewPassword(BaseModel):
    """A password that an administrator gives."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"password": "radium polonium 1898"}]})

    password: Password


class OwnPassword(BaseModel):
    """A person changes their own password."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "radium polonium 1898", "new_password": "1911 was a better year"}]}
    )

    password: str = Field(max_length=256, description="that of now")
    new_password: Password


class UserOut(BaseModel):
    """A person who may sign in."""

    model_config = ConfigDict(json_schema_extra={"examples": [_USER]})

    name: str
    display_name: str
    role: Role
    signs_in: str = Field(description="password, directory (OpenID Connect) or nowhere", examples=["password"])
    disabled: bool
    created_at: datetime
    signed_in_at: datetime | None = Field(description="last sign-in")


class UserList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"users": [_USER]}]})

    users: list[UserOut]


class KeyIn(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "hanging-software", "scopes": ["read"], "expires_in_days": 365}]}
    )

    name: str = Field(pattern=NAME, max_length=64, description="what the audit trail says; of one key for good")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="never where absent")


class KeyOut(BaseModel):
    """A key for software."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    name: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None = Field(description="last use, to the minute")


class NewKey(KeyOut):
    """A key that was just made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "secret": "mt_Zk1..."}]})

    secret: str = Field(description="for `Authorization: Bearer`; shown this once", examples=["mt_Zk1..."])


class KeyList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": [_KEY]}]})

    keys: list[KeyOut]


class AuditOut(BaseModel):
    """Who did what."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    id: int
    at: datetime
    actor: str = Field(description="name of an account or key; `unknown` where a sign-in failed with a name that is none")
    action: str = Field(description="method and path, or sign-in, sign-out, sign-in failed, denied")
    subject: str = Field(description="what the path named")
    detail: str = Field(description="where a sign-in came from; what was denied")


class AuditPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"entries": [_ENTRY], "next_cursor": None}]})

    entries: list[AuditOut]
    next_cursor: str | None


def show_user(row: UserRow) -> UserOut:
    """A person without what they prove themselves with."""
    signs_in = "directory" if row.is_from_directory else "password" if row.has_password else "nowhere"
    return UserOut(
        name=row.name,
        display_name=row.display_name,
        role=row.role,
        signs_in=signs_in,
        disabled=row.disabled,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )


def show_key(row: KeyRow) -> KeyOut:
    """A key without its secret, of which the ledger keeps only a hash."""
    return KeyOut(
        name=row.name,
        scopes=sorted(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )


def show_entry(row: AuditRow) -> AuditOut:
    """An entry of the audit trail."""
    return AuditOut(id=row.id, at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail)
