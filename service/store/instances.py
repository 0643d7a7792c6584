"""The ledger's pages on instances: every one received ends in exactly one terminal state."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from models.vocabulary import Density
from service.domain.findings import ImageFinding, InstanceHeader, InstanceState, Priority, TriageFlag
from service.domain.patient import Patient
from service.store.derived_columns import finding_columns, instance_columns, study_columns
from service.store.events import Chronicle
from service.store.rows import Accepted, ConflictRow, InstanceRow, StudyState
from service.store.study_order import triage_columns
from service.store.tables import conflicts, instances, studies

_NOBODY = Patient()
_URGENCY = (Priority.BACKGROUND, Priority.ROUTINE, Priority.URGENT)


class Intake(Chronicle):
    def add_instance(
        self,
        header: InstanceHeader,
        sha256: str,
        path: Path,
        size: int,
        calling_ae: str,
        priority: Priority = Priority.ROUTINE,
        patient: Patient = _NOBODY,
    ) -> Accepted:
        """Enter a stored instance; durable when this returns.

        Parameters
        ----------
        sha256
            Of the dataset without file meta: what tells a re-send from other bytes under a known UID.
        path
            Where `FileStore.commit` put the file, relative to the data folder.
        size
            Bytes.
        patient
            Whose image it is; the study takes it, and what the worklist shows of the header, from the first image that tells it.

        Returns
        -------
        NEW, DUPLICATE (nothing was entered), or CONFLICT (entered beside the first one, which stays in use).
        """
        uid, at = header.sop_instance_uid, self._now()
        with self._write() as connection:
            known = connection.execute(select(instances.c.sha256).where(instances.c.sop_instance_uid == uid)).scalar()
            if known is None:
                self._open_study(connection, header, patient, priority, at)
                inserted = self._insert_once(
                    connection,
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
                    received_at=at,
                    last_attempt_at=at,
                    **instance_columns(header),
                )
                if inserted:
                    self._count_received(connection, header.study_instance_uid, priority, at)
                    return Accepted.NEW
                # Another process was faster between our look and our insert.
                known = connection.execute(select(instances.c.sha256).where(instances.c.sop_instance_uid == uid)).scalar_one()
            if known == sha256:
                return Accepted.DUPLICATE
            self._insert_once(
                connection,
                conflicts,
                sop_instance_uid=uid,
                sha256=sha256,
                path=path.as_posix(),
                size=size,
                calling_ae=calling_ae,
                received_at=at,
            )
            return Accepted.CONFLICT

    def instance(self, sop_instance_uid: str) -> InstanceRow | None:
        """Look one instance up."""
        found = self._instances(select(instances).where(instances.c.sop_instance_uid == sop_instance_uid))
        return found[0] if found else None

    def instances_of(self, study_instance_uid: str) -> list[InstanceRow]:
        """All instances of a study, oldest first."""
        wanted = select(instances).where(instances.c.study_instance_uid == study_instance_uid)
        return self._instances(wanted.order_by(instances.c.received_at, instances.c.sop_instance_uid))

    def conflicts(self, study_instance_uid: str | None = None) -> list[ConflictRow]:
        """Other bytes that came under known UIDs, oldest first; of one study or of all."""
        wanted = select(conflicts).order_by(conflicts.c.id)
        if study_instance_uid is not None:
            wanted = wanted.join(instances, instances.c.sop_instance_uid == conflicts.c.sop_instance_uid).where(
                instances.c.study_instance_uid == study_instance_uid
            )
        with self._read() as connection:
            return [_conflict(row) for row in connection.execute(wanted)]

    def count_try(self, sop_instance_uid: str) -> int:
        """Note that an analysis is about to begin; durable when this returns, so that an image that kills its worker is counted.

        Returns
        -------
        The number of this try, 1 for the first; 0 for an unknown instance.
        """
        step = (
            update(instances)
            .where(instances.c.sop_instance_uid == sop_instance_uid)
            .values(tries=instances.c.tries + 1, last_attempt_at=self._now())
        )
        with self._write() as connection:
            return connection.execute(step.returning(instances.c.tries)).scalar() or 0

    def record_finding(self, finding: ImageFinding) -> bool:
        """End an instance in the finding's (terminal) state; False where it had ended before: the first result wins."""
        if finding.state is InstanceState.RECEIVED:
            raise ValueError("a finding ends an instance: its state is analysed, skipped or failed")
        at = self._now()
        end = (
            update(instances)
            .where(instances.c.sop_instance_uid == finding.sop_instance_uid, instances.c.state == InstanceState.RECEIVED)
            .values(state=finding.state, finding=finding.model_dump_json(), finished_at=at, **finding_columns(finding))
        )
        with self._write() as connection:
            study_instance_uid = connection.execute(end.returning(instances.c.study_instance_uid)).scalar()
            if study_instance_uid is None:
                return False
            self._touch_study(connection, study_instance_uid, at, finished_count=studies.c.finished_count + 1)
            return True

    def reopen(self, sop_instance_uid: str) -> bool:
        """Take an instance's result back so that it is analysed anew, with fresh tries; False where there was none."""
        at = self._now()
        back = (
            update(instances)
            .where(instances.c.sop_instance_uid == sop_instance_uid, instances.c.state != InstanceState.RECEIVED)
            .values(state=InstanceState.RECEIVED, finding=None, finished_at=None, tries=0, last_attempt_at=at, **finding_columns(None))
        )
        with self._write() as connection:
            study_instance_uid = connection.execute(back.returning(instances.c.study_instance_uid)).scalar()
            if study_instance_uid is None:
                return False
            self._touch_study(connection, study_instance_uid, at, finished_count=studies.c.finished_count - 1)
            return True

    def unfinished_instances(self, older_than_s: float, limit: int = 1000) -> list[InstanceRow]:
        """Name the instances that wait for their result and were neither queued nor tried for so long; urgent ones first.

        Naming one counts as queueing it: however often the sweeper looks, an instance is named once in `older_than_s`, so a
        long queue does not grow by being swept.
        """
        at = self._now()
        stuck = (
            select(instances)
            .where(instances.c.state == InstanceState.RECEIVED, instances.c.last_attempt_at <= at - timedelta(seconds=older_than_s))
            .order_by(instances.c.last_attempt_at, instances.c.sop_instance_uid)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._write() as connection:
            named = [_instance(row) for row in connection.execute(stuck)]
            uids = [row.sop_instance_uid for row in named]
            if uids:
                connection.execute(update(instances).where(instances.c.sop_instance_uid.in_(uids)).values(last_attempt_at=at))
        return sorted(named, key=lambda row: -_URGENCY.index(row.priority))

    def oldest_unfinished_at(self) -> datetime | None:
        """When the instance that waits longest for its result was received."""
        with self._read() as connection:
            oldest = select(func.min(instances.c.received_at)).where(instances.c.state == InstanceState.RECEIVED)
            return connection.execute(oldest).scalar()

    def _instances(self, wanted: Select[Any]) -> list[InstanceRow]:
        with self._read() as connection:
            return [_instance(row) for row in connection.execute(wanted)]

    def _open_study(self, connection: Connection, header: InstanceHeader, patient: Patient, priority: Priority, at: datetime) -> None:
        opened = self._insert_once(
            connection,
            studies,
            study_instance_uid=header.study_instance_uid,
            state=StudyState.RECEIVING,
            priority=priority,
            first_received_at=at,
            last_received_at=at,
            updated_at=at,
            needs_conclusion=True,
            instance_count=0,
            finished_count=0,
            version=0,
            flag=TriageFlag.NOT_SCORED,
            density=Density.UNKNOWN,
            **triage_columns(TriageFlag.NOT_SCORED, None),
            **study_columns(header, patient),
        )
        if opened:
            self._tell(connection, "study.received", header.study_instance_uid)
        elif patient.key:
            nameless = update(studies).where(studies.c.study_instance_uid == header.study_instance_uid, studies.c.patient_key == "")
            connection.execute(nameless.values(**study_columns(header, patient)))

    def _count_received(self, connection: Connection, study_instance_uid: str, priority: Priority, at: datetime) -> None:
        self._touch_study(connection, study_instance_uid, at, last_received_at=at, instance_count=studies.c.instance_count + 1)
        lower = _URGENCY[: _URGENCY.index(priority)]
        raised = (
            update(studies)
            .where(studies.c.study_instance_uid == study_instance_uid, studies.c.priority.in_(lower))
            .values(priority=priority)
        )
        connection.execute(raised)

    def _touch_study(self, connection: Connection, study_instance_uid: str, at: datetime, **values: Any) -> None:
        connection.execute(
            update(studies).where(studies.c.study_instance_uid == study_instance_uid).values(updated_at=at, needs_conclusion=True, **values)
        )


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
