"""The ledger's pages on studies and their conclusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from service.domain.agreement import summarise_image
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionState,
    DeliveryState,
    ImageFinding,
    InstanceState,
    ObjectKind,
    Priority,
    TriageFlag,
)
from service.domain.patient import Patient
from service.store.corrections import as_correction
from service.store.decisions import Decisions, Planner
from service.store.derived_columns import conclusion_columns
from service.store.rows import Plan, StudyDelivery, StudyFilter, StudyRow, StudyState
from service.store.study_order import ORDERS, RANKS, triage_columns
from service.store.tables import conclusions, corrections, deliveries, instances, studies, study_holds

_ALL = StudyFilter()
_MOST = {_ALL, StudyFilter(held=False), *(StudyFilter(flag=flag) for flag in TriageFlag)}
"""Filters under which a page fills soon in the triage order."""
_OF_ONE_VERSION = (ObjectKind.CAD, ObjectKind.REPORT)
"""Objects that the next conclusion supersedes; the others stay what they are."""
_BAD = (DeliveryState.FAILED, DeliveryState.REJECTED, DeliveryState.MISMATCH)
_WAITING = (DeliveryState.PENDING, DeliveryState.SENT)


class Worklist(Decisions):
    def study(self, study_instance_uid: str) -> StudyRow | None:
        """Look one study up."""
        with self._read() as connection:
            found = _studies(connection, _WITH_CONCLUSION.where(studies.c.study_instance_uid == study_instance_uid))
        return found[0][0] if found else None

    def studies(
        self,
        order: Literal["received", "triage"] = "received",
        wanted: StudyFilter = _ALL,
        cursor: str | None = None,
        limit: int = 100,
    ) -> tuple[list[StudyRow], str | None]:
        """List studies page by page.

        Parameters
        ----------
        order
            "triage": suspicious first, higher scores first, then oldest first. "received": newest study first.
        wanted
            Only these studies.
        cursor
            What the former page returned; None for the first page.

        Returns
        -------
        Up to `limit` studies without their conclusions, and the cursor of the next page (None after the last).

        Raises
        ------
        CursorInvalid
            For a cursor that this order did not hand out.
        """
        with self._read() as connection:
            narrowed = select(studies).where(*_conditions(wanted, connection.dialect.name))
            found = _studies(connection, ORDERS[order].page(narrowed, cursor, limit + 1, walk=wanted in _MOST))
        page = found[:limit]
        more = ORDERS[order].cursor_after(page[-1][1]) if len(found) > limit else None
        return [study for study, _ in page], more

    def stations(self) -> list[str]:
        """Names of all stations that sent studies."""
        with self._read() as connection:
            return sorted(name for name in connection.execute(select(studies.c.station_name).distinct()).scalars() if name)

    def priors(self, study_instance_uid: str, limit: int = 20) -> list[StudyRow]:
        """Other studies of the same patient, newest first; none where the patient has no ID."""
        key = select(studies.c.patient_key).where(studies.c.study_instance_uid == study_instance_uid).scalar_subquery()
        same = select(studies).where(
            studies.c.patient_key == key, studies.c.patient_key != "", studies.c.study_instance_uid != study_instance_uid
        )
        with self._read() as connection:
            found = _studies(connection, same.order_by(studies.c.study_date.desc(), studies.c.first_received_at.desc()).limit(limit))
        return [study for study, _ in found]

    def record_conclusion(
        self, conclusion: Conclusion, plan: Callable[[Conclusion], Plan] | None = None, plan_correction: Planner | None = None
    ) -> Conclusion | None:
        """Enter a study's answer under the next version number, and what it owes to whom, in one transaction.

        Parameters
        ----------
        plan
            Says, for the numbered conclusion, what is to be delivered, what differs, and whether the study is held.
        plan_correction
            Says for a correction that policy approves what is to be delivered.

        Returns
        -------
        The conclusion with its number; None where nothing changed, which is when the current version has the same fingerprint,
        or when an instance ended since the findings were read (the answer would already be outdated: conclude again).

        Raises
        ------
        LookupError
            For an unknown study.
        """
        uid = conclusion.study_instance_uid
        with self._write() as connection:
            study = connection.execute(select(studies).where(studies.c.study_instance_uid == uid).with_for_update()).one_or_none()
            if study is None:
                raise LookupError("no such study in the ledger")
            if not _covers(conclusion, _findings(connection, uid)):
                return None
            settle = update(studies).where(studies.c.study_instance_uid == uid).values(needs_conclusion=False)
            current = select(conclusions.c.fingerprint).where(
                conclusions.c.study_instance_uid == uid, conclusions.c.version == study.version
            )
            if connection.execute(current).scalar() == conclusion.fingerprint:
                connection.execute(settle)
                return None
            numbered = conclusion.model_copy(update={"version": study.version + 1})
            connection.execute(
                conclusions.insert().values(
                    study_instance_uid=uid,
                    version=numbered.version,
                    fingerprint=numbered.fingerprint,
                    concluded_at=numbered.concluded_at,
                    conclusion=numbered.model_dump_json(),
                )
            )
            connection.execute(
                settle.values(
                    state=StudyState.CONCLUDED if numbered.complete else StudyState.PARTIAL,
                    version=numbered.version,
                    flag=numbered.flag,
                    score=numbered.score,
                    density=numbered.density,
                    **triage_columns(numbered.flag, numbered.score),
                    **conclusion_columns(numbered),
                )
            )
            for each in numbered.corrections:
                seen = update(instances).where(instances.c.sop_instance_uid == each.sop_instance_uid)
                connection.execute(seen.values(agreement=summarise_image(each)))
            self._tell_conclusion(connection, numbered)
            self._carry_out(connection, numbered, plan(numbered) if plan else Plan(), plan_correction or (lambda row: ()))
            return numbered

    def _carry_out(self, connection: Connection, conclusion: Conclusion, plan: Plan, plan_correction: Planner) -> None:
        uid = conclusion.study_instance_uid
        for planned in plan.deliveries:
            self._plan(connection, uid, conclusion.version, planned)
        if plan.hold:
            self._hold(connection, uid, plan.hold)
        for difference in plan.corrections:
            self._enter_correction(connection, uid, conclusion.version, difference)
        self._withdraw_others(connection, uid, conclusion.version)
        approved = select(corrections).where(corrections.c.study_instance_uid == uid, corrections.c.state == CorrectionState.APPROVED)
        for row in connection.execute(approved.order_by(corrections.c.id)).all():
            self._plan_decided(connection, as_correction(row), plan_correction)

    def _tell_conclusion(self, connection: Connection, conclusion: Conclusion) -> None:
        uid, version = conclusion.study_instance_uid, conclusion.version
        self._tell(connection, "study.concluded", uid, version=version, flag=conclusion.flag, complete=conclusion.complete)
        against = [each.sop_instance_uid for each in conclusion.corrections if Agreement.CONTRADICT in (each.view, each.laterality)]
        if against:
            self._tell(connection, "label.disagreement", uid, version=version, instances=against)

    def conclusions(self, study_instance_uid: str) -> list[Conclusion]:
        """Every version of a study's answer, first to current."""
        wanted = (
            select(conclusions.c.conclusion).where(conclusions.c.study_instance_uid == study_instance_uid).order_by(conclusions.c.version)
        )
        with self._read() as connection:
            return [Conclusion.model_validate_json(text) for text in connection.execute(wanted).scalars()]

    def studies_to_conclude(self, study_idle_seconds: float, limit: int = 1000) -> list[StudyRow]:
        """List studies whose instances all have ended, with a change that no conclusion knows, silent for so long."""
        waiting = (
            _WITH_CONCLUSION.where(
                studies.c.needs_conclusion,
                studies.c.updated_at <= self._now() - timedelta(seconds=study_idle_seconds),
                studies.c.finished_count == studies.c.instance_count,
            )
            .order_by(studies.c.updated_at)
            .limit(limit)
        )
        with self._read() as connection:
            return [study for study, _ in _studies(connection, waiting)]


