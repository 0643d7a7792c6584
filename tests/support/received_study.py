"""A study that is received and concluded, and owes its objects to destinations: real store and ledger, hand-made answers, no networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement
from service.jobs.context import Context, open_context
from service.jobs.delivery import deliver_object
from service.jobs.planning import plan_correction, plan_study
from service.receive.accept import ReceiveContext, accept
from service.settings import Settings
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger
from tests.support.databases import prepare_ledger
from tests.support.ports import free_port
from tests.support.sample_findings import analysed, concluded, correction, full_field

FULL_SET = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
LEASE_S = 300.0


class ReceivedStudies:
    """One data folder with its ledger.

    Parameters
    ----------
    folder
        For data and the SQLite ledger; may hold them already.
    settings
        Over defaults that suit a test; `destinations` among them.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        values = {
            "data_dir": folder, "redis_url": f"redis://127.0.0.1:{free_port()}/0", "disk_free_min_bytes": 0,
            "delivery_backoff_seconds": 0.1, "delivery_lease_seconds": LEASE_S, **settings,
        }  # fmt: skip
        self.settings = Settings(**values)
        if not (folder / "ledger.sqlite").exists():
            folder.mkdir(parents=True, exist_ok=True)
            prepare_ledger(self.settings.ledger_url)
        self.context: Context = open_context(self.settings)

    @property
    def ledger(self) -> Ledger:
        return self.context.ledger

    def receive(self, image: Dataset) -> str:
        """Store an image and enter it; returns its UID."""
        with NamedTemporaryFile(dir=self.context.store.spool_dir, suffix=".dcm", delete=False) as spooled:
            image.save_as(spooled, enforce_file_format=True)
        accept(Path(spooled.name), "TEST", ReceiveContext(self.context.store, self.ledger, self.settings, lambda *_: None))
        return str(image.SOPInstanceUID)

    def conclude(self, views: Sequence[tuple[str, str]] = FULL_SET, labelled: bool = False, wrong: bool = False) -> str:
        """A study of images of these sides and views, received and concluded; returns its UID.

        Parameters
        ----------
        labelled
            The headers say what the pixels show; without it their labels are missing.
        wrong
            The first image's header says the other side.
        """
        study_instance_uid, findings, corrections = "", [], []
        for number, (side, view) in enumerate(views):
            image = full_field(side, view, labelled or wrong, study_instance_uid or None)
            study_instance_uid = str(image.StudyInstanceUID)
            if wrong and number == 0:
                image.ImageLaterality = other = "L" if side == "R" else "R"
                uid = str(image.SOPInstanceUID)
                corrections.append(correction(uid, (other, view), (side, view), view=Agreement.AGREE, laterality=Agreement.CONTRADICT))
            elif not labelled and not wrong:
                unknown = (Laterality.UNKNOWN.value, View.UNKNOWN.value)
                corrections.append(correction(str(image.SOPInstanceUID), unknown, (side, view)))
            finding = analysed(self.receive(image), side, view, score=0.2 + number / 10)
            for name in ("heatmap.png", "preview.png"):
                self.context.store.write_result(finding.sop_instance_uid, name, picture())
            self.ledger.instances.count_attempt(finding.sop_instance_uid)
            self.ledger.instances.record_finding(finding)
            findings.append(finding)
        conclusion = concluded(study_instance_uid, findings, corrections, complete=len(views) == len(FULL_SET))
        images = self.ledger.instances.of_study(study_instance_uid)
        destinations = self.context.route(images)
        recorded = self.ledger.record_conclusion(
            conclusion, images, lambda numbered: plan_study(numbered, destinations), lambda row: plan_correction(row, destinations)
        )
        assert recorded is not None
        return study_instance_uid

    def deliver_all(self, only: Collection[int] | None = None, rounds: int = 12) -> list[DeliveryRow]:
        """Do what the workers would, in a world where time passes quickly, until deliveries have ended; returns them.

        Parameters
        ----------
        only
            These deliveries; all of them without it.
        """
        passed = [timedelta()]
        hurried = Ledger(self.settings.ledger_url, lambda: datetime.now(UTC) + passed[0])
        context = Context(self.settings, self.context.store, hurried, self.context.publisher)
        try:
            for _ in range(rounds):
                for row in hurried.deliveries.due():
                    if only is None or row.id in only:
                        deliver_object(context, row.id)
                rows = [row for row in hurried.deliveries.find() if only is None or row.id in only]
                if not any(row.state.is_open for row in rows):
                    break
                passed[0] += timedelta(seconds=LEASE_S + 1)
        finally:
            hurried.close()
        return rows

    def close(self) -> None:
        self.ledger.close()


def picture() -> bytes:
    """A small PNG, as the analysis writes its pictures."""
    done, encoded = cv2.imencode(".png", np.full((200, 150, 3), 90, np.uint8))
    assert done
    return bytes(encoded.tobytes())
