"""What runs beside the sweeper: receivers of webhooks are told, each minute is sampled, and once a night everything is compared with
its destination."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.deliver.webhook import deliver_events, open_client
from service.destinations import Webhook
from service.jobs.context import Context
from service.jobs.reconcile import Reconciliation, Result, reconcile
from service.jobs.sampling import keep_sampling

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Pause between two looks for something to tell; a look without news is two short queries."""
CLOCK_S = 30.0
REPORTS_KEPT = 60


@contextmanager
def run_in_background(context: Context, stop: threading.Event) -> Iterator[None]:
    """One thread for each webhook, so that a slow receiver holds nobody else up, one for the samples, and one for the night."""
    beside = [
        threading.Thread(target=_deliver_webhooks, args=(context, webhook, stop), daemon=True) for webhook in context.settings.webhooks
    ]
    beside += [threading.Thread(target=target, args=(context, stop), daemon=True) for target in (keep_sampling, _keep_watch)]
    for thread in beside:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in beside:
            thread.join(15)


def is_due(at: datetime, hour: int, reports: Path) -> bool:
    """Tell whether it is the hour of the nightly look, and today's report is not there yet. An hour below 0 never comes."""
    return at.hour == hour and not report_path(reports, at).exists()


def report_path(reports: Path, at: datetime) -> Path:
    """Where the report of a day lies."""
    return reports / f"reconcile-{at:%Y-%m-%d}.json"


def reports_folder(context: Context) -> Path:
    """Reports of all nights, as JSON; the folder is made where it is missing."""
    folder = context.settings.reports_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_nightly_reconciliation(context: Context, at: datetime, stop: threading.Event) -> Reconciliation | None:
    """Reconcile and write the report of this day, unless that is done or another sweeper is at it.

    A look that was stopped leaves no report, so that the next start of the sweeper in this hour begins it anew.
    """
    reports = reports_folder(context)
    with (reports / ".running").open("w") as lock:
        try:
            # The system lets go of it when we die.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not is_due(at, context.settings.reconcile_hour, reports):
            return None
        report = reconcile(context, stop)
        if not report.complete:
            return report
        place = report_path(reports, at)
        whole = place.with_suffix(".part")
        whole.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        whole.replace(place)
        for old in sorted(reports.glob("reconcile-*.json"))[:-REPORTS_KEPT]:
            old.unlink(missing_ok=True)
    _log(report, place)
    return report


def _keep_watch(context: Context, stop: threading.Event) -> None:
    while not stop.wait(CLOCK_S):
        try:
            at = datetime.now().astimezone()
            if is_due(at, context.settings.reconcile_hour, reports_folder(context)):
                run_nightly_reconciliation(context, at, stop)
        except (SQLAlchemyError, OSError) as error:
            log.warning("nightly look postponed", extra={"cause": type(error).__name__})


def _deliver_webhooks(context: Context, webhook: Webhook, stop: threading.Event) -> None:
    with open_client() as client:
        while not stop.is_set():
            try:
                deliver_events(webhook, context.ledger, client, stop)
            except SQLAlchemyError as error:
                log.warning("webhook postponed", extra={"webhook": webhook.name, "cause": type(error).__name__})
            stop.wait(LOOK_S)


def _log(report: Reconciliation, place: Path) -> None:
    by_result = {result: sum(each.result is result for each in report.discrepancies) for result in Result}
    found = {result.value: by_result[result] for result in (Result.MISSING, Result.CHANGED, Result.UNVERIFIED)}
    level = logging.INFO if report.exit_status == 0 else logging.WARNING
    log.log(level, "reconciled", extra={"studies": report.studies, **found, "report": place.name})
