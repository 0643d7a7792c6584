"""What readers say of labels, as the API takes and answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from service.domain.feedback import FeedbackLabel, FeedbackVerdict
from service.store.feedback import FeedbackRow

_FEEDBACK: dict[str, Any] = {
    "id": 31,
    "at": "2026-11-02T09:02:41Z",
    "study_instance_uid": STUDY_INSTANCE_UID,
    "sop_instance_uid": SOP_INSTANCE_UID,
    "label": "density",
    "verdict": "wrong",
    "predicted_value": "C",
    "corrected_value": "B",
    "value": "B",
    "note": "",
    "actor": "jones",
    "model": "mammotriage-labeler 1.0.0",
}


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_one_line)]


class FeedbackIn(BaseModel):
    """Feedback on one label of one image. The ledger adds the network's label and the reader."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"sop_instance_uid": SOP_INSTANCE_UID, "label": "density", "verdict": "wrong", "corrected_value": "B", "note": ""}]
        },
    )

    sop_instance_uid: str = Field(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)
    label: FeedbackLabel
    verdict: FeedbackVerdict
    corrected_value: str = Field(
        "",
        max_length=64,
        description="needed where the verdict is wrong. view: an ACR view; laterality: R or L; density: A to D; cancer: malignant, benign, "
        "normal or negative (no cancer), which may also go with agree, where the pathology is known",
    )
    note: Note = Field("", description="in the reader's words; name no patient")


class FeedbackOut(BaseModel):
    """Feedback of a reader."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FEEDBACK]})

    id: int
    at: datetime
    study_instance_uid: str
    sop_instance_uid: str
    label: FeedbackLabel
    verdict: FeedbackVerdict
    predicted_value: str = Field(description="the network's label; for cancer its score, 0 to 1")
    corrected_value: str = Field(description="empty where the reader agrees")
    value: str = Field(description="the label as the reader leaves it; empty where they agree with a cancer score and give no pathology")
    note: str
    actor: str = Field(description="name of the account or key")
    model: str = Field(description="name and version of the network")


class FeedbackPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"feedback": [_FEEDBACK], "next_cursor": None}]})

    feedback: list[FeedbackOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


def show_feedback(row: FeedbackRow) -> FeedbackOut:
    """From the ledger's row."""
    return FeedbackOut(
        id=row.id,
        at=row.at,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        label=row.label,
        verdict=row.verdict,
        predicted_value=row.predicted_value,
        corrected_value=row.corrected_value,
        value=row.value,
        note=row.note,
        actor=row.actor,
        model=row.model,
    )
