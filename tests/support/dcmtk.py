"""Real peers of dcmtk: storescp, which only receives, and dcmqrscp, a small archive. A machine without them skips."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.destinations import Destination
from tests.support.eventually import eventually
from tests.support.ports import free_port, is_listening


@contextmanager
def run_storescp(folder: Path, *options: str | Path) -> Iterator[Destination]:
    """A storescp that writes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with _run("storescp", folder, "--output-directory", folder, *options, str(port)):
        eventually(lambda: is_listening(port), what="the peer starts")
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
        eventually(lambda: is_listening(port), what="the peer starts")
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
