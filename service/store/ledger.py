"""The ledger: the truth about what was received, found and delivered. Queues only carry reminders of it."""

from __future__ import annotations

from sqlalchemy import func, select

from service.domain.findings import CorrectionState, DeliveryState, InstanceState
from service.store.accounts import Accounts
from service.store.counts import Tallies
from service.store.destinations import Peers
from service.store.dicom_objects import Produce
from service.store.feedback import Readers
from service.store.instances import Intake
from service.store.migrate import migrate
from service.store.quality import Quality
from service.store.rows import Accepted, ConflictRow, DeliveryRow, InstanceRow, PlannedDelivery, StudyRow, StudyState
from service.store.studies import Worklist
from service.store.study_order import CursorInvalid
from service.store.study_progress import Standings
from service.store.tables import conflicts, corrections, deliveries, instances, studies
from service.store.workers import Workshop

__all__ = [
    "Accepted",
    "ConflictRow",
    "CursorInvalid",
    "DeliveryRow",
    "InstanceRow",
    "Ledger",
    "PlannedDelivery",
    "StudyRow",
    "StudyState",
    "migrate",
]


class Ledger(Intake, Worklist, Standings, Peers, Tallies, Accounts, Readers, Quality, Workshop, Produce):
    """One database: instances (`Intake`), studies and conclusions (`Worklist`) on decisions on deliveries on corrections on events
    (its bases, `Decisions`, `Outbox`, `Corrections`, `Chronicle`), destinations (`Peers`), numbers (`Tallies`), people and keys
    (`Accounts`), readers' feedback (`Readers`), quality figures (`Quality`), workers (`Workshop`), objects that were built
    (`Produce`), and how far a study is (`Standings`).

    Every method is one transaction, and committed when it returns. A ledger may be shared by threads, and any number of
    processes may open the same database; open it after a fork, not before. `migrate` must have run.
    """

    def counts(self) -> dict[str, dict[str, int]]:
        """Count instances, studies, deliveries and corrections by state, and conflicts; states without any are there as 0."""
        answer: dict[str, dict[str, int]] = {}
        with self._read() as connection:
            subjects = ((instances, InstanceState), (studies, StudyState), (deliveries, DeliveryState), (corrections, CorrectionState))
            for table, states in subjects:
                counted = {str(state): 0 for state in states}
                for state, count in connection.execute(select(table.c.state, func.count()).group_by(table.c.state)):
                    counted[state] = count
                answer[table.name] = counted
            answer["conflicts"] = {"kept": connection.execute(select(func.count()).select_from(conflicts)).scalar_one()}
        return answer
