"""What the API answers. Schemas of the edge: domain values are turned into these and never leak out as they are."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from models.vocabulary import ImageKind, ViewModifier
from service.api.corrections.schemas import CorrectionOut
from service.api.deliveries.schemas import DeliveryOut
from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID, example
from service.domain.findings import (
    Agreement,
    CorrectionKind,
    CorrectionState,
    InstanceState,
    Marker,
    ModelIdentity,
    Peak,
    Priority,
    Reason,
    Reasoning,
    TriageFlag,
)
from service.domain.patients.identity import HoldKind
from service.store.instances import Accepted
from service.store.study_rows import StudyDelivery, StudyState

_LABEL = {"value": "MLO", "confidence": 0.9987, "probabilities": {"CC": 0.0013, "MLO": 0.9987}}
_IMAGE: dict[str, object] = {
    "sop_instance_uid": SOP_INSTANCE_UID,
    "state": "analysed",
    "reason": None,
    "kind": "full-field",
    "declared": {"view": "CC", "laterality": "L"},
    "view": _LABEL,
    "laterality": {"value": "L", "confidence": 0.9991, "probabilities": {"L": 0.9991, "R": 0.0009}},
    "density": {"value": "C", "confidence": 0.71, "probabilities": {"A": 0.02, "B": 0.22, "C": 0.71, "D": 0.05}},
    "cancer": {"score": 0.41, "peak": {"row": 1804.5, "column": 932.0, "strength": 0.62}},
    "agreement": {
        "view": "contradict",
        "laterality": "agree",
        "kind": "contradicts",
        "correction": "proposed",
        "correction_id": 17,
        "reason": "header and pixels contradict each other: waits for approval",
    },
    "device": {"manufacturer": "Phantom works", "model_name": "P1", "station_name": "MAMMO-1", "software_versions": "1.0"},
    "rows": 3328,
    "columns": 2560,
    "view_modifiers": [],
    "marker": {"text": "LMLO", "laterality": "L", "view": "MLO", "confidence": 0.94},
    "inverted": False,
    "received_at": "2026-11-02T08:14:03Z",
    "finished_at": "2026-11-02T08:14:05Z",
    "links": {
        "heatmap": f"/api/v1/instances/{SOP_INSTANCE_UID}/heatmap.png",
        "preview": f"/api/v1/instances/{SOP_INSTANCE_UID}/preview.png",
    },
}
_SUMMARY = {
    "study_instance_uid": STUDY_INSTANCE_UID,
    "state": "concluded",
    "priority": "routine",
    "flag": "suspicious",
    "score": 0.44,
    "density": "C",
    "patient": {"name": "Doe^Jane", "patient_id": "P-0042", "birth_date": "19600101", "sex": "F", "age_years": 66},
    "study_date": "20261102",
    "accession_number": "A-1017",
    "station_name": "MAMMO-1",
    "institution": "General Hospital",
    "manufacturer": "Phantom works",
    "scores": {"R": 0.12, "L": 0.44},
    "densities": {"R": "C", "L": "C"},
    "agreement": "contradict",
    "concluded_at": "2026-11-02T08:14:12Z",
    "images": 4,
    "finished_images": 4,
    "version": 1,
    "delivery": "verified",
    "held": False,
    "hold_kind": None,
    "hold_reason": "",
    "first_received_at": "2026-11-02T08:14:03Z",
    "last_received_at": "2026-11-02T08:14:09Z",
    "links": {"self": f"/api/v1/studies/{STUDY_INSTANCE_UID}", "hanging": f"/api/v1/studies/{STUDY_INSTANCE_UID}/hanging"},
}
_MODEL = {"name": "mammotriage-labeler", "version": "1.0.0", "sha256": "9f2c…", "calibration": "none"}
_DETAIL = {
    **_SUMMARY,
    "complete": True,
    "threshold": 0.37,
    "breasts": [{"laterality": "L", "score": 0.44, "density": "C", "images": [SOP_INSTANCE_UID]}],
    "instances": [_IMAGE],
    "models": [_MODEL],
    "reasoning": {"verdict": "one-wrong-label", "text": "one image is declared CC, and its pixels show MLO"},
    "corrections": [],
    "deliveries": [],
    "other_patients": [],
    "versions": [1],
}


class DeclaredLabels(BaseModel):
    """What the header says; UNKNOWN where it says nothing."""

    view: str
    laterality: str


class PixelLabels(BaseModel):
    """What the pixels show; null where the image has no labels, or none yet."""

    view: str | None
    laterality: str | None


class LabelOut(BaseModel):
    model_config = example(_LABEL)

    value: str = Field(description="UNKNOWN where the network is not sure enough")
    confidence: float
    probabilities: dict[str, float]


class CancerOut(BaseModel):
    score: float = Field(description="0 to 1")
    peak: Peak | None = Field(description="strongest point of the heatmap, source pixels")


class AgreementOut(BaseModel):
    view: Agreement
    laterality: Agreement
    kind: CorrectionKind | None = Field(description="in what way header and pixels differ; null where they do not")
    correction: CorrectionState | None = Field(description="what became of the difference; null where there is none")
    correction_id: int | None = Field(description="number of the correction in the ledger")
    reason: str


class ImageLinks(BaseModel):
    heatmap: str
    preview: str


class DeviceOut(BaseModel):
    """What made the image, as its header says; empty where it says nothing."""

    manufacturer: str
    model_name: str
    station_name: str
    software_versions: str


class InstanceOut(BaseModel):
    """One image: labels and score, or the reason why there are none."""

    model_config = example(_IMAGE)

    sop_instance_uid: str
    state: InstanceState
    reason: Reason | None
    kind: ImageKind
    declared: DeclaredLabels
    view: LabelOut | None
    laterality: LabelOut | None
    density: LabelOut | None
    cancer: CancerOut | None
    agreement: AgreementOut | None = Field(description="header against pixels; null before the study is concluded")
    device: DeviceOut
    rows: int
    columns: int
    view_modifiers: list[ViewModifier] = Field(description="as declared (PS3.16 CID 4015)")
    marker: Marker | None = Field(description="lead marker burned into the picture, where one could be read")
    inverted: bool = Field(description="the pixels have a white background that the header does not announce")
    received_at: datetime
    finished_at: datetime | None = Field(description="when the analysis ended; null before")
    provider: str = Field("", description="ONNX Runtime provider that scored the image")
    links: ImageLinks | None = Field(description="null where nothing was drawn")


class StudyLinks(BaseModel):
    self: str
    hanging: str


class PatientOut(BaseModel):
    """Whose study it is, as the first image's header says it; empty where it says nothing."""

    name: str = Field(description="as DICOM writes it: components joined by ^, groups by =")
    patient_id: str
    birth_date: str = Field(description="YYYYMMDD")
    sex: str
    age_years: int | None = Field(description="at the time of the study")


