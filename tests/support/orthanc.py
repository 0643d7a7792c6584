"""A real Orthanc of one's own: generated configuration, free ports, a folder that goes away. A machine without Orthanc skips."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.destinations import Destination
from tests.support.eventually import eventually
from tests.support.ports import free_port

TIMEOUT_S = 120.0
"""Only a guard: a busy machine may be slow."""


DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ALLOWED = {"AllowEcho": True, "AllowFind": True, "AllowGet": True, "AllowStore": True, "AllowMove": True}


class Orthanc:
    """One Orthanc on loopback, which keeps its data and its ports between `stop` and the next `start`.

    Parameters
    ----------
    folder
        For configuration, storage and log.
    overwrite
        What it does with another object under a known SOP Instance UID; Orthanc's own default keeps the old one.
    peers
        Modalities it knows: name to (AE title, host, port). Those may store, find and get.
    options
        Further configuration, over all else.
    """

    ae_title = "ORTHANC"

    def __init__(
        self,
        folder: Path,
        overwrite: bool = False,
        peers: dict[str, tuple[str, str, int]] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.dicom_port, self.http_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        known = {"mammotriage": ("MAMMOTRIAGE", "127.0.0.1", 11112), **(peers or {})}
        self.configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [],
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": overwrite,
            "DicomScuTimeout": int(TIMEOUT_S),
            "DicomScpTimeout": int(TIMEOUT_S),
            "DicomModalities": {name: {"AET": ae, "Host": host, "Port": port, **ALLOWED} for name, (ae, host, port) in known.items()},
            **(options or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it answers."""
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            pytest.skip("Orthanc is not installed (Debian package orthanc)")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self.configuration))
        log = self.folder / "orthanc.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen([program, str(configuration)], stdout=output, stderr=subprocess.STDOUT)
        process = self._process
        eventually(lambda: self._answers() or process.poll() is not None, what="Orthanc starts")
        if process.poll() is not None:
            raise RuntimeError(f"Orthanc did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def stop(self, at_once: bool = False) -> None:
        """Stop it; safe to call twice. An orderly end takes Orthanc seconds, `at_once` kills."""
        if self._process is None:
            return
        if at_once:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def destination(self, **fields: Any) -> Destination:
        """How our settings name it. It is asked for storage commitment only where a test listens for the answer."""
        usual = {"name": "pacs", "ae_title": self.ae_title, "host": "127.0.0.1", "port": self.dicom_port, "commitment": False}
        return Destination(**{**usual, **fields})

    def upload(self, content: bytes) -> str:
        """Put an instance in; returns Orthanc's own id."""
        answer = httpx.post(f"{self.url}/instances", content=content, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def send_to(self, peer: str, resources: list[str]) -> None:
        """Let it C-STORE resources (its own ids) to one of its peers."""
        httpx.post(f"{self.url}/modalities/{peer}/store", json={"Resources": resources}, timeout=TIMEOUT_S).raise_for_status()

    def empty(self) -> None:
        """Delete all that it holds, and its log of changes."""
        for patient in self.ids("patients"):
            httpx.delete(f"{self.url}/patients/{patient}", timeout=TIMEOUT_S).raise_for_status()
        httpx.delete(f"{self.url}/changes", timeout=TIMEOUT_S).raise_for_status()

    def set_peer(self, name: str, ae_title: str, port: int) -> None:
        """Add or replace a modality on this machine that it knows."""
        known = {"AET": ae_title, "Host": "127.0.0.1", "Port": port, **ALLOWED}
        httpx.put(f"{self.url}/modalities/{name}", json=known, timeout=TIMEOUT_S).raise_for_status()

    def ids(self, level: str = "instances") -> list[str]:
        """Its own ids of all it holds: instances, series, studies or patients."""
        return [str(each) for each in httpx.get(f"{self.url}/{level}", timeout=TIMEOUT_S).json()]

    def tags(self, level_id: str) -> dict[str, Any]:
        """All tags of an instance, by name."""
        found: dict[str, Any] = httpx.get(f"{self.url}/instances/{level_id}/simplified-tags", timeout=TIMEOUT_S).json()
        return found

    def instance(self, sop_instance_uid: str) -> dict[str, Any] | None:
        """Tags of the instance with a UID; None where it holds none. Fails where it holds several."""
        answer = httpx.post(f"{self.url}/tools/lookup", content=sop_instance_uid, timeout=TIMEOUT_S).json()
        found = [match["ID"] for match in answer if match["Type"] == "Instance"]
        assert len(found) <= 1
        return self.tags(found[0]) if found else None

    def changes(self) -> list[dict[str, Any]]:
        """Its log of what came in, oldest first."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/changes?limit=10000", timeout=TIMEOUT_S).json()["Changes"]
        return found

    def file(self, level_id: str) -> bytes:
        """An instance as the archive holds it."""
        return httpx.get(f"{self.url}/instances/{level_id}/file", timeout=TIMEOUT_S).content

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/system", timeout=10).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(archive: Orthanc) -> Iterator[Orthanc]:
    """Start, lend, kill."""
    archive.start()
    try:
        yield archive
    finally:
        archive.stop(at_once=True)
