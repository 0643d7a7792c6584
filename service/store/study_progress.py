"""How far studies are: has anything changed, and is an image still being analysed? The query parses no JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from service.store.database import Database
from service.store.tables import studies, study_holds


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is. Two equal values mean the same images with the same findings."""

    study_instance_uid: str
    version: int
    """Of the current conclusion; 0 before the first."""
    updated_at: datetime
    """Last time an image was received, ended or was reopened."""
    settled: bool
    """All images have ended, and the current conclusion is drawn from all of them."""
    instance_count: int
    finished_count: int
    held: bool


class StudyProgressQuery:
    """Reads `StudyProgress` of many studies in one short query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_studies(self, study_instance_uids: Sequence[str]) -> dict[str, StudyProgress]:
        """How far each of some studies is; unknown ones are left out."""
        with self._database.read() as tx:
            return {
                row.study_instance_uid: _progress(row)
                for row in tx.execute(_WANTED.where(studies.c.study_instance_uid.in_(study_instance_uids)))
            }


_WANTED = select(
    studies.c.study_instance_uid,
    studies.c.version,
    studies.c.updated_at,
    studies.c.needs_conclusion,
    studies.c.instance_count,
    studies.c.finished_count,
    study_holds.c.study_instance_uid.label("held_uid"),
).outerjoin(study_holds, and_(study_holds.c.study_instance_uid == studies.c.study_instance_uid, study_holds.c.released_at.is_(None)))


def _progress(row: Any) -> StudyProgress:
    return StudyProgress(
        study_instance_uid=row.study_instance_uid,
        version=row.version,
        updated_at=row.updated_at,
        settled=row.version > 0 and not row.needs_conclusion and row.finished_count == row.instance_count,
        instance_count=row.instance_count,
        finished_count=row.finished_count,
        held=row.held_uid is not None,
    )
