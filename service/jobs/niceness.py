"""CPU priority: workers compute for seconds and run at a lower priority than listener and API, which answer in milliseconds."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""With autogroups, Linux schedules whole sessions against one another (sched(7)). The niceness of a process then counts only within its
session, and each process of the stack is a session of its own."""

log = logging.getLogger(__name__)


def lower_priority(niceness: int) -> None:
    """Lower the priority of this process and of its children to come.

    Parameters
    ----------
    niceness
        0 (default priority) to 19 (lowest). If the system does not permit it, the priority stays as it is.
    """
    if niceness <= 0:
        return
    try:
        os.nice(niceness)
    except OSError as error:
        log.warning("worker did not lower its priority", extra={"error": type(error).__name__})
    with contextlib.suppress(OSError):  # not Linux, or no autogroups
        AUTOGROUP.write_text(str(niceness))
