"""`mammotriage holds`: studies that nothing corrected may leave before a named person looked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.ledger_access import AsJson, Who, Why, ask, opened, print_rows, sign, write_down

if TYPE_CHECKING:
    from service.api.corrections.schemas import HoldOut

app = typer.Typer(help="Held studies: list, release.", no_args_is_help=True)


@app.command("list")
def list_holds(
    everything: Annotated[bool, typer.Option("--all", help="those too that were released")] = False, as_json: AsJson = False
) -> None:
    """Studies that nothing corrected may leave, oldest first."""
    from service.api.corrections.presenter import show_hold

    with opened() as context:
        print_rows([show_hold(row) for row in context.ledger.holds.find(open_only=not everything)], _COLUMNS, as_json)


@app.command()
def release(study: Annotated[str, typer.Argument(help="Study Instance UID")], actor: Who, reason: Why, as_json: AsJson = False) -> None:
    """Let the corrections of a held study go."""
    from service.api.corrections.presenter import show_hold
    from service.api.corrections.schemas import SignedDecision
    from service.jobs.corrections import release_study

    decision = sign(SignedDecision, actor=actor, reason=reason)
    with opened() as context:
        row = ask(lambda: release_study(context, study, decision.actor, decision.reason), "hold on this study")
        write_down(context.ledger.audit_log, "holds release", study, decision.actor)
        print_rows([show_hold(row)], _COLUMNS, as_json)


_COLUMNS: dict[str, Callable[[HoldOut], object]] = {
    "study": lambda row: row.study_instance_uid,
    "since": lambda row: f"{row.since:%Y-%m-%d %H:%M}",
    "reason": lambda row: row.reason,
    "released by": lambda row: row.released_by,
    "release reason": lambda row: row.released_reason,
}
