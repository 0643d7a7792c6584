"""The API on a real socket, over a real ledger and store; a worker's answers are entered by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import uvicorn
from pydicom import Dataset

from service.api.app import create_app
from service.bootstrap import free_port
from service.domain.findings import Conclusion, ImageFinding, Priority
from service.settings import Settings
from service.store.instances import InstanceStore
from service.store.ledger import Ledger, migrate
from tests.integration.answers import analysed, concluded

FOUR_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


@dataclass
class Served:
    """A client of the API, and what lies behind it."""

    client: httpx.Client
    ledger: Ledger
    store: InstanceStore
    settings: Settings
    published: list[str] = field(default_factory=list)
    broken: dict[str, str | None] = field(default_factory=dict)

    def post(self, *images: Dataset | bytes, prefer: str | None = None) -> httpx.Response:
        files = [("files", (f"{number}.dcm", as_bytes(image), "application/dicom")) for number, image in enumerate(images)]
        return self.client.post("/api/v1/studies", files=files, headers={"Prefer": prefer} if prefer else {})

    def answer(self, image: Dataset, side: str, view: str, score: float = 0.2) -> ImageFinding:
        """Enter what a worker would."""
        finding = analysed(str(image.SOPInstanceUID), side, view, score)
        self.ledger.record_finding(finding)
        return finding

    def conclude(self, study_uid: str) -> Conclusion:
        findings = [row.finding for row in self.ledger.instances_of(study_uid) if row.finding]
        conclusion = self.ledger.record_conclusion(concluded(study_uid, findings, version=0))
        assert conclusion is not None
        return conclusion


def as_bytes(image: Dataset | bytes) -> bytes:
    if isinstance(image, bytes):
        return image
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def serve_api(folder: Path, **changed: object) -> Iterator[Served]:
    settings = Settings(**{"data_dir": folder, "disk_free_min_bytes": 0, "http_port": free_port(), **changed})  # type: ignore[arg-type]
    migrate(settings.ledger_url)
    ledger, store = Ledger(settings.ledger_url), InstanceStore(folder)
    published: list[str] = []
    broken: dict[str, str | None] = {"ledger": None, "broker": None, "listener": None}

    def publish(sop_uid: str, _: Priority) -> None:
        published.append(sop_uid)

    app = create_app(settings, ledger, store, publish, lambda: broken)
    server = uvicorn.Server(uvicorn.Config(app, port=settings.http_port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=settings.public_api_url, timeout=20, trust_env=False) as client:
            yield Served(client, ledger, store, settings, published, broken)
    finally:
        server.should_exit = True
        thread.join()
        ledger.close()
