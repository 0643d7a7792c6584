"""A ledger, settings and produced objects: what the tests of delivery have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from service.deliver.attempt import deliver
from service.deliver.comparison import reference_of
from service.destinations import Destination
from service.domain.attribute_changes import AttributeChanges
from service.domain.findings import Agreement, DeliveryState, ObjectKind, Peak
from service.report.cad_report import build_cad_report
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import DecidedCorrection, Decision
from service.report.presentation_state import build_marks
from service.report.rejection_note import build_rejection_note
from service.report.secondary_capture import build_heatmap
from service.report.structured_report import build_report
from service.settings import Settings
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger
from tests.support.databases import prepare_ledger
from tests.support.ledger_values import header
from tests.support.sample_findings import CONCLUDED_AT, analysed, as_received, concluded, correction, decided, full_field

LEASE_S = 600.0
UNDO = Decision("B. Reader", "was right as it was", CONCLUDED_AT)


class DeliveryFixture:
    """A ledger and settings, and the steps from an object to the end of one delivery attempt.

    The ledger's clock is the real one plus `ahead`: a test that needs a later attempt puts the clock forward.
    """

    def __init__(self, url: str, data_dir: Path, **settings: Any) -> None:
        prepare_ledger(url)
        self.ahead = timedelta()
        self.ledger = Ledger(url, self.now)
        self.settings = Settings(**{"data_dir": data_dir, "delivery_backoff_seconds": 0.1, "delivery_max_attempts": 3, **settings})

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def skip_pause(self, delivery_id: int) -> None:
        """Put the clock forward until a worker may take the delivery."""
        for seconds in (0, *(2**power for power in range(16))):
            self.ahead += timedelta(seconds=seconds)
            if any(row.id == delivery_id for row in self.ledger.deliveries.due()):
                return
        raise AssertionError(f"delivery {delivery_id} is never due")

    def plan(
        self, payload: Dataset | AttributeChanges, kind: ObjectKind = ObjectKind.REPORT, source_sop_instance_uid: str | None = None
    ) -> int:
        instance = reference_of(payload)
        study_instance_uid, object_uid = instance.study_instance_uid, instance.sop_instance_uid
        self.ledger.instances.add(
            header(f"1.2.3.4.{len(self.ledger.deliveries.find())}", study_instance_uid), "0" * 64, Path("x"), 1, "TEST"
        )
        self.ledger.deliveries.plan(study_instance_uid, 1, kind, source_sop_instance_uid, "pacs", object_uid)
        return self.ledger.deliveries.find()[-1].id

    def attempt(self, delivery_id: int, payload: Dataset | AttributeChanges, destination: Destination) -> DeliveryState:
        """One attempt, as soon as the delivery is due."""
        self.skip_pause(delivery_id)
        claimed = self.ledger.deliveries.claim(delivery_id, LEASE_S)
        assert claimed is not None
        return deliver(claimed, payload, destination, self.ledger, self.settings)

    def finish(self, delivery_id: int, payload: Dataset | AttributeChanges, destination: Destination) -> list[DeliveryState]:
        """Tries until the delivery has ended; their outcomes."""
        states = [self.attempt(delivery_id, payload, destination)]
        while states[-1].is_open:
            states.append(self.attempt(delivery_id, payload, destination))
        assert self.row(delivery_id).state is states[-1]
        return states

    def row(self, delivery_id: int) -> DeliveryRow:
        row = self.ledger.deliveries.get(delivery_id)
        assert row is not None
        return row


def mislabelled(folder: Path) -> tuple[Dataset, DecidedCorrection]:
    """An image as received whose labels are those of the other side, and the decision to correct it."""
    source = as_received(full_field("R", "MLO"), folder)
    source.ImageLaterality = "L"
    source.save_as(folder / f"{source.SOPInstanceUID}.dcm", enforce_file_format=True)
    source = pydicom.dcmread(folder / f"{source.SOPInstanceUID}.dcm")
    change = correction(source.SOPInstanceUID, ("L", "MLO"), ("R", "MLO"), Agreement.AGREE, Agreement.CONTRADICT)
    return source, decided(change, analysed(source.SOPInstanceUID, "R", "MLO"))


def produced(folder: Path, source: Dataset | None = None) -> dict[ObjectKind, Dataset]:
    """One object of each kind, of one image."""
    source = source or as_received(full_field("R", "MLO", labelled=False), folder)
    uid = str(source.SOPInstanceUID)
    finding = analysed(uid, "R", "MLO", score=0.8).model_copy(update={"peak": Peak(row=60, column=50, strength=0.9)})
    difference = correction(uid, ("UNKNOWN", "UNKNOWN"), ("R", "MLO"))
    change = decided(difference, finding)
    conclusion = concluded(source.StudyInstanceUID, [finding], [difference], complete=False)
    return {
        ObjectKind.CAD: build_cad_report(conclusion, [source]),
        ObjectKind.REPORT: build_report(conclusion, [source]),
        ObjectKind.HEATMAP: build_heatmap(conclusion, finding, source, np.zeros((200, 150, 3), np.uint8)),
        ObjectKind.MARKS: build_marks(conclusion, finding, source),
        ObjectKind.CORRECTED: build_corrected(change, source, "new-series"),
        ObjectKind.REVERTED: build_reverted(change, UNDO, source, "new-series"),
        ObjectKind.REJECTION: build_rejection_note(change, source),
    }