class StudySummary(BaseModel):
    model_config = example(_SUMMARY)

    study_instance_uid: str
    state: StudyState
    priority: Priority
    flag: TriageFlag
    score: float | None = Field(description="of the worse breast, 0 to 1")
    density: str
    patient: PatientOut
    study_date: str = Field(description="YYYYMMDD as the header says it; empty where it says nothing")
    accession_number: str
    station_name: str
    institution: str
    manufacturer: str
    scores: dict[str, float | None] = Field(description="by breast, R and L, 0 to 1; null where there is none")
    densities: dict[str, str] = Field(description="by breast, R and L; UNKNOWN where there is none")
    agreement: Agreement | None = Field(description="agreement of headers and pixels, of the worst image; null before the first conclusion")
    concluded_at: datetime | None = Field(description="time of the current conclusion; null before the first")
    images: int
    finished_images: int
    version: int = Field(description="of the current conclusion; 0 before the first")
    delivery: StudyDelivery | None = Field(description="how far what the current conclusion owes has come")
    held: bool = Field(description="the study waits for a named person")
    hold_kind: HoldKind | None = Field(
        description="sides-swapped: corrections wait; any other: nothing leaves, and no score is shown; null where it is not held"
    )
    hold_reason: str = Field(description="why it is held; names attributes, never values; empty where it is not held")
    first_received_at: datetime
    last_received_at: datetime
    links: StudyLinks


class StudyPage(BaseModel):
    model_config = example({"studies": [_SUMMARY], "next_cursor": None})

    studies: list[StudySummary]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class BreastOut(BaseModel):
    laterality: str
    score: float | None
    density: str
    images: list[str]


class StudyDetail(StudySummary):
    """A study with its images; before the first conclusion the images' answers so far."""

    model_config = example(_DETAIL)

    complete: bool = Field(description="the pixels show R-CC, L-CC, R-MLO and L-MLO")
    threshold: float | None = Field(description="operating point that the flag was set at")
    breasts: list[BreastOut]
    instances: list[InstanceOut]
    models: list[ModelIdentity]
    reasoning: Reasoning | None = Field(description="what the images together say of the labels; null before the first conclusion")
    corrections: list[CorrectionOut]
    deliveries: list[DeliveryOut]
    other_patients: list[PatientOut] = Field(description="patients that some of its images name instead of `patient`")
    versions: list[int] = Field(description="of all conclusions so far; the last one counts")


class ReceivedInstance(BaseModel):
    sop_instance_uid: str
    study_instance_uid: str
    accepted: Accepted


class RefusedPart(BaseModel):
    part: int = Field(description="position in the request, from 0")
    code: str
    text: str


class UploadAnswer(BaseModel):
    """What became of the uploaded files."""

    model_config = example(
        {
            "received": [{"sop_instance_uid": SOP_INSTANCE_UID, "study_instance_uid": STUDY_INSTANCE_UID, "accepted": "new"}],
            "refused": [],
            "locations": [f"/api/v1/studies/{STUDY_INSTANCE_UID}"],
            "studies": [],
        }
    )

    received: list[ReceivedInstance]
    refused: list[RefusedPart]
    locations: list[str] = Field(description="where to ask for each study")
    studies: list[StudyDetail] = Field(description="the labels, where they were ready in time; else empty")
