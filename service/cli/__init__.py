"""The command line. The only place that reads settings from the environment; everything below gets values."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from models.errors import MammotriageError
from service.cli import audit, corrections, deliveries, destinations, feedback, files, holds, keys, reconcile, users
from service.cli import run as parts
from service.cli import show as inventory
from service.cli.console import EXIT_CANNOT_RUN, err

app = typer.Typer(
    name="mammotriage",
    help="Labels 2D mammograms from their pixels, compares them with the DICOM header, and orders the worklist. No medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS: tuple[Callable[..., None], ...] = (
    parts.serve,
    parts.listener,
    parts.api,
    parts.worker,
    parts.sweeper,
    parts.migrate,
    parts.health,
    parts.demo,
    files.label,
    files.send,
    inventory.models,
    reconcile.reconcile,
    inventory.conformance,
)
for command in COMMANDS:
    app.command()(command)
app.command("settings")(inventory.show_settings)
for name, group in (
    ("users", users.app),
    ("keys", keys.app),
    ("audit", audit.app),
    ("corrections", corrections.app),
    ("holds", holds.app),
    ("deliveries", deliveries.app),
    ("destinations", destinations.app),
    ("feedback", feedback.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run a command. An error that the caller can correct is printed as one line, not as a traceback."""
    try:
        app()
    except SettingsError as error:
        # A variable that should hold JSON and does not; the message names the setting, not its value.
        err.print(f"settings-invalid: {error}: write it as JSON", markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_CANNOT_RUN)
    except ValidationError as error:
        for each in error.errors():
            variable = ".".join(map(str, each["loc"])).upper()
            err.print(f"MAMMOTRIAGE_{variable}: {each['msg']}" if variable else each["msg"], markup=False, highlight=False)
        sys.exit(EXIT_CANNOT_RUN)
    except MammotriageError as error:
        err.print(f"{error.code}: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_CANNOT_RUN)
