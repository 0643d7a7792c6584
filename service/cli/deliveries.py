"""`mammotriage deliveries`: objects, their destinations and their states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.ledger_access import After, AsJson, Limit, Study, ask, check_decision, opened, print_rows, write_down
from service.domain.findings import DeliveryState

if TYPE_CHECKING:
    from service.api.deliveries.schemas import DeliveryOut

app = typer.Typer(help="Deliveries of objects to destinations: list, retry.", no_args_is_help=True)

State = Annotated[DeliveryState | None, typer.Option("--state", help="only in this state")]
To = Annotated[str | None, typer.Option("--destination", help="only to this destination")]


@app.command("list")
def list_deliveries(
    state: State = None, destination: To = None, study: Study = None, after: After = 0, limit: Limit = 100, as_json: AsJson = False
) -> None:
    """List deliveries in the order in which they were planned."""
    from service.api.deliveries.presenter import show_delivery

    with opened() as context:
        rows = context.ledger.deliveries.find(state=state, study_instance_uid=study, destination=destination, after_id=after, limit=limit)
        print_rows([show_delivery(row) for row in rows], _COLUMNS, as_json, limit)


@app.command()
def retry(
    actor: Annotated[str, typer.Option("--actor", help="name of the person who asks", show_default=False)],
    numbers: Annotated[list[int] | None, typer.Argument(min=1, metavar="[ID]...", help="numbers of deliveries")] = None,
    failed_to: Annotated[str | None, typer.Option("--failed-to", help="every failed delivery to this destination")] = None,
    as_json: AsJson = False,
) -> None:
    """Retry deliveries that ended without proof."""
    from service.api.deliveries.presenter import show_delivery
    from service.api.deliveries.schemas import SignedRetry
    from service.jobs.corrections import retry_delivery

    if bool(numbers) == (failed_to is not None):
        raise typer.BadParameter("name deliveries by their number, or a destination with --failed-to")
    person = check_decision(SignedRetry, actor=actor).actor
    with opened() as context:
        if failed_to is not None:
            numbers = [row.id for row in context.ledger.deliveries.find(state=DeliveryState.FAILED, destination=failed_to)]
        rows = []
        for each in numbers or ():
            rows.append(ask(lambda each=each: retry_delivery(context, each, person), f"delivery {each}"))  # type: ignore[misc]
            write_down(context.ledger.audit_log, "deliveries retry", str(each), person)
        print_rows([show_delivery(row) for row in rows], _COLUMNS, as_json)


_COLUMNS: dict[str, Callable[[DeliveryOut], object]] = {
    "id": lambda row: row.id,
    "state": lambda row: row.state,
    "kind": lambda row: row.kind,
    "destination": lambda row: row.destination,
    "tries": lambda row: row.tries,
    "error": lambda row: row.error,
    "planned": lambda row: f"{row.created_at:%Y-%m-%d %H:%M}",
    "next try": lambda row: row.next_try_at and f"{row.next_try_at:%H:%M:%S}",
}
