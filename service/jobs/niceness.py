"""Work that can wait gives way to what is waited for: workers compute for seconds, listener and API answer in milliseconds."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Linux weighs whole sessions against one another where autogroups are on (sched(7)); there a process's own niceness counts only
within its session, and each part of our stack is one."""

log = logging.getLogger(__name__)


def lower_priority(niceness: int) -> None:
    """Lower the priority of this process and of its children to come.

    Parameters
    ----------
    niceness
        0 (as everybody) to 19 (only what nobody else wants). Where the system does not let us, nothing changes.
    """
    if niceness <= 0:
        return
    try:
        os.nice(niceness)
    except OSError as error:
        log.warning("the priority stays as it is", extra={"error": type(error).__name__})
    with contextlib.suppress(OSError):  # no Linux, or no autogroups
        AUTOGROUP.write_text(str(niceness))
