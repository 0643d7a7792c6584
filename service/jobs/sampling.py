"""A look each minute at what waits and what is left, so that the operations page can show how it came to be."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from service.domain.findings import DeliveryState, InstanceState, Priority
from service.errors import BrokerDown
from service.jobs.context import Context

SAMPLE_S = 60.0
SAMPLED = ("disk-free-bytes", "images-waiting", "deliveries-on-their-way", *(f"queued.{priority}" for priority in Priority))
"""Names of the samples."""

log = logging.getLogger(__name__)


def take_samples(context: Context) -> dict[str, float]:
    """Look once: messages waiting by queue, free disk space, images without a result and deliveries on their way.

    While the broker is away its queues have no value: a gap in a plot says so, a 0 would not.
    """
    counts = context.ledger.counts.by_state()
    deliveries = counts["deliveries"]
    values = {
        "disk-free-bytes": float(context.store.free_bytes()),
        "images-waiting": float(counts["instances"][InstanceState.RECEIVED]),
        "deliveries-on-their-way": float(deliveries[DeliveryState.PENDING] + deliveries[DeliveryState.SENT]),
    }
    try:
        values |= {f"queued.{queue}": float(count) for queue, count in context.publisher.waiting().items()}
    except BrokerDown:
        log.debug("queues not sampled: the broker is away")
    return values


def keep_sampling(context: Context, stop: threading.Event) -> None:
    """Sample until told to stop; a database or disk that is away leaves a gap."""
    while not stop.is_set():
        try:
            context.ledger.samples.add(take_samples(context))
        except (SQLAlchemyError, OSError) as error:
            log.warning("not sampled", extra={"cause": type(error).__name__})
        stop.wait(SAMPLE_S)
