"""Commands that read or change the ledger of a running stack: how they open it, check decisions, and print."""

from __future__ import annotations

import getpass
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table
from rich.text import Text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from service.cli.console import out
from service.errors import LedgerUnavailable, NotFound
from service.logs import configure_logging
from service.settings import Settings
from service.store.accounts.audit_log import AuditLog

if TYPE_CHECKING:
    from service.jobs.context import Context

Actor = Annotated[str, typer.Option("--actor", help="name of the person who decides", show_default=False)]
DecisionReason = Annotated[str, typer.Option("--reason", help="the reason; the ledger keeps it for good", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")]
After = Annotated[int, typer.Option("--after", min=0, help="only what has a higher number")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="at most so many")]
Study = Annotated[str | None, typer.Option("--study", help="only of this Study Instance UID")]

Request = TypeVar("Request", bound=BaseModel)
Answer = TypeVar("Answer")


@contextmanager
def opened() -> Iterator[Context]:
    """The ledger, store and queues that the settings name.

    Raises
    ------
    LedgerUnavailable
        There is none, or it does not answer; the message says which setting to look at.
    """
    from service.jobs.context import open_context

    settings = Settings()
    configure_logging(settings.log_json, logging.WARNING)
    url = make_url(settings.ledger_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise LedgerUnavailable(f"no ledger at {url.database}: is MAMMOTRIAGE_DATA_DIR that of the stack?")
    context = open_context(settings)
    try:
        context.ledger.ping()
        yield context
    except SQLAlchemyError as error:
        where = url.render_as_string(hide_password=True)
        raise LedgerUnavailable(
            f"the ledger at {where} does not answer as it should ({type(error).__name__}): `mammotriage migrate`?"
        ) from None
    finally:
        context.ledger.close()


def check_decision(kind: type[Request], **said: str) -> Request:
    """Check actor and reason as the API does; a faulty one is a usage error."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise typer.BadParameter(wrong["msg"].removeprefix("Value error, "), param_hint=f"--{wrong['loc'][0]}") from None


def ask(question: Callable[[], Answer], what: str) -> Answer:
    """Get something from the ledger by its number or UID; an unknown one is a usage error."""
    try:
        return question()
    except LookupError:
        raise NotFound(f"there is no {what}") from None


def write_down(audit_log: AuditLog, action: str, subject: str, detail: str = "") -> None:
    """Record a command in the audit log, with the account of the operating system that ran it."""
    audit_log.append(f"cli:{getpass.getuser()}", action, subject, detail)


def print_rows(rows: Sequence[BaseModel], columns: dict[str, Callable[[Any], object]], as_json: bool, limit: int | None = None) -> None:
    """Print one JSON object a line, or a table; a table that reached `limit` names the next command."""
    if as_json:
        for row in rows:
            sys.stdout.write(row.model_dump_json() + "\n")
        return
    table = Table(*columns)
    for row in rows:
        # As plain text: what people and peers wrote is no markup.
        table.add_row(*(Text("" if value is None else str(value)) for value in (show(row) for show in columns.values())))
    out.print(table)
    if limit is not None and len(rows) == limit:
        out.print(f"there may be more: --after {rows[-1].id}")  # type: ignore[attr-defined]
