"""What the ledger answers: frozen rows, detached from any database session. All times are UTC and carry their zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from service.domain.findings import Conclusion, DeliveryState, Header, ImageFinding, InstanceState, ObjectKind, Priority, TriageFlag


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


@dataclass(frozen=True)
class InstanceRow:
    sop_instance_uid: str
    study_instance_uid: str
    header: Header
    sha256: str
    """Of the dataset, without preamble and file meta."""
    path: Path
    """Relative to the data folder: `InstanceStore.path` makes it absolute."""
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
    study_uid: str
    state: StudyState
    priority: Priority
    first_received_at: datetime
    last_received_at: datetime
    instance_count: int
    finished_count: int
    version: int
    """Of the current conclusion; 0 before the first."""
    flag: TriageFlag
    score: float | None
    density: str
    conclusion: Conclusion | None
    delivery_state: DeliveryState | None
    """The worst state among the current version's deliveries; None where nothing is to be delivered."""


@dataclass(frozen=True)
class PlannedDelivery:
    """An object that a conclusion owes a destination. The pair of object and destination is unique in the ledger."""

    kind: ObjectKind
    source_sop_uid: str | None
    """The image it speaks of; None for the report."""
    destination: str
    object_uid: str


@dataclass(frozen=True)
class DeliveryRow:
    id: int
    study_uid: str
    version: int
    kind: ObjectKind
    source_sop_uid: str | None
    destination: str
    object_uid: str
    state: DeliveryState
    tries: int
    error: str | None
    created_at: datetime
    next_try_at: datetime
    finished_at: datetime | None
