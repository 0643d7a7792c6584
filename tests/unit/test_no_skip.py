"""Where everything is there, a skipped test is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_SKIP_VARIABLE

ROOT = Path(__file__).resolve().parents[2]

SKIPPING = "import pytest\n\ndef test_passes():\n    pass\n\ndef test_skips():\n    pytest.skip('no peer')\n"
EXPECTED_FAILURE = "import pytest\n\n@pytest.mark.xfail\ndef test_fails():\n    assert False\n"


@pytest.mark.parametrize(
    ("content", "variable", "status"),
    [(SKIPPING, "1", 1), (SKIPPING, "0", 0), (EXPECTED_FAILURE, "1", 0)],
    ids=["a skip fails", "a skip is fine where peers may be missing", "an expected failure is no skip"],
)
def test_the_session_fails_when_something_was_skipped(tmp_path: Path, content: str, variable: str, status: int) -> None:
    (tmp_path / "test_it.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    environment = os.environ | {NO_SKIP_VARIABLE: variable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == status, done.stdout
