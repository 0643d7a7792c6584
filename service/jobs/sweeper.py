"""Re-queue everything that the ledger lists as unfinished, so that a lost message cannot lose a study."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from service.errors import BrokerDown
from service.jobs.background import run_in_background
from service.jobs.context import Context

log = logging.getLogger(__name__)

SPOOL_ORPHAN_S = 3600.0
"""A spool file that was not written to for this long belongs to a transfer that was cut off."""

MAX_WAITING = 10_000
"""With more waiting messages no delivery is queued again: while no worker runs, every sweep would add all of them."""


@dataclass(frozen=True)
class Swept:
    """How many ids one sweep has queued."""

    instances: int = 0
    studies: int = 0
    deliveries: int = 0


def sweep(context: Context, older_than_s: float | None = None) -> Swept:
    """Queue the unfinished work of the ledger once. Raises `BrokerDown`: nothing is lost, the next sweep finds the work again.

    Parameters
    ----------
    older_than_s
        Instances without an attempt for this long are queued again; four sweeps by default, so that a worker has time to finish.
    """
    waiting = sum(context.publisher.waiting().values())
    patience_s = 4 * context.settings.sweep_seconds if older_than_s is None else older_than_s
    stuck = context.ledger.instances.take_unfinished(patience_s)
    for row in stuck:
        context.publisher.analyse(row.sop_instance_uid, row.priority)
    idle = context.ledger.studies.to_conclude(context.settings.study_idle_seconds)
    for study in idle:
        context.publisher.conclude(study.study_instance_uid, study.priority)
    due = context.ledger.deliveries.due() if waiting < MAX_WAITING else []
    for delivery in due:
        context.publisher.deliver(delivery.id)
    return Swept(len(stuck), len(idle), len(due))


def run_sweeper(context: Context, stop: threading.Event) -> None:
    """Sweep until `stop` is set, also after failures of broker or database; webhooks and nightly reconciliation run in the background."""
    with run_in_background(context, stop):
        _keep_sweeping(context, stop)


def _keep_sweeping(context: Context, stop: threading.Event) -> None:
    broker_was_down = False
    while not stop.is_set():
        try:
            swept = sweep(context)
            # While the broker was down it got no messages: unfinished work is queued at once, without the usual patience.
            if broker_was_down:
                swept = sweep(context, older_than_s=0.0)
            broker_was_down = False
            if swept != Swept():
                log.info(
                    "sweeper queued unfinished work",
                    extra={"instances": swept.instances, "studies": swept.studies, "deliveries": swept.deliveries},
                )
            context.store.sweep_spool(SPOOL_ORPHAN_S)
        except (BrokerDown, SQLAlchemyError, OSError) as error:
            broker_was_down = True
            log.warning("sweeper postponed a sweep", extra={"cause": type(error).__name__})
        stop.wait(context.settings.sweep_seconds)
