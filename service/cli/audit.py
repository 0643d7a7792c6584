"""`mammotriage audit`: the audit log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.ledger_access import AsJson, Limit, opened, print_rows

if TYPE_CHECKING:
    from service.api.accounts.schemas import AuditOut

By = Annotated[str | None, typer.Option("--by", help="only of this account or key")]
Action = Annotated[str | None, typer.Option("--action", help="only this action")]

app = typer.Typer(help="The audit log: list, export.", no_args_is_help=True)


@app.command("list")
def list_entries(by: By = None, action: Action = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List entries, newest first."""
    from service.api.accounts.schemas import show_entry

    with opened() as context:
        print_rows([show_entry(row) for row in context.ledger.audit_log.find(None, limit, by, action)], _COLUMNS, as_json)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
    by: By = None,
    action: Action = None,
    as_json: AsJson = False,
) -> None:
    """Export the whole audit log, newest first, as CSV or as one JSON object a line."""
    from service.api.accounts.routes import every_entry, write_audit_csv
    from service.api.accounts.schemas import show_entry

    with opened() as context:
        if as_json:
            lines = (show_entry(row).model_dump_json() + "\n" for row in every_entry(context.ledger.audit_log, by, action))
        else:
            lines = (line for line in write_audit_csv(context.ledger.audit_log, by, action))
        if output is None:
            sys.stdout.writelines(lines)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines)


_COLUMNS: dict[str, Callable[[AuditOut], object]] = {
    "when": lambda row: f"{row.at:%Y-%m-%d %H:%M:%S}",
    "actor": lambda row: row.actor,
    "action": lambda row: row.action,
    "subject": lambda row: row.subject,
    "detail": lambda row: row.detail,
}
