"""What the API answers of corrections, holds, deliveries and destinations, and what it takes from those who decide."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from service.api.deliveries.schemas import DeliveryOut
from service.api.http.params import SIGNED, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, Name, Why, example
from service.domain.findings import CorrectionKind, CorrectionState, Evidence
from service.domain.patients.identity import HoldKind

_CORRECTION = {
    "id": 17,
    "study_instance_uid": STUDY_INSTANCE_UID,
    "sop_instance_uid": SOP_INSTANCE_UID,
    "version": 1,
    "kind": "contradicts",
    "state": "proposed",
    "declared": {"view": "CC", "laterality": "L"},
    "pixels": {"view": "MLO", "laterality": "L"},
    "proposed": {"view": "MLO", "laterality": "L"},
    "confidence": 0.9987,
    "reason": "header and pixels contradict each other: waits for approval",
    "blocked_reason": "",
    "evidence": [],
    "film": False,
    "decided_by": None,
    "decided_at": None,
    "decided_reason": None,
    "created_at": "2026-11-02T08:14:12Z",
    "updated_at": "2026-11-02T08:14:12Z",
    "links": {"self": "/api/v1/corrections/17", "study": f"/api/v1/studies/{STUDY_INSTANCE_UID}"},
}
_STEP = {"at": "2026-11-02T08:14:12Z", "state": "proposed", "actor": "policy", "reason": "header and pixels contradict each other"}
_HOLD = {
    "study_instance_uid": STUDY_INSTANCE_UID,
    "kind": "sides-swapped",
    "reason": "both sides are swapped",
    "since": "2026-11-02T08:14:12Z",
    "released_at": None,
    "released_by": None,
    "released_reason": None,
}


class Decision(BaseModel):
    """Who decides, and why. Both are kept in the ledger for good."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"actor": "Dr. A. Jones", "reason": "compared with the prior"}]}
    )

    actor: Name | None = Field(None, description=f"name of the person who decides{SIGNED}")
    reason: Why = Field(description="the reason")


class SignedDecision(Decision):
    """A decision at the command line, where no person is signed in."""

    actor: Name = Field(description="name of the person who decides")


class Labels(BaseModel):
    """UNKNOWN where there is no label."""

    view: str
    laterality: str


class CorrectionLinks(BaseModel):
    self: str
    study: str


class CorrectionOut(BaseModel):
    """A difference between header and pixels, and what became of it."""

    model_config = example(_CORRECTION)

    id: int
    study_instance_uid: str
    sop_instance_uid: str
    version: int = Field(description="of the conclusion that saw it last")
    kind: CorrectionKind
    state: CorrectionState
    declared: Labels
    pixels: Labels
    proposed: Labels = Field(description="the labels after the correction")
    confidence: float = Field(description="of the least sure label that would be written")
    reason: str
    blocked_reason: str = Field(description="why it is reported only, even if a person approves it; empty where it can be applied")
    evidence: list[Evidence] = Field(description="independent evidence for and against")
    film: bool
    decided_by: str | None = Field(description="a person's name, or `policy`")
    decided_at: datetime | None
    decided_reason: str | None
    created_at: datetime
    updated_at: datetime
    links: CorrectionLinks


class StepOut(BaseModel):
    """One step in the life of a correction."""

    model_config = example(_STEP)

    at: datetime
    state: CorrectionState
    actor: str
    reason: str


class CorrectionDetail(CorrectionOut):
    """A correction with its life so far."""

    model_config = example({**_CORRECTION, "held": False, "history": [_STEP], "deliveries": []})

    held: bool = Field(description="its study is held: nothing corrected leaves before a person releases it")
    history: list[StepOut]
    deliveries: list[DeliveryOut]


class CorrectionPage(BaseModel):
    model_config = example({"corrections": [_CORRECTION], "next_cursor": None})

    corrections: list[CorrectionOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class ExportedCorrection(CorrectionOut):
    """A correction as it is exported."""

    model_config = example({**_CORRECTION, "history": [_STEP]})

    history: list[StepOut]


class HoldOut(BaseModel):
    """A study that waits for a person."""

    model_config = example(_HOLD)

    study_instance_uid: str
    kind: HoldKind = Field(description="sides-swapped: only corrections wait; any other: nothing leaves, and no score is shown")
    reason: str
    since: datetime
    released_at: datetime | None
    released_by: str | None
    released_reason: str | None


class HoldList(BaseModel):
    model_config = example({"holds": [_HOLD]})

    holds: list[HoldOut]
