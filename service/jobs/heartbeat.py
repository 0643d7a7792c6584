"""Signs of life of a worker process: a row in the ledger while it works, also during a long analysis; none once it stopped in order."""

from __future__ import annotations

import logging
import os
import socket
import threading

from sqlalchemy.exc import SQLAlchemyError

from service.jobs.context import Context

BEAT_S = 10.0
LOST_AFTER_S = 35.0
"""Three beats and a little: a worker that was silent for so long is shown as lost."""

log = logging.getLogger(__name__)


class Heartbeat:
    """Tells the ledger that this process lives, from a thread of its own.

    Parameters
    ----------
    context
        Of this process; its networks are loaded when the first beat is written.
    beat_s
        Pause between two beats, seconds.
    """

    def __init__(self, context: Context, beat_s: float = BEAT_S) -> None:
        self._context, self._beat_s = context, beat_s
        self._host, self._pid = socket.gethostname(), os.getpid()
        self.name = f"{self._host}:{self._pid}"[:130]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, and take the row away: who stops in order is not lost."""
        self._stop.set()
        self._thread.join(5)
        try:
            self._context.ledger.workers.deregister(self.name)
        except SQLAlchemyError as error:
            log.warning("worker not dismissed", extra={"cause": type(error).__name__})

    def _keep_beating(self) -> None:
        known = False
        while not self._stop.is_set():
            try:
                known = (known and self._context.ledger.workers.heartbeat(self.name)) or self._greet()
            except SQLAlchemyError as error:
                log.warning("no sign of life written", extra={"cause": type(error).__name__})
            self._stop.wait(self._beat_s)

    def _greet(self) -> bool:
        analyser = self._context.analyser
        models = (analyser.labeler.identity, analyser.cancer.identity)
        self._context.ledger.workers.register(self.name, self._host, self._pid, analyser.cancer.provider, models)
        return True
