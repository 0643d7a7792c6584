"""`mammotriage reconcile`: compare received files and deliveries with the ledger."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from service.cli.console import out, wait_for_signal
from service.cli.ledger_access import AsJson, Study, opened

if TYPE_CHECKING:
    from service.jobs.reconcile import Reconciliation


def reconcile(study: Study = None, as_json: AsJson = False) -> None:
    """Compare every received file with its sha256, and every delivery with what its destination holds. Changes nothing; Ctrl-C stops it.

    Exit status: 0 all sound, 1 something is missing or changed, 3 not everything could be looked at.
    """
    from service.jobs.reconcile import reconcile as look

    stop = wait_for_signal()
    with opened() as context:
        report = look(context, stop, study)
    if as_json:
        sys.stdout.write(report.model_dump_json() + "\n")
    else:
        _print(report)
    raise typer.Exit(report.exit_status)


def _print(report: Reconciliation) -> None:
    from service.jobs.reconcile import Result

    results = [result.value for result in Result]
    counted = Table("what", *results, title=f"{report.studies} studies, {report.in_progress} deliveries in progress")
    counted.add_row("received files", *(str(report.instances[result]) for result in results))
    for destination, counts in sorted(report.deliveries.items()):
        counted.add_row(Text(f"delivered to {destination}"), *(str(counts[result]) for result in results))
    out.print(counted)
    if report.discrepancies:
        named = Table("result", "what", "destination", "delivery", "study", "object", "detail")
        for each in report.discrepancies:
            what = f"{each.kind} ({each.state})" if each.subject == "delivery" else "received file"
            row = (each.result, what, each.destination, each.delivery_id or "", each.study_instance_uid, each.sop_instance_uid, each.detail)
            named.add_row(*(Text(str(cell)) for cell in row))
        out.print(named)
    if not report.complete:
        out.print("stopped before the end")
