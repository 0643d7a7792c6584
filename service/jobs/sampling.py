"""Sample queues, disk space and backlog each minute, so that the operations page can plot them over time."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from service.domain.findings import DeliveryState, InstanceState, Priority
from service.errors import BrokerDown
from service.jobs.context import Context

SAMPLE_S = 60.0
SAMPLED = ("disk-free-bytes", "images-waiting", "deliveries-in-progress", *(f"queued.{priority}" for priority in Priority))
"""Names of the samples."""

log = logging.getLogger(__name__)


def take_samples(context: Context) -> dict[str, float]:
    """Take one sample of each: waiting messages by queue, free disk space, images without a result and deliveries in progress.

    While the broker does not answer, its queues have no value: a gap in the plot shows that, a 0 would not.
    """
    counts = context.ledger.counts.by_state()
    deliveries = counts["deliveries"]
    values = {
        "disk-free-bytes": float(context.store.free_bytes()),
        "images-waiting": float(counts["instances"][InstanceState.RECEIVED]),
        "deliveries-in-progress": float(deliveries[DeliveryState.PENDING] + deliveries[DeliveryState.SENT]),
    }
    try:
        values |= {f"queued.{queue}": float(count) for queue, count in context.publisher.waiting().items()}
    except BrokerDown:
        log.debug("sweeper did not sample the queues: the broker does not answer")
    return values


def keep_sampling(context: Context, stop: threading.Event) -> None:
    """Sample until `stop` is set; a database or disk that does not answer leaves a gap."""
    while not stop.is_set():
        try:
            context.ledger.samples.add(take_samples(context))
        except (SQLAlchemyError, OSError) as error:
            log.warning("sweeper took no samples", extra={"cause": type(error).__name__})
        stop.wait(SAMPLE_S)
