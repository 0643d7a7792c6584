"""``/api/v1/access``: who may sign in, which software holds a key, who did what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from service.accounts.password_sign_in import prove
from service.accounts.users import change_password, make_user
from service.api.accounts.schemas import (
    PRINTED,
    AccountName,
    AuditOut,
    AuditPage,
    KeyIn,
    KeyList,
    KeyOut,
    Me,
    NewKey,
    NewPassword,
    OwnPassword,
    UserChange,
    UserIn,
    UserList,
    UserOut,
    show_entry,
    show_key,
    show_user,
)
from service.api.auth import issue_key, require_scope
from service.api.auth.cookies import client_address
from service.api.http.csv_lines import csv_line
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Identity, Scope
from service.errors import SignInRefused, TooManySignIns
from service.store.accounts.audit_log import AuditLog
from service.store.accounts.rows import AuditRow
from service.store.database import now
from service.store.ledger import Ledger

Admin = Annotated[Identity, require_scope(Scope.ADMIN)]
Asking = Annotated[Identity, require_scope(Scope.READ)]
Who = Annotated[str | None, Query(max_length=64, pattern=PRINTED, description="only of this account or key")]
Action = Annotated[str | None, Query(max_length=64, pattern=PRINTED, description="only this action, written out")]
PAGE = 500


def build_router(ledger: Ledger) -> APIRouter:
    """Routes over one ledger."""
    router = APIRouter(prefix="/api/v1/access", tags=["access"])

    @router.get("/me", response_model=Me)
    def me(actor: Asking) -> Me:
        """Who you are to us, and what you may do."""
        return Me(name=actor.name, display_name=actor.display_name, role=actor.role, scopes=sorted(actor.scopes))

    @router.post("/me/password", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(403, 409, 422, 429))
    def change_own_password(request: Request, actor: Asking, change: OwnPassword) -> None:
        """Change your own password; every session of yours ends, this one too."""
        if ledger.users.get(actor.name) is None or not actor.is_person:
            raise ProblemError(HTTPStatus.CONFLICT, "no-password", "only a person with a password can change it")
        try:
            prove(ledger, actor.name, change.password, client_address(request))
        except SignInRefused:
            raise ProblemError(HTTPStatus.FORBIDDEN, "wrong-password", "the current password is wrong") from None
        except TooManySignIns as error:
            raise too_many(error) from None
        change_password(ledger.users, actor.name, change.new_password)

    @router.get("/users", response_model=UserList)
    def users(actor: Admin) -> UserList:
        """Everybody who may or might sign in, by name."""
        return UserList(users=[show_user(row) for row in ledger.users.all()])

    @router.post("/users", response_model=UserOut, status_code=HTTPStatus.CREATED, responses=problem_responses(409, 422))
    def add_user(request: Request, actor: Admin, user: UserIn) -> UserOut:
        """Enter a person."""
        row = make_user(ledger.users, user.name, user.display_name or "", user.role, user.password)
        request.state.audit_subject, request.state.audit_detail = row.name, row.role
        return show_user(row)

    @router.patch("/users/{name}", response_model=UserOut, responses=problem_responses(404, 409, 422))
    def change_user(request: Request, actor: Admin, name: AccountName, change: UserChange) -> UserOut:
        """Change the role or display name of an account, close or open it. The last administrator's account cannot be closed."""
        row = ledger.users.get(name)
        if row is None:
            raise _unknown("user")
        request.state.audit_detail = change.model_dump_json(exclude_none=True, exclude={"display_name"})
        if change.role is not None or change.display_name is not None:
            row = ledger.users.set_role(name, change.role or row.role, change.display_name)
        if change.disabled is not None:
            row = ledger.users.set_disabled(name, change.disabled)
        return show_user(row)

    @router.put("/users/{name}/password", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404, 409, 422))
    def set_password(actor: Admin, name: AccountName, new: NewPassword) -> None:
        """Change the password of an account, which ends its sessions."""
        try:
            change_password(ledger.users, name, new.password)
        except LookupError:
            raise _unknown("user") from None

    @router.get("/keys", response_model=KeyList)
    def keys(actor: Admin) -> KeyList:
        """Every key that was ever made, without its secret."""
        return KeyList(keys=[show_key(row) for row in ledger.api_keys.all()])

    @router.post("/keys", response_model=NewKey, status_code=HTTPStatus.CREATED, responses=problem_responses(409, 422))
    def make_key(request: Request, actor: Admin, key: KeyIn) -> NewKey:
        """Make a key. Only this response contains its secret; the ledger keeps a hash."""
        ends = now() + timedelta(days=key.expires_in_days) if key.expires_in_days else None
        secret, row = issue_key(ledger.api_keys, key.name, frozenset(key.scopes), actor.name, ends)
        request.state.audit_subject, request.state.audit_detail = row.name, " ".join(sorted(row.scopes))
        return NewKey(**show_key(row).model_dump(), secret=secret)

    @router.delete("/keys/{name}", response_model=KeyOut, responses=problem_responses(404, 422))
    def revoke_key(request: Request, actor: Admin, name: AccountName) -> KeyOut:
        """End a key for good; other processes notice within seconds."""
        try:
            row = ledger.api_keys.revoke(name)
        except LookupError:
            raise _unknown("key") from None
        request.app.state.authenticator.forget_keys()
        return show_key(row)

    @router.get("/audit", response_model=AuditPage, responses=problem_responses(422))
    def audit(
        actor: Admin,
        by: Who = None,
        action: Action = None,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}$", description="`next_cursor` of the former page")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE, description="entries a page")] = 100,
    ) -> AuditPage:
        """Who did what, newest first."""
        rows = ledger.audit_log.find(int(cursor) if cursor else None, limit + 1, by, action)
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return AuditPage(entries=[show_entry(row) for row in rows[:limit]], next_cursor=more)

    @router.get(
        "/audit.csv",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"text/csv": {"schema": {"type": "string"}, "example": csv_line(AuditOut.model_fields)}},
                "description": "the audit trail",
            }
        },
    )
    def export_audit(actor: Admin, by: Who = None, action: Action = None) -> StreamingResponse:
        """The whole audit trail, newest first, for a spreadsheet."""
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        return StreamingResponse(write_audit_csv(ledger.audit_log, by, action), media_type="text/csv", headers=headers)

    return router


def write_audit_csv(audit_log: AuditLog, by: str | None = None, action: str | None = None) -> Iterator[str]:
    """Lines of CSV: names of the columns, then one entry each."""
    yield csv_line(AuditOut.model_fields)
    for row in every_entry(audit_log, by, action):
        yield csv_line((row.id, row.at.isoformat(), row.actor, row.action, row.subject, row.detail))


def every_entry(audit_log: AuditLog, by: str | None = None, action: str | None = None) -> Iterator[AuditRow]:
    """The audit trail, newest first, in pages of bounded size."""
    before: int | None = None
    while rows := audit_log.find(before, PAGE, by, action):
        yield from rows
        before = rows[-1].id


def too_many(error: TooManySignIns) -> ProblemError:
    """The response to too many failed sign-ins."""
    seconds = max(1, round((error.until - now()).total_seconds()))
    return ProblemError(HTTPStatus.TOO_MANY_REQUESTS, error.code, str(error), headers={"Retry-After": str(seconds)})


def _unknown(what: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, f"unknown-{what}", f"no {what} has this name")
