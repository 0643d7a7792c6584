"""``kill -9`` at a chosen step of a task, in a process of its own, and the way on of those who come after.

A step is a function of the service that is entered or left, or a piece of data that goes out on a socket. The same task is first run
to its end by a process that only counts its steps; each later run is killed at one of them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from service.settings import Settings

OUR_FOLDER = str(Path(sys.modules["service"].__path__[0]).resolve())
PACKAGES = ("deliver", "jobs", "store")
PATIENCE_S = 600.0

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["tests.support.kill_at_step", "service.jobs.delivery", "service.jobs.corrections", "service.deliver.webhook"])


@dataclass(frozen=True)
class Task:
    """What a process is to do: a function of the service by its name, and what it is given behind the context."""

    name: str
    arguments: tuple[Any, ...] = ()


def count_steps(settings: Settings, task: Task, folder: Path) -> list[str]:
    """Run a task to its end; returns its steps in their order."""
    counted_in = folder / "steps.json"
    status = _run(settings, task, None, counted_in)
    assert status == 0, f"the task ended with status {status}"
    steps: list[str] = json.loads(counted_in.read_text())
    return steps


def kill_at(settings: Settings, task: Task, step: int) -> bool:
    """Run a task, and kill its process with SIGKILL when it comes to a step (counted from 0); False where it ended before that."""
    status = _run(settings, task, step, None)
    assert status in (0, -signal.SIGKILL), f"the task ended with status {status}"
    return status != 0


def choose(count: int, wanted: int) -> list[int]:
    """Some of `count` steps, evenly spread, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return sorted({round(index * (count - 1) / (wanted - 1)) for index in range(wanted)})


def _run(settings: Settings, task: Task, fatal: int | None, counted_in: Path | None) -> int | None:
    process = _fork.Process(target=_work, args=(settings.model_dump(mode="json"), task, fatal, counted_in))
    process.start()
    process.join(PATIENCE_S)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"{task.name} did not end in {PATIENCE_S:.0f} s")
    return process.exitcode


def _work(values: dict[str, Any], task: Task, fatal: int | None, counted_in: Path | None) -> None:

    from service.jobs.context import open_context

    context = open_context(Settings.model_validate(values))
    steps = _Steps(fatal)
    steps.watch()
    _TASKS[task.name](context, *task.arguments)
    sys.setprofile(None)
    if counted_in:
        counted_in.write_text(json.dumps(steps.seen))


def _deliver(context: Any, delivery_id: int) -> None:
    from service.jobs.delivery import deliver_object

    deliver_object(context, delivery_id)


def _approve(context: Any, correction_id: int) -> None:
    from service.jobs.corrections import approve_correction

    approve_correction(context, correction_id, "Dr. Test", "seen in the picture")


def _undo(context: Any, correction_id: int) -> None:
    from service.jobs.corrections import undo_correction

    undo_correction(context, correction_id, "Dr. Test", "the label was right")


def _deliver_events(context: Any) -> None:
    from service.deliver.webhook import deliver_events

    deliver_events(context.settings.webhooks[0], context.ledger)


_TASKS: dict[str, Callable[..., None]] = {"deliver": _deliver, "approve": _approve, "undo": _undo, "deliver_events": _deliver_events}


class _Steps:
    """Counts the steps of this process, and ends it at the fatal one as a power cut would: no handler, no `finally`."""

    def __init__(self, fatal: int | None) -> None:
        self.fatal = fatal
        self.seen: list[str] = []
        self._main = threading.get_ident()
        self._names: dict[CodeType, str] = {}

    def watch(self) -> None:
        """Functions are watched in the main thread, whose order is always the same; sending is watched wherever it happens."""
        from pynetdicom.transport import AssociationSocket

        send = AssociationSocket.send

        def counted(sock: Any, content: bytes) -> None:
            self._pass("before sending")
            send(sock, content)
            self._pass("after sending")

        setattr(AssociationSocket, "send", counted)  # noqa: B010  # mypy lets no method be assigned
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if event in ("call", "return") and threading.get_ident() == self._main:
            name = self._names.get(frame.f_code)
            if name is None:
                name = self._names[frame.f_code] = _name(frame.f_code)
            if name:
                self._pass(f"{event} {name}")

    def _pass(self, step: str) -> None:
        if self.fatal is not None and len(self.seen) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(step)


def _name(code: CodeType) -> str:
    """Module and name of a function of the rooms that deliver; '' of any other, and of those that only compare or convert values."""
    path = Path(code.co_filename)
    ours = code.co_filename.startswith(OUR_FOLDER) and path.relative_to(OUR_FOLDER).parts[0] in PACKAGES
    return f"{path.stem}.{code.co_qualname}" if ours and path.stem not in ("proof", "tables") and "<" not in code.co_qualname else ""


def describe(steps: Sequence[str], index: int) -> str:
    """A step as a test's message says it."""
    return f"step {index} of {len(steps)}: {steps[index] if index < len(steps) else 'after the end'}"
