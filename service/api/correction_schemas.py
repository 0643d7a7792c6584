"""What the API answers of corrections, holds, deliveries and destinations, and what it takes from those who decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from service.domain.findings import CorrectionKind, CorrectionState, DeliveryState, Evidence, ObjectKind
from service.domain.policy import Action, Mode
from service.store.rows import POLICY

STUDY_UID, SOP_UID = "2.25.201304711", "2.25.338214001"

Id = Annotated[int, Path(ge=1, le=2**31 - 1, description="number in the ledger", examples=[17])]
Cursor = Annotated[str | None, Query(pattern=r"^\d{1,9}$", description="`next_cursor` of the former page")]

_SIGNED = "; left out by a person who is signed in, needed with a key"

_CORRECTION = {
    "id": 17,
    "study_instance_uid": STUDY_UID,
    "sop_instance_uid": SOP_UID,
    "version": 1,
    "kind": "contradicts",
    "state": "proposed",
    "declared": {"view": "CC", "laterality": "L"},
    "pixels": {"view": "MLO", "laterality": "L"},
    "proposed": {"view": "MLO", "laterality": "L"},
    "confidence": 0.9987,
    "reason": "header and pixels contradict each other: waits for approval",
    "obstacle": "",
    "evidence": [],
    "film": False,
    "decided_by": None,
    "decided_at": None,
    "decided_why": None,
    "created_at": "2026-11-02T08:14:12Z",
    "changed_at": "2026-11-02T08:14:12Z",
    "links": {"self": "/api/v1/corrections/17", "study": f"/api/v1/studies/{STUDY_UID}"},
}
_DELIVERY = {
    "id": 4,
    "study_instance_uid": STUDY_UID,
    "kind": "sr",
    "destination": "pacs",
    "object_uid": "2.25.77",
    "source_sop_uid": None,
    "correction": None,
    "state": "verified",
    "tries": 1,
    "error": None,
    "status": None,
    "created_at": "2026-11-02T08:14:12Z",
    "next_try_at": None,
    "finished_at": "2026-11-02T08:14:14Z",
}
_STEP = {"at": "2026-11-02T08:14:12Z", "state": "proposed", "who": "policy", "why": "header and pixels contradict each other"}
_HOLD = {
    "study_instance_uid": STUDY_UID,
    "reason": "both sides are exchanged",
    "since": "2026-11-02T08:14:12Z",
    "released_at": None,
    "released_by": None,
    "released_why": None,
}
_DESTINATION = {
    "name": "pacs",
    "ae_title": "PACS",
    "host": "pacs.hospital.example",
    "port": 104,
    "tls": False,
    "dicomweb": None,
    "objects": ["cad-sr", "sr", "sc"],
    "mode": "new-series",
    "policy": {"missing": "auto", "contradicts": "approve", "mirrored": "report", "exchanged": "report", "view-unknown": "report"},
    "state": "answers",
    "failures": 0,
    "paused_until": None,
    "last_error": None,
    "last_answer_at": "2026-11-02T08:14:14Z",
    "takes": {"1.2.840.10008.5.1.4.1.1.88.50": True},
    "asked_at": "2026-11-02T08:14:14Z",
}


def _example(value: object) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})  # type: ignore[list-item]


def _said(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


def _person(name: str) -> str:
    if name.casefold() == POLICY:
        raise ValueError("must be the name of a person")
    return name


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=64), AfterValidator(_said), AfterValidator(_person)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=1000), AfterValidator(_said)]


class Decision(BaseModel):
    """Who decides, and why. Both are kept in the ledger for good."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"who": "Dr. A. Jones", "why": "compared with the prior"}]})

    who: Name | None = Field(None, description=f"name of the person who decides{_SIGNED}")
    why: Why = Field(description="the reason")


class SignedDecision(Decision):
    """A decision from where nobody is signed in: the command line."""

    who: Name = Field(description="name of the person who decides")


class Retry(BaseModel):
    """Who wants another try."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"who": "A. Smith"}]})

    who: Name | None = Field(None, description=f"name of the person who asks{_SIGNED}")


class SignedRetry(Retry):
    """A retry from where nobody is signed in."""

    who: Name = Field(description="name of the person who asks")


class Labels(BaseModel):
    """UNKNOWN where nothing is said."""

    view: str
    laterality: str


class CorrectionLinks(BaseModel):
    self: str
    study: str


class CorrectionOut(BaseModel):
    """A difference between header and pixels, and what became of it."""

    model_config = _example(_CORRECTION)

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
    obstacle: str = Field(description="why it is reported only, whoever approves it; empty where nothing stands in the way")
    evidence: list[Evidence] = Field(description="witnesses for and against")
    film: bool
    decided_by: str | None = Field(description="a person's name, or `policy`")
    decided_at: datetime | None
    decided_why: str | None
    created_at: datetime
    changed_at: datetime
    links: CorrectionLinks


class StepOut(BaseModel):
    """One step in the life of a correction."""

    model_config = _example(_STEP)

    at: datetime
    state: CorrectionState
    who: str
    why: str


class DeliveryOut(BaseModel):
    """An object on its way to a destination."""

    model_config = _example(_DELIVERY)

    id: int
    study_instance_uid: str
    kind: ObjectKind
    destination: str
    object_uid: str
    source_sop_uid: str | None
    correction: int | None = Field(description="number of the correction that it serves")
    state: DeliveryState
    tries: int
    error: str | None
    status: int | None = Field(description="the peer's last answer: a DIMSE or HTTP status")
    created_at: datetime
    next_try_at: datetime | None = Field(description="null once it has ended")
    finished_at: datetime | None


class CorrectionDetail(CorrectionOut):
    """A correction with its life so far."""

    model_config = _example({**_CORRECTION, "held": False, "history": [_STEP], "deliveries": []})

    held: bool = Field(description="its study is held: nothing corrected leaves before a person releases it")
    history: list[StepOut]
    deliveries: list[DeliveryOut]


class CorrectionPage(BaseModel):
    model_config = _example({"corrections": [_CORRECTION], "next_cursor": None})

    corrections: list[CorrectionOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class ExportedCorrection(CorrectionOut):
    """A correction as it is exported."""

    model_config = _example({**_CORRECTION, "history": [_STEP]})

    history: list[StepOut]


class HoldOut(BaseModel):
    """A study that nothing corrected may leave."""

    model_config = _example(_HOLD)

    study_instance_uid: str
    reason: str
    since: datetime
    released_at: datetime | None
    released_by: str | None
    released_why: str | None


class HoldList(BaseModel):
    model_config = _example({"holds": [_HOLD]})

    holds: list[HoldOut]


class DeliveryPage(BaseModel):
    model_config = _example({"deliveries": [_DELIVERY], "next_cursor": None})

    deliveries: list[DeliveryOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class DestinationOut(BaseModel):
    """A configured peer, without its secrets, and how it is doing."""

    model_config = _example(_DESTINATION)

    name: str
    ae_title: str
    host: str
    port: int
    tls: bool
    dicomweb: str | None = Field(description="base address")
    objects: list[ObjectKind]
    mode: Mode = Field(description="how corrections reach it")
    policy: dict[CorrectionKind, Action]
    state: Literal["untried", "answers", "fails", "paused"]
    failures: int = Field(description="in a row, since its last answer")
    paused_until: datetime | None
    last_error: str | None
    last_answer_at: datetime | None
    takes: dict[str, bool] = Field(description="SOP Class UIDs that it was asked about")
    asked_at: datetime | None


class DestinationList(BaseModel):
    model_config = _example({"destinations": [_DESTINATION]})

    destinations: list[DestinationOut]
