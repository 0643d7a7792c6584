"""The ledger's pages on studies and their conclusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, select, update

from service.domain.findings import Conclusion, DeliveryState, ImageFinding, InstanceState, Priority, TriageFlag
from service.store.outbox import Outbox
from service.store.rows import PlannedDelivery, StudyRow, StudyState
from service.store.tables import conclusions, deliveries, instances, studies
from service.store.triage_order import ORDERS, triage_columns

_WORST_FIRST = (
    DeliveryState.FAILED,
    DeliveryState.NOT_APPLIED,
    DeliveryState.PENDING,
    DeliveryState.SENT,
    DeliveryState.VERIFIED,
)


class Worklist(Outbox):
    def study(self, study_uid: str) -> StudyRow | None:
        """Look one study up."""
        with self._read() as connection:
            found = _studies(connection, _WITH_CONCLUSION.where(studies.c.study_uid == study_uid))
        return found[0][0] if found else None

    def studies(
        self,
        order: Literal["received", "triage"] = "received",
        state: StudyState | str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> tuple[list[StudyRow], str | None]:
        """List studies page by page.

        Parameters
        ----------
        order
            "triage": suspicious first, higher scores first, then oldest first. "received": newest study first.
        state
            Only studies in this state.
        cursor
            What the former page returned; None for the first page.

        Returns
        -------
        Up to `limit` studies, and the cursor of the next page (None after the last).

        Raises
        ------
        CursorInvalid
            For a cursor that this order did not hand out.
        """
        wanted = _WITH_CONCLUSION
        if state is not None:
            wanted = wanted.where(studies.c.state == state)
        with self._read() as connection:
            found = _studies(connection, ORDERS[order].page(wanted, cursor, limit + 1))
        page = found[:limit]
        more = ORDERS[order].cursor_after(page[-1][1]) if len(found) > limit else None
        return [study for study, _ in page], more

    def record_conclusion(
        self, conclusion: Conclusion, plan: Callable[[Conclusion], Iterable[PlannedDelivery]] | None = None
    ) -> Conclusion | None:
        """Enter a study's answer under the next version number, and what it owes to whom, in one transaction.

        Parameters
        ----------
        plan
            Says, for the numbered conclusion, what is to be delivered.

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
            study = connection.execute(select(studies).where(studies.c.study_uid == uid).with_for_update()).one_or_none()
            if study is None:
                raise LookupError("no such study in the ledger")
            if not _covers(conclusion, _findings(connection, uid)):
                return None
            settle = update(studies).where(studies.c.study_uid == uid).values(unsettled=False)
            current = select(conclusions.c.fingerprint).where(conclusions.c.study_uid == uid, conclusions.c.version == study.version)
            if connection.execute(current).scalar() == conclusion.fingerprint:
                connection.execute(settle)
                return None
            numbered = conclusion.model_copy(update={"version": study.version + 1})
            connection.execute(
                conclusions.insert().values(
                    study_uid=uid,
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
                )
            )
            for planned in plan(numbered) if plan else ():
                self._plan(connection, uid, numbered.version, planned)
            return numbered

    def conclusions(self, study_uid: str) -> list[Conclusion]:
        """Every version of a study's answer, first to current."""
        wanted = select(conclusions.c.conclusion).where(conclusions.c.study_uid == study_uid).order_by(conclusions.c.version)
        with self._read() as connection:
            return [Conclusion.model_validate_json(text) for text in connection.execute(wanted).scalars()]

    def studies_to_conclude(self, quiet_seconds: float, limit: int = 1000) -> list[StudyRow]:
        """List studies whose instances all have ended, with a change that no conclusion knows, silent for so long."""
        waiting = (
            _WITH_CONCLUSION.where(
                studies.c.unsettled,
                studies.c.changed_at <= self._now() - timedelta(seconds=quiet_seconds),
                studies.c.finished_count == studies.c.instance_count,
            )
            .order_by(studies.c.changed_at)
            .limit(limit)
        )
        with self._read() as connection:
            return [study for study, _ in _studies(connection, waiting)]


_WITH_CONCLUSION = select(studies, conclusions.c.conclusion).outerjoin(
    conclusions, and_(conclusions.c.study_uid == studies.c.study_uid, conclusions.c.version == studies.c.version)
)


def _findings(connection: Connection, study_uid: str) -> list[ImageFinding]:
    ended = select(instances.c.finding).where(instances.c.study_uid == study_uid, instances.c.state != InstanceState.RECEIVED)
    return [ImageFinding.model_validate_json(text) for text in connection.execute(ended).scalars()]


def _covers(conclusion: Conclusion, findings: Iterable[ImageFinding]) -> bool:
    concluded_on = {finding.sop_instance_uid: finding for finding in conclusion.images}
    return all(concluded_on.get(finding.sop_instance_uid) == finding for finding in findings)


def _studies(connection: Connection, wanted: Select[Any]) -> list[tuple[StudyRow, Row[Any]]]:
    rows = connection.execute(wanted).all()
    delivery_states: dict[str, list[DeliveryState]] = {}
    current = (
        select(deliveries.c.study_uid, deliveries.c.state)
        .distinct()
        .join(studies, and_(studies.c.study_uid == deliveries.c.study_uid, studies.c.version == deliveries.c.version))
    )
    for uid, state in connection.execute(current.where(studies.c.study_uid.in_([row.study_uid for row in rows]))):
        delivery_states.setdefault(uid, []).append(DeliveryState(state))
    return [(_study(row, delivery_states.get(row.study_uid, [])), row) for row in rows]


def _study(row: Row[Any], delivery_states: list[DeliveryState]) -> StudyRow:
    return StudyRow(
        study_uid=row.study_uid,
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
        conclusion=Conclusion.model_validate_json(row.conclusion) if row.conclusion else None,
        delivery_state=min(delivery_states, key=_WORST_FIRST.index, default=None),
    )
