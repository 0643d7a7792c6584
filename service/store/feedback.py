"""What radiologists say about labels. No row is overwritten: of one person, image and label the last row counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, insert, select

from service.domain.feedback import FeedbackLabel, FeedbackVerdict, LabelFeedback, check_feedback, predicted_value_of, reference_value
from service.domain.findings import ImageFinding
from service.store.database import Database
from service.store.tables import feedback, instances


@dataclass(frozen=True)
class FeedbackRow:
    id: int
    at: datetime
    study_instance_uid: str
    sop_instance_uid: str
    path: Path
    """Of the image, relative to the data folder."""
    label: FeedbackLabel
    verdict: FeedbackVerdict
    predicted_value: str
    """The network's answer: a value of the label, or the cancer score with four digits."""
    corrected_value: str
    note: str
    actor: str
    """Name of the account or key."""
    model: str
    """Name and version of the network that gave the answer."""

    @property
    def value(self) -> str:
        """The label after the feedback; empty where no label is settled."""
        return reference_value(self.label, self.verdict, self.predicted_value, self.corrected_value)


class Feedback:
    """What radiologists say about the labels of images."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sop_instance_uid: str, opinion: LabelFeedback, actor: str) -> FeedbackRow:
        """Enter the opinion of a person; the network's answer is read in the same transaction.

        Raises
        ------
        LookupError
            No such image.
        NoPrediction, CorrectedValueInvalid
            As for `predicted_value_of` and `check_feedback`.
        """
        with self._database.write() as tx:
            image = tx.execute(
                select(instances.c.study_instance_uid, instances.c.finding).where(instances.c.sop_instance_uid == sop_instance_uid)
            ).one_or_none()
            if image is None:
                raise LookupError("no such image in the ledger")
            said, model = predicted_value_of(ImageFinding.model_validate_json(image.finding) if image.finding else None, opinion.label)
            check_feedback(opinion, said)
            entered = insert(feedback).values(
                at=tx.now,
                study_instance_uid=image.study_instance_uid,
                sop_instance_uid=sop_instance_uid,
                label=opinion.label,
                verdict=opinion.verdict,
                predicted_value=said,
                corrected_value="" if opinion.corrected_value == said else opinion.corrected_value,
                note=opinion.note,
                actor=actor,
                model=model,
            )
            number = tx.execute(entered.returning(feedback.c.id)).scalar_one()
            return _feedback(tx.execute(_WITH_PATH.where(feedback.c.id == number)).one())

    def find(
        self,
        study_instance_uid: str | None = None,
        label: FeedbackLabel | None = None,
        verdict: FeedbackVerdict | None = None,
        current: bool = True,
        after_id: int = 0,
        limit: int | None = 100,
    ) -> list[FeedbackRow]:
        """List the feedback after a known row, oldest first.

        Parameters
        ----------
        current
            Only the last opinion of each person on each label of each image; False: all opinions.
        """
        wanted = _WITH_PATH.where(feedback.c.id > after_id).order_by(feedback.c.id).limit(limit)
        if current:
            wanted = wanted.where(feedback.c.id.in_(last_words(study_instance_uid)))
        for column, value in (
            (feedback.c.study_instance_uid, study_instance_uid),
            (feedback.c.label, label),
            (feedback.c.verdict, verdict),
        ):
            if value is not None:
                wanted = wanted.where(column == value)
        with self._database.read() as tx:
            return [_feedback(row) for row in tx.execute(wanted)]


def last_words(study_instance_uid: str | None = None) -> Select[tuple[int]]:
    """Ids of the rows that count: one for each person, image and label."""
    newest = select(func.max(feedback.c.id)).group_by(feedback.c.actor, feedback.c.sop_instance_uid, feedback.c.label)
    return newest if study_instance_uid is None else newest.where(feedback.c.study_instance_uid == study_instance_uid)


_WITH_PATH = select(feedback, instances.c.path).join(instances, instances.c.sop_instance_uid == feedback.c.sop_instance_uid)


def _feedback(row: Row[Any]) -> FeedbackRow:
    return FeedbackRow(
        id=row.id,
        at=row.at,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        path=Path(row.path),
        label=FeedbackLabel(row.label),
        verdict=FeedbackVerdict(row.verdict),
        predicted_value=row.predicted_value,
        corrected_value=row.corrected_value,
        note=row.note,
        actor=row.actor,
        model=row.model,
    )