_WITH_CONCLUSION = select(studies, conclusions.c.conclusion).outerjoin(
    conclusions, and_(conclusions.c.study_instance_uid == studies.c.study_instance_uid, conclusions.c.version == studies.c.version)
)


def _conditions(wanted: StudyFilter, dialect: str) -> Iterator[ColumnElement[bool]]:
    for value, column in (
        (wanted.state, studies.c.state),
        (wanted.flag, studies.c.flag),
        (wanted.agreement, studies.c.agreement),
        (wanted.density, studies.c.density),
        (wanted.station_name, studies.c.station_name),
        (wanted.priority, studies.c.priority),
        (wanted.study_date, studies.c.study_date),
        (wanted.patient_key, studies.c.patient_key),
    ):
        if value:
            yield column == value
    if wanted.flag:
        # The same said in the first column of the triage order.
        yield studies.c.triage_rank == RANKS[wanted.flag]
    if wanted.study_instance_uids:
        yield studies.c.study_instance_uid.in_(wanted.study_instance_uids)
    if wanted.held is not None:
        is_held = studies.c.study_instance_uid.in_(select(study_holds.c.study_instance_uid).where(study_holds.c.released_at.is_(None)))
        yield is_held if wanted.held else ~is_held
    if wanted.since is not None:
        yield studies.c.first_received_at >= wanted.since
    if wanted.until is not None:
        yield studies.c.first_received_at < wanted.until
    if text := " ".join(wanted.text.replace("^", " ").lower().split()):
        # Plain substrings: LIKE takes several times as long.
        yield (func.strpos if dialect == "postgresql" else func.instr)(studies.c.search, text) > 0


