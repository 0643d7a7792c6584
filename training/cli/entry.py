"""The application: what all commands share, and how our own errors are printed."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

OWN = ("models.", "training.")
"""An error of a class from here, or raised by code from here, says what to change: it is printed as a line, without a traceback."""


class Readable(TyperGroup):
    """Prints our own errors as one line and exits with 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params.get("traceback") or not _is_own(error):
                raise
            Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
            raise typer.Exit(2) from None


def _is_own(error: Exception) -> bool:
    if type(error).__module__.startswith(OWN) or isinstance(error, OSError):
        return True
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    raised_in = str(trace.tb_frame.f_globals.get("__name__")) if trace else ""
    return isinstance(error, ValueError | KeyError) and raised_in.startswith(OWN)


app = typer.Typer(
    cls=Readable,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train the networks of four papers on mammograms, compare them, and put them where the service finds them.\n\n"
    "A first walk, on pictures that are made up (minutes on two cores):\n\n"
    "[bold]python -m training synthetic DATA/synthetic --patients 60[/]\n\n"
    "[bold]python -m training train labeler --data DATA --datasets synthetic --split 70/10/20 "
    "--backbone resnet18 --weights random --epochs 4 --tag try[/]\n\n"
    "[bold]python -m training evaluate labeler --data DATA --tag try[/]\n\n"
    "`experiments` lists every row of the papers' tables, and what each needs.",
)


@app.callback()
def configure(traceback: Annotated[bool, typer.Option("--traceback", help="show where an error came from")] = False) -> None:
    """Options of all commands."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
