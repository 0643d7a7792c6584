"""The Celery worker. Tasks are thin: each hands an id to a plain function that tests call directly."""

from __future__ import annotations

import logging
import multiprocessing
import sys
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from sqlalchemy.exc import OperationalError

from models.errors import MammotriageError
from service.errors import ProviderUnavailable
from service.jobs.analysis import analyse_instance
from service.jobs.conclusion import conclude_study
from service.jobs.context import Context, open_context
from service.jobs.delivery import deliver_object
from service.jobs.heartbeat import Heartbeat
from service.jobs.niceness import lower_priority
from service.jobs.queues import ANALYSE, CONCLUDE, DELIVER, QUEUES, build_app
from service.settings import Settings

log = logging.getLogger(__name__)


def build_worker(settings: Settings) -> Celery:
    """A Celery application with our three tasks. Each worker process opens its own ledger and loads the networks once."""
    app = build_app(settings.redis_url)
    opened: list[Context] = []
    hearts: list[Heartbeat] = []

    def context() -> Context:
        if not opened:
            opened.append(open_context(settings))
        return opened[0]

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def warm(**_: Any) -> None:
        opened.clear()  # a context from before the fork belongs to the parent
        assert context().analyser
        hearts[:] = [Heartbeat(context())]
        hearts[0].start()

    @worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
    def leave(**_: Any) -> None:
        for heart in hearts:
            heart.stop()

    options: dict[str, Any] = {"autoretry_for": (OperationalError,), "retry_backoff": 2, "max_retries": None}

    @app.task(name=ANALYSE, **options)  # type: ignore[untyped-decorator]
    def analyse(sop_instance_uid: str) -> None:
        analyse_instance(context(), sop_instance_uid)

    @app.task(name=CONCLUDE, **options)  # type: ignore[untyped-decorator]
    def conclude(study_instance_uid: str) -> None:
        conclude_study(context(), study_instance_uid)

    @app.task(name=DELIVER, **options)  # type: ignore[untyped-decorator]
    def deliver(delivery_id: int) -> None:
        deliver_object(context(), delivery_id)

    return app


def run_worker(settings: Settings) -> None:
    """Work until stopped.

    Raises
    ------
    ProviderUnavailable
        The networks cannot run as configured; the worker does not fall back silently.
    """
    lower_priority(settings.worker_nice)
    # The networks are tried in a process of their own: a network that is loaded before the fork does not work after it.
    check = multiprocessing.get_context("spawn").Process(target=_check_networks, args=(settings,))
    check.start()
    check.join()
    if check.exitcode != 0:
        raise ProviderUnavailable("the networks cannot run as configured: see the message above")
    app = build_worker(settings)
    app.worker_main(
        ["worker", "--pool", "prefork", "--concurrency", str(settings.worker_concurrency), "--queues", ",".join(QUEUES.values()),
         "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    )  # fmt: skip


def _check_networks(settings: Settings) -> None:
    try:
        analyser = open_context(settings).analyser
    except MammotriageError as error:
        sys.exit(f"{error.code}: {error}")
    log.info("worker loaded the networks", extra={"provider": analyser.cancer.provider})
