"""Quality figures, as the API answers them."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.domain.drift import Drift
from service.domain.feedback import FeedbackLabel
from service.domain.findings import InstanceState
from service.domain.time_buckets import Bucket
from service.store.quality import GroupBy

_RATE: dict[str, Any] = {"count": 12, "of": 400, "rate": 0.03, "low": 0.0172, "high": 0.0518}
_COUNTS: dict[str, Any] = {
    "images": 412,
    "skipped": _RATE,
    "failed": _RATE,
    "disagree": _RATE,
    "missing": _RATE,
    "unsure": _RATE,
    "mean_score": 0.11,
}
_READER: dict[str, Any] = {"label": "density", "of": "", "agree": {"count": 27, "of": 30, "rate": 0.9, "low": 0.7438, "high": 0.9654}}
_SPREAD: dict[str, Any] = {
    "bars": [{"name": "0–5", "now": 210, "reference": 190}],
    "images_now": 400,
    "images_reference": 380,
    "index": 0.013,
    "by_chance": 0.087,
    "drift": "steady",
}
_REPORT: dict[str, Any] = {
    "by": "station",
    "only": None,
    "bucket": "week",
    "period": {"first": "2026-08-24", "last": "2026-11-21"},
    "reference": {"first": "2026-05-26", "last": "2026-08-23"},
    "total": {"group": "", **_COUNTS},
    "groups": [{"group": "MAMMO01", **_COUNTS}],
    "groups_left_out": 0,
    "series": [{"group": None, "points": [{"start": "2026-08-24", **_COUNTS}]}],
    "reasons": [{"state": "skipped", "code": "magnification", "images": 9}],
    "scores": _SPREAD,
    "densities": _SPREAD,
    "thresholds": {"steady": 0.1, "shifted": 0.25},
    "readers": {
        "labels": [_READER],
        "models": [_READER],
        "groups": [_READER],
        "points": [{"start": "2026-08-24", "agree": _READER["agree"]}],
        "instead": [{"label": "density", "predicted_value": "C", "corrected_value": "B", "count": 3}],
    },
}


class RateOut(BaseModel):
    """So many of so many."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RATE]})

    count: int
    of: int
    rate: float | None = Field(description="0 to 1; null where `of` is 0")
    low: float | None = Field(description="95 % interval after Wilson")
    high: float | None


class CountsOut(BaseModel):
    images: int = Field(description="that ended: analysed, not analysed, or failed")
    skipped: RateOut
    failed: RateOut
    disagree: RateOut = Field(description="header contradicts the pixels, of the images whose labels were compared")
    missing: RateOut = Field(description="header lacks a label, of the images that were compared")
    unsure: RateOut = Field(description="pixels do not settle it, of the images that were compared")
    mean_score: float | None = Field(description="of the cancer scores, 0 to 1")


class GroupOut(CountsOut):
    group: str = Field(description="as the headers say it; empty where they say nothing, and for the total")


class PointOut(CountsOut):
    start: date = Field(description="first day of the bucket")


class SeriesOut(BaseModel):
    group: str | None = Field(description="null for all images")
    points: list[PointOut]


class ReasonOut(BaseModel):
    state: InstanceState
    code: str
    images: int


class PeriodOut(BaseModel):
    """Days of UTC, both counted in."""

    first: date
    last: date


class BarOut(BaseModel):
    name: str
    now: int
    reference: int


class SpreadOut(BaseModel):
    """Distribution of a quantity, now and in the reference period."""

    bars: list[BarOut]
    images_now: int
    images_reference: int
    index: float | None = Field(description="population stability index; null where a period is empty")
    by_chance: float | None = Field(
        description="what the index stays below in 95 of 100 cases where nothing changed: few images make it grow"
    )
    drift: Drift = Field(description="what index and chance say together; too-few below 100 images in a period")


class ThresholdsOut(BaseModel):
    """Of the population stability index, as is usual."""

    steady: float = Field(description="below it nothing moved")
    shifted: float = Field(description="from it on something shifted; between both it is worth a look")


class ReaderOut(BaseModel):
    label: FeedbackLabel
    of: str = Field(description="the network, or the group; empty for all")
    agree: RateOut = Field(description="readers who agree, of those who gave feedback; the last feedback of each counts")


class ReaderPointOut(BaseModel):
    start: date
    agree: RateOut


class InsteadOut(BaseModel):
    label: FeedbackLabel
    predicted_value: str = Field(description="label of the network; empty for cancer, whose scores are numbers")
    corrected_value: str
    count: int


class ReadersOut(BaseModel):
    """Feedback of readers on labels within the period, by the day of the feedback."""

    labels: list[ReaderOut]
    models: list[ReaderOut]
    groups: list[ReaderOut]
    points: list[ReaderPointOut]
    instead: list[InsteadOut] = Field(description="what was wrong, and what is right; the most frequent first")


class QualityOut(BaseModel):
    """Rates, distributions and readers' words over one period, by what made the images."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REPORT]})

    by: GroupBy
    only: str | None = Field(description="the one group that everything but `groups` speaks of; null for all")
    bucket: Bucket
    period: PeriodOut
    reference: PeriodOut
    total: GroupOut
    groups: list[GroupOut] = Field(description="most images first")
    groups_left_out: int = Field(description="groups beyond those listed")
    series: list[SeriesOut] = Field(description="all images, then the largest groups")
    reasons: list[ReasonOut] = Field(description="why images have no labels; the most frequent first")
    scores: SpreadOut
    densities: SpreadOut
    thresholds: ThresholdsOut
    readers: ReadersOut
