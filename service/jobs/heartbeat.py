"""Heartbeat of a worker process: its row in the ledger is renewed while it runs, also in a long analysis, and removed at a clean stop."""

from __future__ import annotations

import logging
import os
import socket
import threading

from sqlalchemy.exc import SQLAlchemyError

from service.jobs.context import Context

BEAT_S = 10.0
LOST_AFTER_S = 35.0
"""A worker without a heartbeat for this long, a little over three beats, is shown as lost."""

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews the row of this worker process in the ledger, from a thread of its own.

    Parameters
    ----------
    context
        That of this process; its networks are loaded for the first heartbeat.
    beat_s
        Pause between two heartbeats, seconds.
    """

    def __init__(self, context: Context, beat_s: float = BEAT_S) -> None:
        self._context, self._beat_s = context, beat_s
        self._host, self._pid = socket.gethostname(), os.getpid()
        self.name = f"{self._host}:{self._pid}"[:130]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove the row, so that this worker is not shown as lost."""
        self._stop.set()
        self._thread.join(5)
        try:
            self._context.ledger.workers.deregister(self.name)
        except SQLAlchemyError as error:
            log.warning("worker did not remove its row", extra={"cause": type(error).__name__})

    def _run(self) -> None:
        registered = False
        while not self._stop.is_set():
            try:
                registered = (registered and self._context.ledger.workers.heartbeat(self.name)) or self._register()
            except SQLAlchemyError as error:
                log.warning("worker did not write its heartbeat", extra={"cause": type(error).__name__})
            self._stop.wait(self._beat_s)

    def _register(self) -> bool:
        analyser = self._context.analyser
        models = (analyser.labeler.identity, analyser.cancer.identity)
        self._context.ledger.workers.register(self.name, self._host, self._pid, analyser.cancer.provider, models)
        return True
