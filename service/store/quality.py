"""Quality figures: how often labels differ and images are not analysed, by machine and day.

Every query is one pass over one index (``ix_instances_quality``), which has all columns that the query reads: it never reads the JSON
of headers and findings, which makes rows long.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Date, Integer, String, case, cast, func, select, type_coerce

from service.domain.feedback import FeedbackLabel, FeedbackVerdict
from service.domain.findings import Agreement, InstanceState
from service.store.database import Database, Transaction
from service.store.feedback import last_words
from service.store.tables import feedback, instances

SCORE_STEPS = 1000
"""Scores are counted in steps of a thousandth."""


class GroupBy(StrEnum):
    """The attribute of the header that images are grouped by."""

    STATION = "station"
    MANUFACTURER = "manufacturer"
    MODEL = "model"
    """Of the machine."""
    SOFTWARE = "software"


_COLUMNS: dict[GroupBy, Column[str]] = {
    GroupBy.STATION: instances.c.station_name,
    GroupBy.MANUFACTURER: instances.c.manufacturer,
    GroupBy.MODEL: instances.c.model_name,
    GroupBy.SOFTWARE: instances.c.software_versions,
}


@dataclass(frozen=True)
class Period:
    """Days of UTC, both counted in."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def begins_at(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends_before(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


@dataclass(frozen=True)
class Tally:
    """Images that ended, by outcome."""

    images: int = 0
    skipped: int = 0
    failed: int = 0
    compared: int = 0
    """Images whose header a conclusion has compared with their pixels."""
    contradict: int = 0
    missing: int = 0
    unsure: int = 0
    scored: int = 0
    score_sum: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Spread:
    """Distributions of scores and densities."""

    scores: Counter[int]
    """Images by score in steps of `SCORE_STEPS`."""
    densities: Counter[str]


@dataclass(frozen=True)
class FeedbackCount:
    """How many opinions have the same day, group, label and values."""

    day: date
    group: str
    label: FeedbackLabel
    model: str
    """Name and version of the network."""
    verdict: FeedbackVerdict
    predicted_value: str
    """Empty for cancer, whose scores are numbers."""
    corrected_value: str
    count: int


class Quality:
    """Figures by group and day, over the images that ended within a period."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(self, by: GroupBy, period: Period, only: str | None = None) -> dict[tuple[date, str], Tally]:
        """Count images by the day they ended on and by group.

        Parameters
        ----------
        only
            One group; all where None.
        """
        column, state, agreement = _COLUMNS[by], instances.c.state, instances.c.agreement
        with self._database.read() as tx:
            day = _day(tx, instances.c.finished_at)
            counted = (
                select(
                    day,
                    column,
                    func.count(),
                    _times(state == InstanceState.SKIPPED),
                    _times(state == InstanceState.FAILED),
                    func.count(agreement),
                    _times(agreement == Agreement.CONTRADICT),
                    _times(agreement == Agreement.MISSING),
                    _times(agreement == Agreement.UNSURE),
                    func.count(instances.c.cancer_score),
                    func.coalesce(func.sum(instances.c.cancer_score), 0.0),
                )
                .where(*_within(by, period, only))
                .group_by(day, column)
            )
            return {(_as_date(on), group): Tally(*rest) for on, group, *rest in tx.execute(counted)}

    def spread(self, by: GroupBy, period: Period, only: str | None = None) -> Spread:
        """Distributions of the scores and densities of the analysed images."""
        step = cast(func.round(instances.c.cancer_score * SCORE_STEPS), Integer)
        # Images that were not analysed have neither; a condition on the state would make the query planner choose another index.
        counted = select(step, instances.c.density, func.count()).where(*_within(by, period, only)).group_by(step, instances.c.density)
        scores: Counter[int] = Counter()
        densities: Counter[str] = Counter()
        with self._database.read() as tx:
            for score, density, count in tx.execute(counted):
                if score is not None:
                    scores[score] += count
                if density:
                    densities[density] += count
        return Spread(scores, densities)

    def reasons(self, by: GroupBy, period: Period, only: str | None = None) -> dict[tuple[InstanceState, str], int]:
        """Count the images without labels by state and code of the reason."""
        state, reason = instances.c.state, instances.c.reason_code
        counted = select(state, reason, func.count()).where(*_within(by, period, only), reason != "").group_by(state, reason)
        with self._database.read() as tx:
            return {(InstanceState(ended), code): count for ended, code, count in tx.execute(counted)}

    def opinions(self, by: GroupBy, period: Period, only: str | None = None) -> list[FeedbackCount]:
        """Count the opinions of a period, the last one of each person."""
        column = _COLUMNS[by]
        predicted = case((feedback.c.label == FeedbackLabel.CANCER, ""), else_=feedback.c.predicted_value)
        with self._database.read() as tx:
            day = _day(tx, feedback.c.at)
            key = (day, column, feedback.c.label, feedback.c.model, feedback.c.verdict, predicted, feedback.c.corrected_value)
            counted = (
                select(*key, func.count())
                .join(instances, instances.c.sop_instance_uid == feedback.c.sop_instance_uid)
                .where(feedback.c.at >= period.begins_at, feedback.c.at < period.ends_before, feedback.c.id.in_(last_words()))
                .group_by(*key)
            )
            if only is not None:
                counted = counted.where(column == only)
            return [
                FeedbackCount(_as_date(on), group, FeedbackLabel(label), model, FeedbackVerdict(verdict), predicted, corrected, count)
                for on, group, label, model, verdict, predicted, corrected, count in tx.execute(counted)
            ]


def _within(by: GroupBy, period: Period, only: str | None) -> list[ColumnElement[bool]]:
    ended = instances.c.finished_at
    conditions = [ended >= period.begins_at, ended < period.ends_before]
    return conditions if only is None else [*conditions, _COLUMNS[by] == only]


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _day(tx: Transaction, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day, in UTC, of a moment."""
    if tx.dialect == "postgresql":
        return cast(func.timezone("UTC", moment), Date)
    # SQLite keeps moments as text in UTC: YYYY-MM-DD HH:MM:SS.ffffff.
    return func.substr(type_coerce(moment, String), 1, 10)


def _as_date(day: date | str) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else day
