"""Real peers of dcmtk: storescp, which only receives, and dcmqrscp, a small archive. A machine without them skips."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.destinations import Destination
from tests.support.ports import free_port

START_TIMEOUT_S = 20.0


@contextmanager
def run_storescp(folder: Path, *options: str | Path) -> Iterator[Destination]:
    """A storescp that writes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with _run("storescp", folder, "--output-directory", folder, *options, str(port)):
        _await(port)
        yield Destination(name="pacs", ae_title="STORESCP", host="127.0.0.1", port=port)


@contextmanager
def run_dcmqrscp(folder: Path, ours: tuple[str, int], *options: str) -> Iterator[Destination]:
    """A dcmqrscp that knows our AE title and the port of our listener."""
    storage = folder / "storage"
    storage.mkdir(parents=True)
    port = free_port()
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"""NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
ours = ({ours[0]}, localhost, {ours[1]})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
DCMQRSCP {storage} RW (200, 1024mb) ANY
AETable END
"""
    )
    with _run("dcmqrscp", folder, "--config", configuration, *options):
        _await(port)
        yield Destination(name="pacs", ae_title="DCMQRSCP", host="127.0.0.1", port=port)


@contextmanager
def _run(program: str, folder: Path, *arguments: str | Path) -> Iterator[None]:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package dcmtk)")
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([found, *arguments], stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _listens(port):
        if time.monotonic() > deadline:
            raise RuntimeError("the peer did not start")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
