"""`mammotriage holds`: studies whose corrections wait for a release by a named person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.ledger_access import Actor, AsJson, DecisionReason, ask, check_decision, opened, print_rows, write_down

if TYPE_CHECKING:
    from service.api.corrections.schemas import HoldOut

app = typer.Typer(help="Studies on hold: list, release.", no_args_is_help=True)


@app.command("list")
def list_holds(everything: Annotated[bool, typer.Option("--all", help="with released ones")] = False, as_json: AsJson = False) -> None:
    """List studies on hold, oldest first."""
    from service.api.corrections.presenter import show_hold

    with opened() as context:
        print_rows([show_hold(row) for row in context.ledger.holds.find(open_only=not everything)], _COLUMNS, as_json)


@app.command()
def release(
    study: Annotated[str, typer.Argument(help="Study Instance UID")], actor: Actor, reason: DecisionReason, as_json: AsJson = False
) -> None:
    """Release the corrections of a study on hold."""
    from service.api.corrections.presenter import show_hold
    from service.api.corrections.schemas import SignedDecision
    from service.jobs.corrections import release_study

    decision = check_decision(SignedDecision, actor=actor, reason=reason)
    with opened() as context:
        row = ask(lambda: release_study(context, study, decision.actor, decision.reason), "hold on this study")
        write_down(context.ledger.audit_log, "holds release", study, decision.actor)
        print_rows([show_hold(row)], _COLUMNS, as_json)


_COLUMNS: dict[str, Callable[[HoldOut], object]] = {
    "study": lambda row: row.study_instance_uid,
    "since": lambda row: f"{row.since:%Y-%m-%d %H:%M}",
    "kind": lambda row: row.kind,
    "reason": lambda row: row.reason,
    "released by": lambda row: row.released_by,
    "release reason": lambda row: row.released_reason,
}
