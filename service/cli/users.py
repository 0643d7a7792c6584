"""`mammotriage users`: accounts of people. A password is typed or read from standard input, never an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.ledger_access import AsJson, ask, opened, print_rows, write_down
from service.domain.access import Role

if TYPE_CHECKING:
    from service.api.accounts.schemas import UserOut
    from service.store.accounts.rows import UserRow

Name = Annotated[str, typer.Argument(help="name of the account")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from the first line of standard input")]

app = typer.Typer(help="Users: add, list, change role or password, disable and enable accounts.", no_args_is_help=True)


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="what they may do")] = Role.VIEWER,
    display_name: Annotated[str, typer.Option("--display-name", help="as histories show it [default: the name]")] = "",
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add a user."""
    from service.accounts.users import make_user

    password = read_password(password_stdin)
    with opened() as context:
        row = make_user(context.ledger.users, name, display_name, role, password)
        write_down(context.ledger.audit_log, "users add", row.name, role)
        _show([row], as_json)


@app.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List users by name."""
    with opened() as context:
        _show(context.ledger.users.all(), as_json)


@app.command("role")
def set_role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="what they may do from now on")],
    as_json: AsJson = False,
) -> None:
    """Change the role of a user; open sessions get the new role."""
    with opened() as context:
        row = ask(lambda: context.ledger.users.set_role(name, role), "user of this name")
        write_down(context.ledger.audit_log, "users role", name, role)
        _show([row], as_json)


@app.command("password")
def set_password(name: Name, password_stdin: FromStdin = False, as_json: AsJson = False) -> None:
    """Change the password of a user, which ends their sessions."""
    from service.accounts.users import change_password

    password = read_password(password_stdin)
    with opened() as context:
        row = ask(lambda: change_password(context.ledger.users, name, password), "user of this name")
        write_down(context.ledger.audit_log, "users password", name)
        _show([row], as_json)


@app.command()
def disable(name: Name, as_json: AsJson = False) -> None:
    """Close an account and end its sessions."""
    _disable(name, True, as_json)


@app.command()
def enable(name: Name, as_json: AsJson = False) -> None:
    """Open an account again."""
    _disable(name, False, as_json)


def _disable(name: str, disabled: bool, as_json: bool) -> None:
    with opened() as context:
        row = ask(lambda: context.ledger.users.set_disabled(name, disabled), "user of this name")
        write_down(context.ledger.audit_log, "users disable" if disabled else "users enable", name)
        _show([row], as_json)


def read_password(from_stdin: bool) -> str:
    """Read the password from standard input, or ask for it twice."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _show(rows: list[UserRow], as_json: bool) -> None:
    from service.api.accounts.schemas import show_user

    print_rows([show_user(row) for row in rows], _COLUMNS, as_json)


_COLUMNS: dict[str, Callable[[UserOut], object]] = {
    "name": lambda row: row.name,
    "shown as": lambda row: row.display_name,
    "role": lambda row: row.role,
    "signs in with": lambda row: row.signs_in,
    "account": lambda row: "closed" if row.disabled else "open",
    "last sign-in": lambda row: f"{row.signed_in_at:%Y-%m-%d %H:%M}" if row.signed_in_at else None,
}
