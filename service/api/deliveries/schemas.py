"""Schemas of deliveries and destinations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.http.params import SIGNED, STUDY_INSTANCE_UID, Name, example
from service.domain.findings import CorrectionKind, DeliveryState, ObjectKind
from service.domain.policy import Action, CorrectionMode

_DELIVERY = {
    "id": 4,
    "study_instance_uid": STUDY_INSTANCE_UID,
    "kind": "sr",
    "destination": "pacs",
    "object_uid": "2.25.77",
    "source_sop_instance_uid": None,
    "correction": None,
    "state": "verified",
    "tries": 1,
    "error": None,
    "status": None,
    "created_at": "2026-11-02T08:14:12Z",
    "next_try_at": None,
    "finished_at": "2026-11-02T08:14:14Z",
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
    "policy": {
        "missing": "auto",
        "contradicts": "approve",
        "mirrored": "report",
        "sides-swapped": "report",
        "view-unknown": "report",
        "header-contradicts-itself": "report",
    },
    "state": "up",
    "failures": 0,
    "paused_until": None,
    "last_error": None,
    "last_answer_at": "2026-11-02T08:14:14Z",
    "takes": {"1.2.840.10008.5.1.4.1.1.88.50": True},
    "asked_at": "2026-11-02T08:14:14Z",
}


class Retry(BaseModel):
    """The person who asks for another attempt."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"actor": "A. Smith"}]})

    actor: Name | None = Field(None, description=f"name of the person who asks{SIGNED}")


class SignedRetry(Retry):
    """A retry at the command line, where no person is signed in."""

    actor: Name = Field(description="name of the person who asks")


class DeliveryOut(BaseModel):
    """An object on its way to a destination."""

    model_config = example(_DELIVERY)

    id: int
    study_instance_uid: str
    kind: ObjectKind
    destination: str
    object_uid: str
    source_sop_instance_uid: str | None
    correction: int | None = Field(description="number of the correction that it serves")
    state: DeliveryState
    tries: int
    error: str | None
    status: int | None = Field(description="the peer's last answer: a DIMSE or HTTP status")
    created_at: datetime
    next_try_at: datetime | None = Field(description="null once it has ended")
    finished_at: datetime | None


class DeliveryPage(BaseModel):
    model_config = example({"deliveries": [_DELIVERY], "next_cursor": None})

    deliveries: list[DeliveryOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class DestinationOut(BaseModel):
    """A configured peer, without its secrets, and how it is doing."""

    model_config = example(_DESTINATION)

    name: str
    ae_title: str
    host: str
    port: int
    tls: bool
    dicomweb: str | None = Field(description="base address")
    objects: list[ObjectKind]
    mode: CorrectionMode = Field(description="how corrections reach it")
    policy: dict[CorrectionKind, Action]
    state: Literal["unknown", "up", "failing", "circuit-open"]
    failures: int = Field(description="in a row, since its last answer")
    paused_until: datetime | None
    last_error: str | None
    last_answer_at: datetime | None
    takes: dict[str, bool] = Field(description="SOP Class UIDs that it was asked about")
    asked_at: datetime | None


class DestinationList(BaseModel):
    model_config = example({"destinations": [_DESTINATION]})

    destinations: list[DestinationOut]
