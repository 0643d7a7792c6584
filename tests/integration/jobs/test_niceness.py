"""Workers give way: proved on a process of its own, since a priority that was lowered stays low."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service.jobs.niceness import AUTOGROUP

SLEEPER = "import sys; from service.jobs.niceness import lower_priority; lower_priority(int(sys.argv[1])); " + (
    "print('ready', flush=True); sys.stdin.read()"
)


@pytest.mark.parametrize("niceness", [0, 7])
def test_a_worker_and_its_session_get_the_configured_niceness(niceness: int) -> None:
    before = psutil.Process().nice()
    child = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(niceness)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert psutil.Process(child.pid).nice() == min(19, before + niceness)
        if AUTOGROUP.exists():
            group = Path("/proc") / str(child.pid) / "autogroup"
            assert group.read_text().split()[-1] == str(niceness)
    finally:
        child.communicate("")
