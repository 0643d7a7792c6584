"""Instances: every one that was received ends in exactly one terminal state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select, update

from service.domain.findings import (
    ImageFinding,
    InstanceHeader,
    InstanceState,
    Priority,
)
from service.domain.patient import Patient
from service.domain.patients.identity import MixedPatients
from service.store.database import Database, Transaction
from service.store.derived_columns import finding_columns, instance_columns
from service.store.patients.identities import join_patient
from service.store.studies import URGENCY, count_received, open_study, touch_study
from service.store.tables import conflicts, instances, studies

_UNKNOWN_PATIENT = Patient()


class Accepted(StrEnum):
    """The outcome of receiving an instance."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """Same UID, same bytes: nothing new."""
    CONFLICT = "conflict"
    """Same UID, other bytes: the first stays in use, the other is kept beside it."""
    OWN = "own"
    """An object of this service that an archive routed back: entering it would make each conclusion cause the next one."""


@dataclass(frozen=True)
class InstanceRow:
    sop_instance_uid: str
    study_instance_uid: str
    header: InstanceHeader
    sha256: str
    """Of the dataset, without preamble and file meta."""
    path: Path
    """Relative to the data folder: `FileStore.path` makes it absolute."""
    size: int
    """Bytes of the file."""
    calling_ae: str
    priority: Priority
    state: InstanceState
    finding: ImageFinding | None
    tries: int
    received_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class ConflictRow:
    """Other bytes that were received under the UID of a known instance."""

    sop_instance_uid: str
    sha256: str
    path: Path
    size: int
    calling_ae: str
    received_at: datetime


class Instances:
    """One row for each SOP Instance UID; other bytes under a known UID are a conflict, kept beside it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        header: InstanceHeader,
        sha256: str,
        path: Path,
        size: int,
        calling_ae: str,
        priority: Priority = Priority.ROUTINE,
        patient: Patient = _UNKNOWN_PATIENT,
        mixed_patients: MixedPatients = MixedPatients.HOLD,
    ) -> Accepted:
        """Enter a stored instance; durable when this returns.

        Parameters
        ----------
        sha256
            Of the dataset without file meta: distinguishes the same instance sent again from other bytes under a known UID.
        path
            Where `FileStore.commit` put the file, relative to the data folder.
        size
            Bytes.
        patient
            As the header describes the patient. The study keeps the patient, and what the worklist shows of the header, of its first
            image that has a patient ID.
        mixed_patients
            What to do where the study has another patient.

        Returns
        -------
        NEW, DUPLICATE (nothing was entered), or CONFLICT (entered beside the first one, which stays in use).

        Raises
        ------
        PatientMismatch
            The study has another patient, and the policy is to refuse; nothing was entered.
        """
        uid = header.sop_instance_uid
        known_sha256 = select(instances.c.sha256).where(instances.c.sop_instance_uid == uid)
        with self._database.write() as tx:
            known = tx.execute(known_sha256).scalar()
            if known is None:
                if not open_study(tx, header, patient, priority):
                    join_patient(tx, header, patient, mixed_patients)
                inserted = tx.insert_once(
                    instances,
                    sop_instance_uid=uid,
                    study_instance_uid=header.study_instance_uid,
                    header=header.model_dump_json(),
                    sha256=sha256,
                    path=path.as_posix(),
                    size=size,
                    calling_ae=calling_ae,
                    priority=priority,
                    state=InstanceState.RECEIVED,
                    tries=0,
                    received_at=tx.now,
                    last_attempt_at=tx.now,
                    **instance_columns(header),
                )
                if inserted:
                    count_received(tx, header.study_instance_uid, priority)
                    return Accepted.NEW
                # Another process entered the instance between the query and the insert.
                known = tx.execute(known_sha256).scalar_one()
            if known == sha256:
                return Accepted.DUPLICATE
            tx.insert_once(
                conflicts,
                sop_instance_uid=uid,
                sha256=sha256,
                path=path.as_posix(),
                size=size,
                calling_ae=calling_ae,
                received_at=tx.now,
            )
            return Accepted.CONFLICT

    def get(self, sop_instance_uid: str) -> InstanceRow | None:
        """Look one instance up."""
        with self._database.read() as tx:
            row = tx.execute(select(instances).where(instances.c.sop_instance_uid == sop_instance_uid)).one_or_none()
        return _instance(row) if row else None

    def of_study(self, study_instance_uid: str) -> list[InstanceRow]:
        """All instances of a study, oldest first."""
        with self._database.read() as tx:
            return instances_of_study(tx, study_instance_uid)

    def conflicts(self, study_instance_uid: str | None = None) -> list[ConflictRow]:
        """Other bytes that were received under known UIDs, oldest first; of one study or of all."""
        wanted = select(conflicts).order_by(conflicts.c.id)
        if study_instance_uid is not None:
            wanted = wanted.join(instances, instances.c.sop_instance_uid == conflicts.c.sop_instance_uid).where(
                instances.c.study_instance_uid == study_instance_uid
            )
        with self._database.read() as tx:
            return [_conflict(row) for row in tx.execute(wanted)]

    def count_attempt(self, sop_instance_uid: str) -> int:
        """Note that an analysis is about to begin; durable when this returns, so that an image that kills its worker is counted.

        Returns
        -------
        The number of this attempt, 1 for the first; 0 for an unknown instance.
        """
        with self._database.write() as tx:
            step = update(instances).where(instances.c.sop_instance_uid == sop_instance_uid)
            counted = step.values(tries=instances.c.tries + 1, last_attempt_at=tx.now)
            return tx.execute(counted.returning(instances.c.tries)).scalar() or 0

    def record_finding(self, finding: ImageFinding) -> bool:
        """End an instance in the finding's (terminal) state; False where it had ended before: the first result wins."""
        if finding.state is InstanceState.RECEIVED:
            raise ValueError("a finding ends an instance: its state is analysed, skipped or failed")
        with self._database.write() as tx:
            unfinished = update(instances).where(
                instances.c.sop_instance_uid == finding.sop_instance_uid, instances.c.state == InstanceState.RECEIVED
            )
            end = unfinished.values(state=finding.state, finding=finding.model_dump_json(), finished_at=tx.now, **finding_columns(finding))
            study_instance_uid = tx.execute(end.returning(instances.c.study_instance_uid)).scalar()
            if study_instance_uid is None:
                return False
            touch_study(tx, study_instance_uid, finished_count=studies.c.finished_count + 1)
            return True

    def reopen(self, sop_instance_uid: str) -> bool:
        """Remove an instance's result so that it is analysed anew, with all its attempts; False where there was none."""
        with self._database.write() as tx:
            finished = update(instances).where(
                instances.c.sop_instance_uid == sop_instance_uid, instances.c.state != InstanceState.RECEIVED
            )
            back = finished.values(
                state=InstanceState.RECEIVED, finding=None, finished_at=None, tries=0, last_attempt_at=tx.now, **finding_columns(None)
            )
            study_instance_uid = tx.execute(back.returning(instances.c.study_instance_uid)).scalar()
            if study_instance_uid is None:
                return False
            touch_study(tx, study_instance_uid, finished_count=studies.c.finished_count - 1)
            return True

    def take_unfinished(self, older_than_s: float, limit: int = 1000) -> list[InstanceRow]:
        """List the instances that wait for their result and were neither queued nor attempted for so long; urgent ones first.

        Listing an instance counts as queueing it: it is listed once in `older_than_s`, however often the sweeper runs, so a long queue
        does not grow by being swept.
        """
        with self._database.write() as tx:
            untouched_since = tx.now - timedelta(seconds=older_than_s)
            stuck = (
                select(instances)
                .where(instances.c.state == InstanceState.RECEIVED, instances.c.last_attempt_at <= untouched_since)
                .order_by(instances.c.last_attempt_at, instances.c.sop_instance_uid)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            taken = [_instance(row) for row in tx.execute(stuck)]
            uids = [row.sop_instance_uid for row in taken]
            if uids:
                tx.execute(update(instances).where(instances.c.sop_instance_uid.in_(uids)).values(last_attempt_at=tx.now))
        return sorted(taken, key=lambda row: -URGENCY.index(row.priority))


def instances_of_study(tx: Transaction, study_instance_uid: str) -> list[InstanceRow]:
    """All instances of a study, oldest first."""
    wanted: Select[Any] = select(instances).where(instances.c.study_instance_uid == study_instance_uid)
    return [_instance(row) for row in tx.execute(wanted.order_by(instances.c.received_at, instances.c.sop_instance_uid))]


def _instance(row: Row[Any]) -> InstanceRow:
    return InstanceRow(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        header=InstanceHeader.model_validate_json(row.header),
        sha256=row.sha256,
        path=Path(row.path),
        size=row.size,
        calling_ae=row.calling_ae,
        priority=Priority(row.priority),
        state=InstanceState(row.state),
        finding=ImageFinding.model_validate_json(row.finding) if row.finding else None,
        tries=row.tries,
        received_at=row.received_at,
        finished_at=row.finished_at,
    )


def _conflict(row: Row[Any]) -> ConflictRow:
    return ConflictRow(
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256,
        path=Path(row.path),
        size=row.size,
        calling_ae=row.calling_ae,
        received_at=row.received_at,
    )
