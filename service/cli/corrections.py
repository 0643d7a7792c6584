"""`mammotriage corrections`: label mismatches between headers and pixels, and decisions about them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from service.cli.console import out
from service.cli.ledger_access import (
    Actor,
    After,
    AsJson,
    DecisionReason,
    Limit,
    Study,
    ask,
    check_decision,
    opened,
    print_rows,
    write_down,
)
from service.domain.findings import CorrectionState
from service.errors import NotFound

if TYPE_CHECKING:
    from service.api.corrections.schemas import CorrectionOut
    from service.jobs.context import Context
    from service.store.corrections import CorrectionRow

app = typer.Typer(help="Differences between headers and pixels: list, show, approve, reject, undo, export.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, metavar="ID", help="number of the correction")]
State = Annotated[CorrectionState | None, typer.Option("--state", help="only in this state")]


@app.command("list")
def list_corrections(state: State = None, study: Study = None, after: After = 0, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List corrections, oldest first."""
    from service.api.corrections.presenter import show_correction

    with opened() as context:
        rows = context.ledger.corrections.find(state=state, study_instance_uid=study, after_id=after, limit=limit)
        print_rows([show_correction(row) for row in rows], _COLUMNS, as_json, limit)


@app.command()
def show(number: Number, as_json: AsJson = False) -> None:
    """Show one correction: labels, history, deliveries."""
    with opened() as context:
        row = context.ledger.corrections.get(number)
        if row is None:
            raise NotFound(f"there is no correction {number}")
        _print_whole(context, row, as_json)


@app.command()
def approve(number: Number, actor: Actor, reason: DecisionReason, as_json: AsJson = False) -> None:
    """Write the correction to every destination whose mode allows it."""
    from service.jobs.corrections import approve_correction

    _decide("approve", approve_correction, number, actor, reason, as_json)


@app.command()
def reject(number: Number, actor: Actor, reason: DecisionReason, as_json: AsJson = False) -> None:
    """Keep the labels as they are; the same change of the same image is not proposed again."""
    from service.jobs.corrections import reject_correction

    _decide("reject", reject_correction, number, actor, reason, as_json)


@app.command()
def undo(number: Number, actor: Actor, reason: DecisionReason, as_json: AsJson = False) -> None:
    """Write the former labels back to every destination that has the correction."""
    from service.jobs.corrections import undo_correction

    _decide("undo", undo_correction, number, actor, reason, as_json)


@app.command()
def export(
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv or json")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
    state: State = None,
    study: Study = None,
) -> None:
    """Export every correction with its history as one file."""
    from service.api.corrections.export import write_csv, write_json

    with opened() as context:
        pieces = (write_csv if form == "csv" else write_json)(context.ledger.corrections, state, study)
        if output is None:
            sys.stdout.writelines(pieces)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)


def _decide(
    what: str, decide: Callable[[Context, int, str, str], CorrectionRow], number: int, actor: str, reason: str, as_json: bool
) -> None:
    from service.api.corrections.schemas import SignedDecision

    decision = check_decision(SignedDecision, actor=actor, reason=reason)
    with opened() as context:
        row = ask(lambda: decide(context, number, decision.actor, decision.reason), f"correction {number}")
        write_down(context.ledger.audit_log, f"corrections {what}", str(number), decision.actor)
        _print_whole(context, row, as_json)


def _print_whole(context: Context, row: CorrectionRow, as_json: bool) -> None:
    from service.api.corrections.presenter import show_whole_correction

    whole = show_whole_correction(row, context.ledger)
    print_rows([whole], _COLUMNS, as_json)
    if as_json:
        return
    for text in (f"image {whole.sop_instance_uid}", f"study {whole.study_instance_uid}", whole.reason, whole.blocked_reason):
        if text:
            out.print(text, markup=False, highlight=False)
    for each in whole.evidence:
        out.print(f"evidence ({each.code}): {each.text}", markup=False, highlight=False)
    for step in whole.history:
        out.print(f"{step.at:%Y-%m-%d %H:%M:%S}Z {step.state} by {step.actor}: {step.reason}", markup=False, highlight=False)
    for delivery in whole.deliveries:
        said = f" ({delivery.error})" if delivery.error else ""
        out.print(
            f"delivery {delivery.id} ({delivery.kind}) to {delivery.destination}: {delivery.state}{said}", markup=False, highlight=False
        )
    if whole.held:
        out.print("its study is held: no correction is sent before `mammotriage holds release`", markup=False, highlight=False)


def _labels(correction: CorrectionOut, which: Literal["declared", "pixels", "proposed"]) -> str:
    labels = getattr(correction, which)
    return f"{labels.laterality}-{labels.view}"


_COLUMNS: dict[str, Callable[[CorrectionOut], object]] = {
    "id": lambda row: row.id,
    "state": lambda row: row.state,
    "kind": lambda row: row.kind,
    "declared": lambda row: _labels(row, "declared"),
    "pixels": lambda row: _labels(row, "pixels"),
    "after": lambda row: _labels(row, "proposed"),
    "confidence": lambda row: f"{row.confidence:.3f}",
    "decided by": lambda row: row.decided_by,
    "since": lambda row: f"{row.updated_at:%Y-%m-%d %H:%M}",
}
