"""What the ledger answers: frozen rows, detached from any database session. All times are UTC and carry their zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionKind,
    CorrectionState,
    DeliveryState,
    ImageFinding,
    InstanceHeader,
    InstanceState,
    LabelCorrection,
    ObjectKind,
    Priority,
    TriageFlag,
)
from service.domain.patient import Patient
from service.domain.policy import Action


class Accepted(StrEnum):
    """What receiving an instance came to."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """Same UID, same bytes: nothing new."""
    CONFLICT = "conflict"
    """Same UID, other bytes: the first stays in use, the other is kept beside it."""
    OWN = "own"
    """A result of ours that an archive routed back: were it entered, each conclusion would bring about the next one."""


class StudyState(StrEnum):
    """RECEIVING has no conclusion yet; PARTIAL has one without a full view set."""

    RECEIVING = "receiving"
    CONCLUDED = "concluded"
    PARTIAL = "partial"


class StudyDelivery(StrEnum):
    """How far a study's objects have come: the way they all are in, or PARTIAL where some are verified and others ended otherwise."""

    PENDING = "pending"
    SENT = "sent"
    VERIFIED = "verified"
    PARTIAL = "partial"
    MISMATCH = "mismatch"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True)
class InstanceRow:
    sop_instance_uid: str
    study_instance_uid: str
    header: InstanceHeader
    sha256: str
    """Of the dataset, without preamble and file meta."""
    path: Path
    """Relative to the data folder: `FileStore.path` makes it absolute."""
    size: int
    """Bytes of the file."""
    calling_ae: str
    priority: Priority
    state: InstanceState
    finding: ImageFinding | None
    tries: int
    received_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class ConflictRow:
    """Other bytes that came under the UID of a known instance."""

    sop_instance_uid: str
    sha256: str
    path: Path
    size: int
    calling_ae: str
    received_at: datetime


@dataclass(frozen=True)
class StudyRow:
    study_instance_uid: str
    state: StudyState
    priority: Priority
    first_received_at: datetime
    last_received_at: datetime
    updated_at: datetime
    """Last time an image came, ended or was reopened."""
    needs_conclusion: bool
    """Something changed that the current conclusion does not know."""
    instance_count: int
    finished_count: int
    version: int
    """Of the current conclusion; 0 before the first."""
    flag: TriageFlag
    score: float | None
    density: str
    patient: Patient
    study_date: str
    """YYYYMMDD as the header says it, as the next four; empty where it says nothing."""
    accession_number: str
    institution: str
    station_name: str
    manufacturer: str
    agreement: Agreement | None
    """How headers and pixels stand, worst image first; None before the first conclusion."""
    scores: dict[str, float | None]
    """By breast, ``R`` and ``L``."""
    densities: dict[str, str]
    concluded_at: datetime | None
    conclusion: Conclusion | None
    """None in lists."""
    delivery_state: StudyDelivery | None
    """Of what the current conclusion owes to anybody; None where that is nothing."""
    held: bool
    """Both sides are swapped: nothing corrected leaves before a named person releases the study."""


@dataclass(frozen=True)
class StudyFilter:
    """Which studies a worklist shows; what is None or empty does not narrow it."""

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


@dataclass(frozen=True)
class PlannedDelivery:
    """An object that a conclusion owes a destination. The pair of object and destination is unique in the ledger."""

    kind: ObjectKind
    source_sop_instance_uid: str | None
    """The image it speaks of; None for the report."""
    destination: str
    object_uid: str


@dataclass(frozen=True)
class PlannedCorrection:
    """A difference that a conclusion found, and the strongest action that any destination's policy asks for."""

    correction: LabelCorrection
    action: Action


@dataclass(frozen=True)
class Plan:
    """What follows from a conclusion."""

    deliveries: tuple[PlannedDelivery, ...] = ()
    corrections: tuple[PlannedCorrection, ...] = ()
    hold: str = ""
    """Why nothing corrected of this study may leave; empty where nothing stands in the way."""


@dataclass(frozen=True)
class CorrectionRow:
    id: int
    study_instance_uid: str
    sop_instance_uid: str
    version: int
    kind: CorrectionKind
    correction: LabelCorrection
    state: CorrectionState
    decided_by: str | None
    """A person's name, or `POLICY`."""
    decided_at: datetime | None
    decided_reason: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def by_person(self) -> bool:
        return self.decided_by not in (None, POLICY)


POLICY = "policy"
"""Who decided where no person did."""


@dataclass(frozen=True)
class CorrectionStep:
    """One step in the life of a correction."""

    at: datetime
    state: CorrectionState
    actor: str
    reason: str


@dataclass(frozen=True)
class HoldRow:
    study_instance_uid: str
    reason: str
    since: datetime
    released_at: datetime | None
    released_by: str | None
    released_reason: str | None


@dataclass(frozen=True)
class DestinationRow:
    """What the ledger knows of a destination; `open_until` in the future: it is left alone until then."""

    name: str
    failures: int
    open_until: datetime | None
    last_error: str | None
    last_answer_at: datetime | None
    capabilities: dict[str, bool] | None
    asked_at: datetime | None


@dataclass(frozen=True)
class EventRow:
    """Something that happened, for those who want to be told. `id` rises, and never names two events."""

    id: int
    at: datetime
    kind: str
    study_instance_uid: str
    detail: dict[str, object]


@dataclass(frozen=True)
class DeliveryRow:
    id: int
    study_instance_uid: str
    version: int
    kind: ObjectKind
    source_sop_instance_uid: str | None
    destination: str
    object_uid: str
    state: DeliveryState
    tries: int
    error: str | None
    status: int | None
    correction_id: int | None
    """None where it serves no correction."""
    created_at: datetime
    next_try_at: datetime
    finished_at: datetime | None
