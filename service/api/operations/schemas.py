"""What the API answers to those who keep the service running: one overview, images without labels, conflicts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID, example
from service.domain.findings import InstanceState, ModelIdentity, Reason

_MODEL = {"name": "mammotriage-labeler", "version": "1.0.0", "sha256": "9f2c…", "task": "labeler", "calibration": "none"}
_WORKER = {
    "name": "reader-1:117",
    "host": "reader-1",
    "pid": 117,
    "provider": "OpenVINOExecutionProvider",
    "models": [_MODEL],
    "started_at": "2026-11-02T06:00:00Z",
    "seen_at": "2026-11-02T08:14:12Z",
    "alive": True,
}
_DESTINATION = {
    "name": "pacs",
    "configured": True,
    "state": "failing",
    "failures": 2,
    "paused_until": None,
    "last_error": "connection refused",
    "last_answer_at": "2026-11-02T08:01:00Z",
    "deliveries": {"pending": 2, "verified": 1604, "failed": 1},
    "stuck": 2,
    "oldest_seconds": 790.0,
}
_WEBHOOK = {"name": "ris", "events_behind": 0, "seconds_behind": 0.0, "failures": 0, "last_error": None}
_IMAGE = {
    "sop_instance_uid": SOP_INSTANCE_UID,
    "study_instance_uid": STUDY_INSTANCE_UID,
    "state": "failed",
    "reason": {"code": "unparsable", "text": "the instance cannot be read (ValueError)"},
    "station_name": "MAMMO2",
    "manufacturer": "Phantom works",
    "calling_ae": "MODALITY2",
    "tries": 1,
    "received_at": "2026-11-02T08:14:03Z",
    "tried_at": "2026-11-02T08:14:05Z",
}
_CONFLICT = {
    "id": 3,
    "sop_instance_uid": SOP_INSTANCE_UID,
    "study_instance_uid": STUDY_INSTANCE_UID,
    "calling_ae": "MODALITY2",
    "size": 27262976,
    "received_at": "2026-11-02T08:14:03Z",
}
_OVERVIEW = {
    "at": "2026-11-02T08:14:12Z",
    "since": "2026-11-01T08:00:00Z",
    "step_seconds": 900,
    "readiness": {"ledger": "ok", "broker": "ok", "listener": "ok"},
    "workers": [_WORKER],
    "queues": {"urgent": 0, "routine": 12, "background": 0},
    "images": {"received": 12, "analysed": 1604, "skipped": 31, "failed": 1},
    "studies": {"receiving": 3, "concluded": 390, "partial": 11},
    "corrections": {"proposed": 4, "verified": 97},
    "oldest_waiting_seconds": 8.4,
    "held_studies": 1,
    "conflicts": 1,
    "reasons": [{"state": "failed", "code": "unparsable", "images": 1}],
    "destinations": [_DESTINATION],
    "webhooks": [_WEBHOOK],
    "disk": {"free_bytes": 512000000000, "total_bytes": 1000000000000, "refuses_below_bytes": 1073741824},
    "models": [{**_MODEL, "workers": 1}],
    "night": {"finished_at": "2026-11-02T03:04:10Z", "complete": True, "studies": 404, "missing": 0, "changed": 0, "unverified": 0},
    "throughput": {"received": [["2026-11-01T08:00:00Z", 16]], "analysed": [["2026-11-01T08:00:00Z", 14]]},
    "samples": {"queued.routine": [["2026-11-01T08:00:00Z", 2.0]], "disk-free-bytes": [["2026-11-01T08:00:00Z", 512000000000.0]]},
}


class WorkerOut(BaseModel):
    """A process that analyses, concludes and delivers."""

    model_config = example(_WORKER)

    name: str
    host: str
    pid: int
    provider: str = Field(description="ONNX Runtime provider that its networks really run on")
    models: list[ModelIdentity]
    started_at: datetime
    seen_at: datetime = Field(description="its last sign of life")
    alive: bool = Field(description="false: it gave no sign of life for 35 seconds; shown for a day")


class ModelInUse(ModelIdentity):
    """A network that workers have loaded."""

    workers: int


class DestinationCondition(BaseModel):
    """How a destination is doing, and what is owed to it."""

    model_config = example(_DESTINATION)

    name: str
    configured: bool = Field(description="false: deliveries are left of one that was removed from the settings")
    state: Literal["unknown", "up", "failing", "circuit-open"]
    failures: int = Field(description="in a row, since its last answer")
    paused_until: datetime | None = Field(description="it is left alone until then")
    last_error: str | None
    last_answer_at: datetime | None
    deliveries: dict[str, int] = Field(description="by state")
    stuck: int = Field(description="on their way for more than ten minutes")
    oldest_seconds: float = Field(description="age of the oldest that is on its way; 0 where none is")


class WebhookCondition(BaseModel):
    """How far the receiver of a webhook is behind."""

    model_config = example(_WEBHOOK)

    name: str
    events_behind: int
    seconds_behind: float
    failures: int = Field(description="tries in a row that it did not take")
    last_error: str | None


class Disk(BaseModel):
    """Of the data folder."""

    free_bytes: int
    total_bytes: int
    refuses_below_bytes: int = Field(description="with less free space nothing is received")


class ReasonCount(BaseModel):
    """How many images have no labels for one reason."""

    state: InstanceState
    code: str
    images: int


class LastReconciliation(BaseModel):
    """The last nightly comparison of everything with its destinations."""

    finished_at: datetime | None
    complete: bool
    studies: int
    missing: int
    changed: int
    unverified: int


Points = list[tuple[datetime, float]]


class Overview(BaseModel):
    """Everything that the operations page shows, from one look."""

    model_config = example(_OVERVIEW)

    at: datetime
    since: datetime = Field(description="start of the first interval of `throughput` and `samples`")
    step_seconds: int = Field(description="length of an interval")
    readiness: dict[str, str] = Field(description="ok, or what is broken, by part")
    workers: list[WorkerOut]
    queues: dict[str, int] | None = Field(description="messages waiting, by queue; null while the broker is away")
    images: dict[str, int] = Field(description="by state")
    studies: dict[str, int] = Field(description="by state")
    corrections: dict[str, int] = Field(description="by state")
    oldest_waiting_seconds: float = Field(description="age of the image that waits longest for its result; 0 where none waits")
    held_studies: int
    conflicts: int = Field(description="other bytes that arrived under known UIDs; both versions are kept")
    reasons: list[ReasonCount]
    destinations: list[DestinationCondition]
    webhooks: list[WebhookCondition]
    disk: Disk
    models: list[ModelInUse] = Field(description="that live workers have loaded")
    night: LastReconciliation | None = Field(description="null before the first one")
    throughput: dict[str, Points] = Field(description="counts by interval: received, analysed, skipped, failed, concluded, delivered")
    samples: dict[str, Points] = Field(description="means by interval of what the sweeper saw each minute; no point where it did not look")


class ImageOut(BaseModel):
    """An image as operations list it."""

    model_config = example(_IMAGE)

    sop_instance_uid: str
    study_instance_uid: str
    state: InstanceState
    reason: Reason | None
    station_name: str
    manufacturer: str
    calling_ae: str
    tries: int
    received_at: datetime
    tried_at: datetime = Field(description="last time it was queued or tried")


class ImagePage(BaseModel):
    model_config = example({"images": [_IMAGE], "next_cursor": None})

    images: list[ImageOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class ConflictOut(BaseModel):
    """Other bytes that came under the UID of a known image. The first ones stay in use."""

    model_config = example(_CONFLICT)

    id: int
    sop_instance_uid: str
    study_instance_uid: str
    calling_ae: str
    size: int = Field(description="bytes")
    received_at: datetime


class ConflictPage(BaseModel):
    model_config = example({"conflicts": [_CONFLICT], "next_cursor": None})

    conflicts: list[ConflictOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")
