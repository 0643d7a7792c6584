"""Studies: the worklist in its orders, and the row of a study that instances and conclusions keep up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, update

from models.vocabulary import Density
from service.domain.delivery_lifecycle import OPEN, UNPROVEN
from service.domain.events import EventKind
from service.domain.findings import Agreement, Conclusion, DeliveryState, InstanceHeader, ObjectKind, Priority, TriageFlag
from service.domain.patient import Patient
from service.domain.patients.identity import WITHHOLDING, HoldKind
from service.store.database import Database, Transaction
from service.store.derived_columns import conclusion_columns, study_columns
from service.store.events import append_event
from service.store.study_order import ORDERS, RANKS, triage_columns
from service.store.study_rows import StudyDelivery, StudyFilter, StudyRow, StudyState
from service.store.tables import conclusions, deliveries, studies, study_holds, study_patients

_ALL = StudyFilter()
_MOST = {_ALL, StudyFilter(held=False), *(StudyFilter(flag=flag) for flag in TriageFlag)}
"""Filters under which a page fills soon in the triage order."""
_OF_ONE_VERSION = (ObjectKind.CAD, ObjectKind.REPORT)
"""Objects that the next conclusion supersedes; the others stay valid."""
URGENCY = (Priority.BACKGROUND, Priority.ROUTINE, Priority.URGENT)
"""From the least to the most urgent."""


class Studies:
    """One row for each Study Instance UID, with everything that the worklist shows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, study_instance_uid: str) -> StudyRow | None:
        """Look one study up."""
        with self._database.read() as tx:
            found = _studies(tx, _WITH_CONCLUSION.where(studies.c.study_instance_uid == study_instance_uid))
        return found[0][0] if found else None

    def find(
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
            The cursor that the previous page returned; None for the first page.

        Returns
        -------
        Up to `limit` studies without their conclusions, and the cursor of the next page (None after the last).

        Raises
        ------
        CursorInvalid
            For a cursor of another order, or a damaged one.
        """
        with self._database.read() as tx:
            narrowed = select(studies).where(*_conditions(wanted, tx.dialect))
            found = _studies(tx, ORDERS[order].page(narrowed, cursor, limit + 1, walk=wanted in _MOST))
        page = found[:limit]
        more = ORDERS[order].cursor_after(page[-1][1]) if len(found) > limit else None
        return [study for study, _ in page], more

    def stations(self) -> list[str]:
        """Names of all stations that sent studies."""
        with self._database.read() as tx:
            return sorted(name for name in tx.execute(select(studies.c.station_name).distinct()).scalars() if name)

    def priors(self, study_instance_uid: str, limit: int = 20) -> list[StudyRow]:
        """Other studies of the same patient, newest first; none where the patient has no ID."""
        key = select(studies.c.patient_key).where(studies.c.study_instance_uid == study_instance_uid).scalar_subquery()
        same = select(studies).where(
            studies.c.patient_key == key, studies.c.patient_key != "", studies.c.study_instance_uid != study_instance_uid
        )
        with self._database.read() as tx:
            found = _studies(tx, same.order_by(studies.c.study_date.desc(), studies.c.first_received_at.desc()).limit(limit))
        return [study for study, _ in found]

    def to_conclude(self, study_idle_seconds: float, limit: int = 1000) -> list[StudyRow]:
        """List studies that need a conclusion, whose instances have all ended, and that have not changed for so long."""
        with self._database.read() as tx:
            waiting = _WITH_CONCLUSION.where(
                studies.c.needs_conclusion,
                studies.c.updated_at <= tx.now - timedelta(seconds=study_idle_seconds),
                studies.c.finished_count == studies.c.instance_count,
                studies.c.instance_count > 0,
                studies.c.study_instance_uid.not_in(held_studies(*WITHHOLDING)),
            )
            return [study for study, _ in _studies(tx, waiting.order_by(studies.c.updated_at).limit(limit))]


def open_study(tx: Transaction, header: InstanceHeader, patient: Patient, priority: Priority) -> bool:
    """Enter the study of an instance; False where it is known already."""
    opened = tx.insert_once(
        studies,
        study_instance_uid=header.study_instance_uid,
        state=StudyState.RECEIVING,
        priority=priority,
        first_received_at=tx.now,
        last_received_at=tx.now,
        updated_at=tx.now,
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
        append_event(tx, EventKind.STUDY_RECEIVED, header.study_instance_uid)
    return opened


def count_received(tx: Transaction, study_instance_uid: str, priority: Priority) -> None:
    """Count a new instance of a study, and raise the study's priority to that of the instance."""
    touch_study(tx, study_instance_uid, last_received_at=tx.now, instance_count=studies.c.instance_count + 1)
    lower = URGENCY[: URGENCY.index(priority)]
    raised = update(studies).where(studies.c.study_instance_uid == study_instance_uid, studies.c.priority.in_(lower))
    tx.execute(raised.values(priority=priority))


def touch_study(tx: Transaction, study_instance_uid: str, **values: Any) -> None:
    """Change a study because one of its instances changed: it needs another conclusion."""
    changed = update(studies).where(studies.c.study_instance_uid == study_instance_uid)
    tx.execute(changed.values(updated_at=tx.now, needs_conclusion=True, **values))


def lock_study(tx: Transaction, study_instance_uid: str) -> int:
    """Keep other transactions from concluding a study, and return the version of its current conclusion, 0 before the first.

    Raises LookupError for an unknown study.
    """
    wanted = select(studies.c.version).where(studies.c.study_instance_uid == study_instance_uid)
    # Others may still enter rows that refer to the study.
    version: int | None = tx.execute(wanted.with_for_update(key_share=True)).scalar()
    if version is None:
        raise LookupError("no such study in the ledger")
    return version


def withdraw_results(tx: Transaction, study_instance_uid: str) -> None:
    """Take score, flag and density of a study off the worklist, until its next conclusion."""
    touch_study(
        tx,
        study_instance_uid,
        flag=TriageFlag.NOT_SCORED,
        score=None,
        density=Density.UNKNOWN,
        **triage_columns(TriageFlag.NOT_SCORED, None),
        agreement=None,
        score_right=None,
        score_left=None,
        density_right=Density.UNKNOWN,
        density_left=Density.UNKNOWN,
    )


def mark_concluded(tx: Transaction, study_instance_uid: str, **values: Any) -> None:
    """Note that nothing has changed since the current conclusion was drawn."""
    tx.execute(update(studies).where(studies.c.study_instance_uid == study_instance_uid).values(needs_conclusion=False, **values))


def set_conclusion(tx: Transaction, conclusion: Conclusion) -> None:
    """Copy what the worklist shows of a numbered conclusion to its study."""
    mark_concluded(
        tx,
        conclusion.study_instance_uid,
        state=StudyState.CONCLUDED if conclusion.complete else StudyState.PARTIAL,
        version=conclusion.version,
        flag=conclusion.flag,
        score=conclusion.score,
        density=conclusion.density,
        **triage_columns(conclusion.flag, conclusion.score),
        **conclusion_columns(conclusion),
    )


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
        # The same condition on the first column of the triage order.
        yield studies.c.triage_rank == RANKS[wanted.flag]
    if wanted.study_instance_uids:
        yield studies.c.study_instance_uid.in_(wanted.study_instance_uids)
    if wanted.held is not None:
        is_held = studies.c.study_instance_uid.in_(held_studies(*HoldKind))
        yield is_held if wanted.held else ~is_held
    if wanted.since is not None:
        yield studies.c.first_received_at >= wanted.since
    if wanted.until is not None:
        yield studies.c.first_received_at < wanted.until
    if text := " ".join(wanted.text.replace("^", " ").lower().split()):
        # A search for a plain substring: LIKE takes several times as long.
        position = func.strpos if dialect == "postgresql" else func.instr
        # The further patients of a study too: one of them must not be found only under the name of the other.
        others = select(study_patients.c.study_instance_uid).where(position(study_patients.c.search, text) > 0)
        yield or_(position(studies.c.search, text) > 0, studies.c.study_instance_uid.in_(others))


def _studies(tx: Transaction, wanted: Select[Any]) -> list[tuple[StudyRow, Row[Any]]]:
    rows = tx.execute(wanted).all()
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
    for uid, state in tx.execute(owed):
        states.setdefault(uid, []).append(DeliveryState(state))
    held = select(study_holds.c.study_instance_uid, study_holds.c.kind, study_holds.c.reason).where(
        study_holds.c.study_instance_uid.in_(uids), study_holds.c.released_at.is_(None)
    )
    holds = {row.study_instance_uid: (HoldKind(row.kind), row.reason) for row in tx.execute(held)}
    return [(_study(row, states.get(row.study_instance_uid, []), holds.get(row.study_instance_uid)), row) for row in rows]


def held_studies(*kinds: HoldKind) -> Select[tuple[str]]:
    """Studies with a hold of one of these kinds."""
    return select(study_holds.c.study_instance_uid).where(study_holds.c.released_at.is_(None), study_holds.c.kind.in_(kinds))


def _together(states: Sequence[DeliveryState]) -> StudyDelivery | None:
    owed = [state for state in states if state is not DeliveryState.UNSUPPORTED]
    bad = [state for state in UNPROVEN if state in owed]
    if bad:
        return StudyDelivery.PARTIAL if DeliveryState.VERIFIED in owed else StudyDelivery(bad[0])
    waiting = [state for state in OPEN if state in owed]
    if waiting:
        return StudyDelivery(waiting[0])
    return StudyDelivery.VERIFIED if owed else None


def patient_of(row: Row[Any]) -> Patient:
    """The patient of a row of `studies`."""
    return Patient(
        patient_id=row.patient_id,
        issuer=row.patient_key.removesuffix(f"|{row.patient_id}"),
        name=row.patient_name,
        birth_date=row.birth_date,
        sex=row.sex,
        age_years=row.age_years,
    )


def _study(row: Row[Any], delivery_states: Sequence[DeliveryState], hold: tuple[HoldKind, str] | None) -> StudyRow:
    text = getattr(row, "conclusion", None)
    withheld = hold is not None and hold[0].withholds_results
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
        patient=patient_of(row),
        study_date=row.study_date,
        accession_number=row.accession_number,
        institution=row.institution,
        station_name=row.station_name,
        manufacturer=row.manufacturer,
        agreement=Agreement(row.agreement) if row.agreement else None,
        scores={"R": row.score_right, "L": row.score_left},
        densities={"R": row.density_right, "L": row.density_left},
        concluded_at=row.concluded_at,
        # A score of two patients' images, or of one of them under the other's name, is not shown.
        conclusion=Conclusion.model_validate_json(text) if text and not withheld else None,
        delivery_state=_together(delivery_states),
        held=hold is not None,
        hold_kind=hold[0] if hold else None,
        hold_reason=hold[1] if hold else "",
    )
