"""A ledger, settings and produced objects: what the tests of delivery have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from service.deliver.outbox import deliver
from service.domain.findings import DeliveryState, ObjectKind
from service.report.corrected_instance import build_corrected
from service.report.secondary_capture import build_heatmap
from service.report.structured_report import build_report
from service.destinations import Destination
from service.settings import Settings
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.rows import DeliveryRow
from tests.integration.answers import analysed, as_received, concluded, correction, full_field
from tests.integration.ledger_values import header

LEASE_S = 60.0


class Desk:
    """A ledger and settings, and the way from an object to the end of one delivery try."""

    def __init__(self, url: str) -> None:
        migrate(url)
        self.ledger = Ledger(url)
        self.settings = Settings(delivery_backoff_seconds=0.1, delivery_tries=3)

    def plan(self, dataset: Dataset, kind: ObjectKind = ObjectKind.REPORT) -> int:
        study_uid = str(dataset.StudyInstanceUID)
        self.ledger.add_instance(header("1.2.3.4", study_uid), "0" * 64, Path("x"), 1, "TEST")
        self.ledger.plan_delivery(study_uid, 1, kind, None, "pacs", str(dataset.SOPInstanceUID))
        return self.ledger.deliveries()[-1].id

    def attempt(self, delivery_id: int, dataset: Dataset, destination: Destination) -> DeliveryState:
        claimed = self.ledger.claim_delivery(delivery_id, LEASE_S)
        assert claimed is not None
        return deliver(claimed, dataset, destination, self.ledger, self.settings)

    def row(self, delivery_id: int) -> DeliveryRow:
        row = self.ledger.delivery(delivery_id)
        assert row is not None
        return row


def produced(folder: Path, source: Dataset | None = None) -> dict[ObjectKind, Dataset]:
    """A report, a heatmap and a corrected instance of one image."""
    source = source or as_received(full_field("R", "MLO", labelled=False), folder)
    finding = analysed(source.SOPInstanceUID, "R", "MLO")
    change = correction(source.SOPInstanceUID, ("UNKNOWN", "UNKNOWN"), ("R", "MLO"))
    conclusion = concluded(source.StudyInstanceUID, [finding], [change], complete=False)
    return {
        ObjectKind.REPORT: build_report(conclusion, [source]),
        ObjectKind.HEATMAP: build_heatmap(conclusion, finding, source, np.zeros((200, 150, 3), np.uint8)),
        ObjectKind.CORRECTED: build_corrected(conclusion, change, finding, source),
    }


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
