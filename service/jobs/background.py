"""Threads that run in the sweeper's process: one posts events for each webhook, one samples, one reconciles every night."""

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

POLL_S = 1.0
"""Pause between two checks for new events; a check without new events is two short queries."""
CLOCK_S = 30.0
"""Pause between two checks whether the nightly reconciliation is due."""
REPORTS_KEPT = 60


@contextmanager
def run_in_background(context: Context, stop: threading.Event) -> Iterator[None]:
    """Run the threads while the block runs. Each webhook has its own, so that a slow receiver does not delay the others."""
    threads = [
        threading.Thread(target=deliver_webhooks, args=(context, webhook, stop), daemon=True) for webhook in context.settings.webhooks
    ]
    threads += [threading.Thread(target=target, args=(context, stop), daemon=True) for target in (keep_sampling, reconcile_nightly)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)


def is_due(at: datetime, hour: int, reports: Path) -> bool:
    """Tell whether the nightly reconciliation is due: it is its hour, and there is no report of today. An hour below 0 turns it off."""
    return at.hour == hour and not report_path(reports, at).exists()


def report_path(reports: Path, at: datetime) -> Path:
    """The path of the report of a day."""
    return reports / f"reconcile-{at:%Y-%m-%d}.json"


def reports_folder(context: Context) -> Path:
    """The folder of the JSON reports; it is created if it is missing."""
    folder = context.settings.reports_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_nightly_reconciliation(context: Context, at: datetime, stop: threading.Event) -> Reconciliation | None:
    """Reconcile and write the report of this day, unless there is one or another sweeper is reconciling.

    A reconciliation that was stopped writes no report, so that the next start of the sweeper in this hour repeats it.
    """
    reports = reports_folder(context)
    with (reports / ".running").open("w") as lock:
        try:
            # The system releases the lock if this process dies.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not is_due(at, context.settings.reconcile_hour, reports):
            return None
        report = reconcile(context, stop)
        if not report.complete:
            return report
        path = report_path(reports, at)
        whole = path.with_suffix(".part")
        whole.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        whole.replace(path)
        for old in sorted(reports.glob("reconcile-*.json"))[:-REPORTS_KEPT]:
            old.unlink(missing_ok=True)
    _log(report, path)
    return report


def reconcile_nightly(context: Context, stop: threading.Event) -> None:
    """Check until `stop` is set whether the nightly reconciliation is due, and run it."""
    while not stop.wait(CLOCK_S):
        try:
            at = datetime.now().astimezone()
            if is_due(at, context.settings.reconcile_hour, reports_folder(context)):
                run_nightly_reconciliation(context, at, stop)
        except (SQLAlchemyError, OSError) as error:
            log.warning("sweeper postponed the nightly reconciliation", extra={"cause": type(error).__name__})


def deliver_webhooks(context: Context, webhook: Webhook, stop: threading.Event) -> None:
    """Post the events of one webhook until `stop` is set."""
    with open_client() as client:
        while not stop.is_set():
            try:
                deliver_events(webhook, context.ledger, client, stop)
            except SQLAlchemyError as error:
                log.warning("sweeper postponed the events of a webhook", extra={"webhook": webhook.name, "cause": type(error).__name__})
            stop.wait(POLL_S)


def _log(report: Reconciliation, path: Path) -> None:
    by_result = {result: sum(each.result is result for each in report.discrepancies) for result in Result}
    found = {result.value: by_result[result] for result in (Result.MISSING, Result.CHANGED, Result.UNVERIFIED)}
    level = logging.INFO if report.exit_status == 0 else logging.WARNING
    log.log(level, "sweeper finished the nightly reconciliation", extra={"studies": report.studies, **found, "report": path.name})
