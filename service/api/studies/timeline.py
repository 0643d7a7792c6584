"""``/api/v1/studies/{uid}/timeline`` and ``/priors``: what happened to a study, and which came before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.api.auth import require_scope
from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID, Uid
from service.api.http.problems import ProblemError, problem_responses
from service.api.studies.presenter import summarise
from service.api.studies.schemas import StudySummary
from service.domain.access import Scope
from service.domain.findings import Conclusion, DeliveryState, InstanceState
from service.store.corrections import CorrectionRow
from service.store.deliveries import DeliveryRow
from service.store.instances import InstanceRow
from service.store.ledger import Ledger


class Step(StrEnum):
    """Kinds of steps; steps of the same second are in this order."""

    RECEIVED = "received"
    ANALYSED = "analysed"
    """An image came to its end: analysed, skipped or failed."""
    CONCLUDED = "concluded"
    HELD = "held"
    CORRECTION = "correction"
    RELEASED = "released"
    PLANNED = "planned"
    """An object is owed to a destination."""
    DELIVERED = "delivered"
    """A delivery came to its end: verified, mismatch, rejected, failed or unsupported."""


_ORDER = list(Step)


_ENTRY: dict[str, JsonValue] = {
    "at": "2026-11-02T08:14:21Z",
    "step": "delivered",
    "state": "verified",
    "text": "",
    "actor": None,
    "version": 1,
    "sop_instance_uid": SOP_INSTANCE_UID,
    "delivery": 12,
    "kind": "sc",
    "destination": "archive",
    "correction": None,
}


class TimelineEntry(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    at: datetime
    step: Step
    state: str = Field("", description="how it ended: of an image, a conclusion (complete or partial), a delivery, a correction")
    text: str = Field("", description="a reason, or the last response of a peer")
    actor: str | None = Field(None, description="a person's name, or `policy`")
    version: int | None = Field(None, description="of the conclusion")
    sop_instance_uid: str | None = Field(None, description="the image that it is about")
    delivery: int | None = Field(None, description="number of the delivery")
    kind: str | None = Field(None, description="of the object delivered, or of the difference corrected")
    destination: str | None = None
    correction: int | None = Field(None, description="number of the correction")


class Timeline(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"study_instance_uid": STUDY_INSTANCE_UID, "entries": [_ENTRY]}]})

    study_instance_uid: str
    entries: list[TimelineEntry] = Field(description="oldest first")


class PriorList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"priors": []}]})

    priors: list[StudySummary] = Field(description="other studies of the same patient (issuer and ID), newest first")


def build_router(ledger: Ledger) -> APIRouter:
    """Routes over one ledger."""
    router = APIRouter(prefix="/api/v1/studies", tags=["studies"], dependencies=[require_scope(Scope.READ)])

    @router.get("/{study_instance_uid}/timeline", response_model=Timeline, responses=problem_responses(404, 422))
    def timeline(study_instance_uid: Uid) -> Timeline:
        """What happened to a study, from its first image to the proof that an archive holds its results."""
        _must_be_known(study_instance_uid)
        return Timeline(study_instance_uid=study_instance_uid, entries=sorted(_entries(study_instance_uid), key=_when))

    @router.get("/{study_instance_uid}/priors", response_model=PriorList, responses=problem_responses(404, 422))
    def priors(study_instance_uid: Uid) -> PriorList:
        """Other studies of the same patient that were received here, newest study date first; none where the patient has no ID."""
        _must_be_known(study_instance_uid)
        return PriorList(priors=[summarise(row) for row in ledger.studies.priors(study_instance_uid)])

    def _must_be_known(study_instance_uid: str) -> None:
        if ledger.studies.get(study_instance_uid) is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-study", "no study has this Study Instance UID")

    def _entries(study_instance_uid: str) -> Iterator[TimelineEntry]:
        for image in ledger.instances.of_study(study_instance_uid):
            yield from _of_image(image)
        yield from (_of_conclusion(each) for each in ledger.conclusions.of_study(study_instance_uid))
        for delivery in ledger.deliveries.find(study_instance_uid=study_instance_uid):
            yield from _of_delivery(delivery)
        for row in ledger.corrections.find(study_instance_uid=study_instance_uid, limit=None):
            yield from _of_correction(row)
        hold = ledger.holds.get(study_instance_uid)
        if hold is not None:
            yield TimelineEntry(at=hold.since, step=Step.HELD, text=hold.reason)
            if hold.released_at is not None:
                yield TimelineEntry(at=hold.released_at, step=Step.RELEASED, actor=hold.released_by, text=hold.released_reason or "")

    def _of_correction(row: CorrectionRow) -> Iterator[TimelineEntry]:
        for step in ledger.corrections.history(row.id):
            yield TimelineEntry(
                at=step.at,
                step=Step.CORRECTION,
                state=step.state,
                text=step.reason,
                actor=step.actor,
                kind=row.kind,
                correction=row.id,
                sop_instance_uid=row.sop_instance_uid,
            )

    return router


def _when(entry: TimelineEntry) -> tuple[datetime, int, datetime]:
    # A conclusion's time has whole seconds, the others are finer.
    return entry.at.replace(microsecond=0), _ORDER.index(entry.step), entry.at


def _of_image(row: InstanceRow) -> Iterator[TimelineEntry]:
    yield TimelineEntry(at=row.received_at, step=Step.RECEIVED, sop_instance_uid=row.sop_instance_uid)
    if row.finished_at is not None and row.state is not InstanceState.RECEIVED:
        reason = row.finding.reason.text if row.finding and row.finding.reason else ""
        yield TimelineEntry(at=row.finished_at, step=Step.ANALYSED, state=row.state, text=reason, sop_instance_uid=row.sop_instance_uid)


def _of_conclusion(conclusion: Conclusion) -> TimelineEntry:
    return TimelineEntry(
        at=conclusion.concluded_at,
        step=Step.CONCLUDED,
        state="complete" if conclusion.complete else "partial",
        text=conclusion.flag,
        version=conclusion.version,
    )


def _of_delivery(row: DeliveryRow) -> Iterator[TimelineEntry]:
    about = {
        "version": row.version,
        "sop_instance_uid": row.source_sop_instance_uid,
        "delivery": row.id,
        "kind": row.kind,
        "destination": row.destination,
        "correction": row.correction_id,
    }
    yield TimelineEntry.model_validate({"at": row.created_at, "step": Step.PLANNED, "state": DeliveryState.PENDING, **about})
    if row.finished_at is not None:
        error = row.error or ""
        yield TimelineEntry.model_validate({"at": row.finished_at, "step": Step.DELIVERED, "state": row.state, "text": error, **about})
