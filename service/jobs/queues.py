"""The broker: three queues of ids. A lost message loses no work, because the ledger has all of it."""

from __future__ import annotations

import logging
import threading
import time

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from service.domain.findings import Priority
from service.errors import BrokerDown

ANALYSE, CONCLUDE, DELIVER = "mammotriage.analyse", "mammotriage.conclude", "mammotriage.deliver"

QUEUES = {
    Priority.URGENT: "mammotriage.1-urgent",
    Priority.ROUTINE: "mammotriage.2-routine",
    Priority.BACKGROUND: "mammotriage.3-background",
}
"""A free worker takes from the first queue by name: kombu keeps its queues in a set, so only ``sorted`` gives a reliable order."""

PAUSE_AFTER_FAILURE_S = 2.0
log = logging.getLogger(__name__)


def build_app(redis_url: str) -> Celery:
    """A Celery application that fails at once if Redis does not answer, and that gives a task of a killed worker to another one."""
    app = Celery("mammotriage", broker=redis_url)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=QUEUES[Priority.ROUTINE],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "queue_order_strategy": "sorted",
            "visibility_timeout": 600,
            "socket_connect_timeout": 1.0,
            "socket_timeout": 5.0,
            "max_retries": 0,
        },
        task_publish_retry=False,
    )
    return app


class Publisher:
    """Puts ids on the queues. For a moment after a failure it raises `BrokerDown` at once: receiving does not wait for a dead broker."""

    def __init__(self, redis_url: str) -> None:
        self.app = build_app(redis_url)
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=1.0, socket_timeout=5.0)
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def analyse(self, sop_instance_uid: str, priority: Priority = Priority.ROUTINE) -> None:
        """Queue the analysis of one image. Raises `BrokerDown`; the sweeper then queues it."""
        self._publish(ANALYSE, sop_instance_uid, priority)

    def conclude(self, study_instance_uid: str, priority: Priority = Priority.ROUTINE) -> None:
        """Queue the conclusion of one study."""
        self._publish(CONCLUDE, study_instance_uid, priority)

    def deliver(self, delivery_id: int, priority: Priority = Priority.ROUTINE) -> None:
        """Queue one delivery."""
        self._publish(DELIVER, delivery_id, priority)

    def waiting(self) -> dict[str, int]:
        """Number of waiting messages by priority. Raises `BrokerDown`."""
        try:
            return {priority.value: int(self._redis.llen(queue)) for priority, queue in QUEUES.items()}
        except redis.RedisError as error:
            raise BrokerDown(f"Redis does not answer ({type(error).__name__})") from error

    def ping(self) -> None:
        """Raise `BrokerDown` if Redis does not answer."""
        self.waiting()

    def _publish(self, task: str, argument: str | int, priority: Priority) -> None:
        with self._lock:
            if time.monotonic() < self._paused_until:
                raise BrokerDown("Redis did not answer a moment ago")
            try:
                self.app.send_task(task, (argument,), queue=QUEUES[priority], retry=False)
            except (OperationalError, redis.RedisError, OSError) as error:
                self._paused_until = time.monotonic() + PAUSE_AFTER_FAILURE_S
                raise BrokerDown(f"Redis does not answer ({type(error).__name__})") from error
