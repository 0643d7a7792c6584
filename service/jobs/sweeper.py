"""The broom: whatever the ledger says is unfinished goes back on the queues. This is why a lost message cannot lose a study."""

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
"""A spool file without a writer for so long was left by a peer that died in mid-transfer."""

MOST_WAITING = 10_000
"""Behind so many messages no delivery is queued once more: while no worker comes, every look would add all of them."""


@dataclass(frozen=True)
class Swept:
    """How many ids went back on the queues."""

    instances: int = 0
    studies: int = 0
    deliveries: int = 0


def sweep(context: Context, older_than_s: float | None = None) -> Swept:
    """Look through the ledger once. Raises `BrokerDown`: nothing is lost, the next look finds it again.

    Parameters
    ----------
    older_than_s
        Instances that nobody touched for so long are queued again; four sweeps by default, so that a worker has time to answer.
    """
    waiting = sum(context.publisher.waiting().values())
    patience_s = 4 * context.settings.sweep_seconds if older_than_s is None else older_than_s
    stuck = context.ledger.instances.take_unfinished(patience_s)
    for row in stuck:
        context.publisher.analyse(row.sop_instance_uid, row.priority)
    quiet = context.ledger.studies.to_conclude(context.settings.study_idle_seconds)
    for study in quiet:
        context.publisher.conclude(study.study_instance_uid, study.priority)
    due = context.ledger.deliveries.due() if waiting < MOST_WAITING else []
    for delivery in due:
        context.publisher.deliver(delivery.id)
    return Swept(len(stuck), len(quiet), len(due))


def run_sweeper(context: Context, stop: threading.Event) -> None:
    """Sweep until told to stop; a broker or database that is away is waited for. Webhooks and the nightly look run beside."""
    with run_in_background(context, stop):
        _keep_sweeping(context, stop)


def _keep_sweeping(context: Context, stop: threading.Event) -> None:
    away = False
    while not stop.is_set():
        try:
            swept = sweep(context)
            # While the broker was away nothing reached it: what the ledger holds is queued at once, not after the usual patience.
            if away:
                swept = sweep(context, older_than_s=0.0)
            away = False
            if swept != Swept():
                log.info("swept", extra={"instances": swept.instances, "studies": swept.studies, "deliveries": swept.deliveries})
            context.store.sweep_spool(SPOOL_ORPHAN_S)
        except (BrokerDown, SQLAlchemyError, OSError) as error:
            away = True
            log.warning("sweep postponed", extra={"cause": type(error).__name__})
        stop.wait(context.settings.sweep_seconds)
