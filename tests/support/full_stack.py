"""The whole stack with a real Orthanc at both ends, driven as a PACS and a client would drive it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydicom.uid import MammographyCADSRStorage, generate_uid

from service.demo.run import DemoSettings, open_client
from service.settings import Settings
from service.stack import Stack
from service.storage_scu import Peer, Sent, send_files
from tests.support.eventually import eventually
from tests.support.orthanc import Orthanc, running
from tests.support.ports import free_port

START_S = 600.0
TIMEOUT_S = 600.0
"""Only guards: on a busy machine everything is slow."""
TERMINAL = {"verified", "mismatch", "rejected", "failed", "unsupported"}


@dataclass
class FullStack:
    """A PACS and our stack, wired both ways."""

    orthanc: Orthanc
    stack: Stack
    api: httpx.Client

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    def send(self, paths: list[Path]) -> list[Sent]:
        """C-STORE files to us, as a modality would."""
        return list(send_files(paths, Peer("127.0.0.1", self.settings.dicom_port, self.settings.ae_title)))

    def study(self, uid: str) -> dict[str, Any]:
        answer = self.api.get(f"/api/v1/studies/{uid}")
        return answer.json() if answer.status_code == httpx.codes.OK else {}

    def wait(self, what: str, condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """The condition's first true value."""
        return eventually(condition, timeout_s, what, every_s=0.1)

    def wait_delivered(self, uid: str, version: int = 1) -> dict[str, Any]:
        """The study once this version has been concluded and all that it owes has ended."""

        def ended() -> dict[str, Any] | None:
            study = self.study(uid)
            done = (
                study and study["version"] >= version and study["deliveries"] and all(d["state"] in TERMINAL for d in study["deliveries"])
            )
            return study if done else None

        answer: dict[str, Any] = self.wait(f"delivery of version {version}", ended)
        return answer

    def archived_ids(self, uid: str) -> list[str]:
        """Orthanc's own ids of every instance that it holds of a study."""
        found = httpx.post(f"{self.orthanc.url}/tools/lookup", content=uid, timeout=TIMEOUT_S).json()
        identifiers = [match["ID"] for match in found if match["Type"] == "Study"]
        instances = [
            each["ID"]
            for study in identifiers
            for each in httpx.get(f"{self.orthanc.url}/studies/{study}/instances", timeout=TIMEOUT_S).json()
        ]
        return [str(instance) for instance in instances]

    def route(self, paths: list[Path]) -> None:
        """Put images into Orthanc and let it C-STORE them to us."""
        self.orthanc.send_to("mammotriage", [self.orthanc.upload(path.read_bytes()) for path in paths])

    def kinds(self, uid: str) -> dict[str, list[str]]:
        """Orthanc's ids of what it holds of a study: originals, reports of both kinds, heatmaps, corrected images."""
        found: dict[str, list[str]] = {"original": [], "CAD": [], "SR": [], "heatmap": [], "corrected": []}
        for identifier in self.archived_ids(uid):
            tags = self.orthanc.tags(identifier)
            if tags["SOPClassUID"] == MammographyCADSRStorage:
                found["CAD"].append(identifier)
            elif tags["Modality"] == "SR":
                found["SR"].append(identifier)
            elif "OriginalAttributesSequence" in tags:
                found["corrected"].append(identifier)
            elif tags["SOPInstanceUID"].startswith("2.25."):
                found["heatmap"].append(identifier)
            else:
                found["original"].append(identifier)
        return found

    def fetch(self, uid: str, kind: str) -> list[pydicom.Dataset]:
        """What Orthanc holds of one kind, whole."""
        return [pydicom.dcmread(BytesIO(self.orthanc.file(identifier))) for identifier in self.kinds(uid)[kind]]

    def counts(self, uid: str) -> dict[str, int]:
        return {kind: len(held) for kind, held in self.kinds(uid).items()}


@contextmanager
def open_full_stack(folder: Path, destination: dict[str, Any] | None = None, **changed: Any) -> Iterator[FullStack]:
    """Start Orthanc and the stack; stop both.

    Parameters
    ----------
    destination
        How results go to Orthanc, where that is not as usual.
    changed
        Settings that are not as usual.
    """
    dicom_port = free_port()
    with running(Orthanc(folder / "orthanc", peers={"mammotriage": ("MAMMOTRIAGE", "127.0.0.1", dicom_port)})) as orthanc:
        wanted: dict[str, Any] = {
            "data_dir": folder / "data", "dicom_port": dicom_port, "http_port": free_port(), "analyse_film": True,
            "study_idle_seconds": 30.0,
            "sweep_seconds": 1.0, "delivery_backoff_seconds": 1.0, "disk_free_min_bytes": 0, "worker_nice": 0,
            "destinations": (orthanc.destination(**(destination or {})),),
        }  # fmt: skip
        settings = DemoSettings(**(wanted | changed))
        with (
            Stack(settings, log_folder=folder / "logs") as stack,
            open_client(settings) as api,
        ):
            stack.wait_until_ready(START_S)
            api.timeout = httpx.Timeout(TIMEOUT_S)
            yield FullStack(orthanc, stack, api)


def renew(paths: list[Path], folder: Path) -> tuple[str, list[Path]]:
    """Copy images as a new study of new UIDs."""
    study, copies = str(generate_uid()), []
    folder.mkdir(parents=True)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PatientID = dataset.PatientName = "P_TEST"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = study, generate_uid(), generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        copies.append(folder / path.name)
        dataset.save_as(copies[-1])
    return study, copies


def labels_of(study: dict[str, Any]) -> Counter[tuple[str, str]]:
    """Laterality and view of each analysed image, from the pixels."""
    return Counter((image["laterality"]["value"], image["view"]["value"]) for image in study["instances"] if image["state"] == "analysed")