def _findings(connection: Connection, study_instance_uid: str) -> list[ImageFinding]:
    ended = select(instances.c.finding).where(
        instances.c.study_instance_uid == study_instance_uid, instances.c.state != InstanceState.RECEIVED
    )
    return [ImageFinding.model_validate_json(text) for text in connection.execute(ended).scalars()]


def _covers(conclusion: Conclusion, findings: Iterable[ImageFinding]) -> bool:
    concluded_on = {finding.sop_instance_uid: finding for finding in conclusion.images}
    return all(concluded_on.get(finding.sop_instance_uid) == finding for finding in findings)


def _studies(connection: Connection, wanted: Select[Any]) -> list[tuple[StudyRow, Row[Any]]]:
    rows = connection.execute(wanted).all()
    uids = [row.study_instance_uid for row in rows]
    states: dict[str, list[DeliveryState]] = {}
    owed = (
        select(deliveries.c.study_instance_uid, deliveries.c.state)
        .distinct()
        .join(studies, studies.c.study_instance_uid == deliveries.c.study_instance_uid)
        .where(
            or_(studies.c.version == deliveries.c.version, deliveries.c.kind.not_in(_OF_ONE_VERSION)),
            deliveries.c.study_instance_uid.in_(uids),
        )
    )
    for uid, state in connection.execute(owed):
        states.setdefault(uid, []).append(DeliveryState(state))
    held = select(study_holds.c.study_instance_uid).where(study_holds.c.study_instance_uid.in_(uids), study_holds.c.released_at.is_(None))
    held_uids = set(connection.execute(held).scalars())
    return [(_study(row, states.get(row.study_instance_uid, []), row.study_instance_uid in held_uids), row) for row in rows]


def _together(states: Sequence[DeliveryState]) -> StudyDelivery | None:
    owed = [state for state in states if state is not DeliveryState.UNSUPPORTED]
    bad = [state for state in _BAD if state in owed]
    if bad:
        return StudyDelivery.PARTIAL if DeliveryState.VERIFIED in owed else StudyDelivery(bad[0])
    waiting = [state for state in _WAITING if state in owed]
    if waiting:
        return StudyDelivery(waiting[0])
    return StudyDelivery.VERIFIED if owed else None


def _study(row: Row[Any], delivery_states: Sequence[DeliveryState], held: bool) -> StudyRow:
    return StudyRow(
        study_instance_uid=row.study_instance_uid,
        state=StudyState(row.state),
        priority=Priority(row.priority),
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        instance_count=row.instance_count,
        finished_count=row.finished_count,
        version=row.version,
        flag=TriageFlag(row.flag),
        score=row.score,
        density=row.density,
        updated_at=row.updated_at,
        needs_conclusion=row.needs_conclusion,
        patient=Patient(
            patient_id=row.patient_id,
            issuer=row.patient_key.removesuffix(f"|{row.patient_id}"),
            name=row.patient_name,
            birth_date=row.birth_date,
            sex=row.sex,
            age_years=row.age_years,
        ),
        study_date=row.study_date,
        accession_number=row.accession_number,
        institution=row.institution,
        station_name=row.station_name,
        manufacturer=row.manufacturer,
        agreement=Agreement(row.agreement) if row.agreement else None,
        scores={"R": row.score_right, "L": row.score_left},
        densities={"R": row.density_right, "L": row.density_left},
        concluded_at=row.concluded_at,
        conclusion=Conclusion.model_validate_json(text) if (text := getattr(row, "conclusion", None)) else None,
        delivery_state=_together(delivery_states),
        held=held,
    )
