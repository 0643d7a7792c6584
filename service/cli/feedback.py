"""`mammotriage feedback`: feedback of readers on labels, for training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli.ledger_access import Study, opened
from service.domain.feedback import FeedbackLabel, FeedbackVerdict

app = typer.Typer(help="Feedback of readers on labels: export it for training.", no_args_is_help=True)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
    study: Study = None,
    label: Annotated[FeedbackLabel | None, typer.Option("--label", help="only on this label")] = None,
    verdict: Annotated[FeedbackVerdict | None, typer.Option("--verdict", help="only with this verdict")] = None,
    history: Annotated[bool, typer.Option("--history", help="with feedback that a reader later replaced")] = False,
) -> None:
    """Export as CSV. Written as feedback.csv into the data folder, `python -m training ... feedback:DATA_FOLDER` trains on it."""
    from service.api.feedback.export import write_feedback

    with opened() as context:
        lines = write_feedback(context.ledger.feedback, study, label, verdict, history)
        if output is None:
            sys.stdout.writelines(lines)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
