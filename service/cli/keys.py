"""`mammotriage keys`: keys for software. A secret is shown when its key is made, and never again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.ledger_access import AsJson, ask, opened, print_rows, write_down
from service.domain.access import Scope

if TYPE_CHECKING:
    from service.api.accounts.schemas import KeyOut

Name = Annotated[str, typer.Argument(help="name of the key, shown in the audit log")]

app = typer.Typer(help="Keys for software: make, list, revoke.", no_args_is_help=True)


@app.command()
def make(
    name: Name,
    scope: Annotated[list[Scope], typer.Option("--scope", help="what it may do; may be given more than once")],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="expires after so many [default: never]")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret once."""
    import getpass

    from service.api.accounts.schemas import NewKey, show_key
    from service.api.auth import issue_key
    from service.store.database import now

    with opened() as context:
        ends = now() + timedelta(days=days) if days else None
        secret, row = issue_key(context.ledger.api_keys, name, frozenset(scope), f"cli:{getpass.getuser()}", ends)
        write_down(context.ledger.audit_log, "keys make", row.name, " ".join(sorted(row.scopes)))
        print_rows([NewKey(**show_key(row).model_dump(), secret=secret)], {"secret": lambda key: key.secret, **_COLUMNS}, as_json)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List every key, revoked ones included, without its secret."""
    from service.api.accounts.schemas import show_key

    with opened() as context:
        print_rows([show_key(row) for row in context.ledger.api_keys.all()], _COLUMNS, as_json)


@app.command()
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Revoke a key for good; a running API notices within seconds."""
    from service.api.accounts.schemas import show_key

    with opened() as context:
        row = ask(lambda: context.ledger.api_keys.revoke(name), "key of this name")
        write_down(context.ledger.audit_log, "keys revoke", name)
        print_rows([show_key(row)], _COLUMNS, as_json)


_COLUMNS: dict[str, Callable[[KeyOut | Any], object]] = {
    "name": lambda row: row.name,
    "scopes": lambda row: " ".join(row.scopes),
    "made by": lambda row: row.created_by,
    "expires": lambda row: f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "never",
    "last used": lambda row: f"{row.used_at:%Y-%m-%d %H:%M}" if row.used_at else None,
    "revoked": lambda row: f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else None,
}
