"""`mammotriage destinations`: configured peers, and whether they answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydicom.uid import UID

from service.cli.console import EXIT_BAD_FILE, err, out
from service.cli.ledger_access import AsJson, opened, print_rows
from service.errors import NotFound
from service.settings import Settings

if TYPE_CHECKING:
    from service.api.deliveries.schemas import DestinationOut
    from service.cli.checkup import Checkup

app = typer.Typer(help="Peers that results are sent to: list them, check the file and each peer.", no_args_is_help=True)


@app.command("list")
def list_destinations(as_json: AsJson = False) -> None:
    """List every configured destination without its secrets, with its state in the ledger. No peer is called."""
    from service.api.deliveries.presenter import show_destination

    with opened() as context:
        known = {row.name: row for row in context.ledger.destinations.all()}
        rows = [show_destination(each, known.get(each.name)) for each in context.settings.destinations]
        print_rows(rows, _COLUMNS, as_json)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="destinations [default: all]")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="a file that is not in use yet [default: MAMMOTRIAGE_DESTINATIONS_FILE]")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="check the file only, call no peer")] = False,
    as_json: AsJson = False,
) -> None:
    """Is the file right, does each peer answer (C-ECHO, HTTP), and which of our objects does it take? Sends nothing.

    Exit status 0: all is well; 1: a peer does not answer; 2: the file is wrong.
    """
    from service.cli.checkup import check_destination

    settings = Settings(destinations_file=file, destinations=(), rules=(), webhooks=(), sources=()) if file else Settings()
    unknown = set(names or ()) - {each.name for each in settings.destinations}
    if unknown:
        raise NotFound(f"no destination is named {', '.join(sorted(unknown))}")
    chosen = [each for each in settings.destinations if not names or each.name in names]
    source = settings.destinations_file or "MAMMOTRIAGE_DESTINATIONS"
    counted = f"destinations {len(settings.destinations)}, rules {len(settings.rules)}, webhooks {len(settings.webhooks)}"
    err.print(f"{source}: {counted}", markup=False, highlight=False, soft_wrap=True)
    if offline:
        return
    silent = False
    for destination in chosen:
        found = check_destination(destination, settings.ae_title)
        silent = silent or not found.answers
        if as_json:
            sys.stdout.write(found.model_dump_json() + "\n")
        else:
            _print(found)
    if silent:
        raise typer.Exit(EXIT_BAD_FILE)


def _print(found: Checkup) -> None:
    def say(text: str) -> None:
        out.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{found.name}: {found.address}: {'answers' if found.answers else 'does not answer as it should'}")
    for problem in found.problems:
        say(f"  problem: {problem}")
    for remark in found.remarks:
        say(f"  note: {remark}")
    if taken := [UID(uid).name for uid, accepted in found.takes.items() if accepted]:
        say(f"  takes: {', '.join(taken)}")


def _address(row: DestinationOut) -> str:
    dimse = f"{row.ae_title} at {row.host}:{row.port}{' (TLS)' if row.tls else ''}" if row.host else ""
    return ", ".join(part for part in (dimse, row.dicomweb) if part)


_COLUMNS: dict[str, Callable[[DestinationOut], object]] = {
    "name": lambda row: row.name,
    "address": _address,
    "objects": lambda row: ", ".join(row.objects),
    "mode": lambda row: row.mode,
    "corrections": lambda row: ", ".join(f"{kind}: {action}" for kind, action in row.policy.items()),
    "state": lambda row: row.state,
    "last error": lambda row: row.last_error,
}
