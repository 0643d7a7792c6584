"""Small values to enter into a ledger, and a clock to turn by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from service.domain.findings import Conclusion, ImageFinding, InstanceHeader, InstanceState, TriageFlag
from service.store.ledger import Ledger


class Clock:
    """Does not move until a test advances it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def header(sop_instance_uid: str, study_instance_uid: str = "1.2.3") -> InstanceHeader:
    return InstanceHeader(
        sop_instance_uid=sop_instance_uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
        study_instance_uid=study_instance_uid,
        series_instance_uid=f"{study_instance_uid}.7",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )


def analysed(sop_instance_uid: str, score: float = 0.5) -> ImageFinding:
    return ImageFinding(sop_instance_uid=sop_instance_uid, state=InstanceState.ANALYSED, cancer_score=score, seconds=0.1)


def record(ledger: Ledger, conclusion: Conclusion, *plans: Callable[..., Any]) -> Conclusion | None:
    """Enter a conclusion on everything that the study has now."""
    return ledger.record_conclusion(conclusion, ledger.instances.of_study(conclusion.study_instance_uid), *plans)


def conclusion_of(
    ledger: Ledger, study_instance_uid: str, score: float | None = None, flag: TriageFlag = TriageFlag.NOT_SCORED, complete: bool = True
) -> Conclusion:
    """A conclusion on all that has ended in the study so far."""
    images = tuple(row.finding for row in ledger.instances.of_study(study_instance_uid) if row.finding)
    return Conclusion(
        study_instance_uid=study_instance_uid,
        version=0,
        fingerprint=hashlib.sha256(f"{score} {flag} {sorted(image.sop_instance_uid for image in images)}".encode()).hexdigest(),
        concluded_at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
        complete=complete,
        images=images,
        score=score,
        flag=flag,
    )
