"""Shared by every command: output, exit status, signals."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

WIDTH_WITHOUT_TERMINAL = 140
out = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
err = Console(stderr=True)

EXIT_BAD_FILE, EXIT_CANNOT_RUN = 1, 2

Item = TypeVar("Item")


def wait_for_signal() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set, so that a process finishes its current work before it stops."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def with_progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Iterate with a progress bar on standard error, if that is a terminal."""
    if not err.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        yield from progress.track(items, total=total, description=what)
