"""Studies as the ledger returns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.domain.findings import (
    Agreement,
    Conclusion,
    Priority,
    TriageFlag,
)
from service.domain.patient import Patient
from service.domain.patients.identity import HoldKind


class StudyState(StrEnum):
    """RECEIVING has no conclusion yet; PARTIAL has one without a full view set."""

    RECEIVING = "receiving"
    CONCLUDED = "concluded"
    PARTIAL = "partial"


class StudyDelivery(StrEnum):
    """How far a study's deliveries are together; PARTIAL: some are verified, others ended without proof."""

    PENDING = "pending"
    SENT = "sent"
    VERIFIED = "verified"
    PARTIAL = "partial"
    MISMATCH = "mismatch"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True)
class StudyRow:
    study_instance_uid: str
    state: StudyState
    priority: Priority
    first_received_at: datetime
    last_received_at: datetime
    updated_at: datetime
    """Last time an image was received, ended or was reopened."""
    needs_conclusion: bool
    """Something changed since the current conclusion was drawn."""
    instance_count: int
    finished_count: int
    version: int
    """Of the current conclusion; 0 before the first."""
    flag: TriageFlag
    score: float | None
    density: str
    patient: Patient
    study_date: str
    """YYYYMMDD, from the header like the next four; empty where the header has none."""
    accession_number: str
    institution: str
    station_name: str
    manufacturer: str
    agreement: Agreement | None
    """How headers agree with pixels, of the worst image; None before the first conclusion."""
    scores: dict[str, float | None]
    """By breast, ``R`` and ``L``."""
    densities: dict[str, str]
    concluded_at: datetime | None
    conclusion: Conclusion | None
    """None in lists."""
    delivery_state: StudyDelivery | None
    """Of the deliveries of the current conclusion; None where there are none."""
    held: bool
    """The study waits for a named person: `hold_kind` says why, and what waits."""
    hold_kind: HoldKind | None = None
    hold_reason: str = ""


@dataclass(frozen=True)
class StudyFilter:
    """Which studies a worklist shows; an attribute that is None or empty does not narrow it."""

    state: StudyState | None = None
    flag: TriageFlag | None = None
    agreement: Agreement | None = None
    density: str = ""
    station_name: str = ""
    priority: Priority | None = None
    held: bool | None = None
    since: datetime | None = None
    """First image received at or after."""
    until: datetime | None = None
    """First image received before."""
    study_date: str = ""
    """YYYYMMDD."""
    patient_key: str = ""
    study_instance_uids: tuple[str, ...] = ()
    text: str = ""
    """Part of the patient's ID or name, of the accession number, or of the study UID."""
