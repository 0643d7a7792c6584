"""The ledger: the one record of what was received, found, decided and delivered. Queues only carry reminders of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from service.domain.events import EventKind
from service.domain.findings import Agreement, Conclusion
from service.store.accounts.api_keys import ApiKeys
from service.store.accounts.audit_log import AuditLog
from service.store.accounts.sessions import Sessions
from service.store.accounts.users import Users
from service.store.conclusions import Conclusions, Plan, covers_results, fingerprint_of, get_conclusion, insert_conclusion
from service.store.corrections import (
    CorrectionRow,
    Corrections,
    approved_corrections,
    enter_correction,
    lock_corrections,
    withdraw_corrections,
)
from service.store.counts import Counts
from service.store.database import Database, Transaction, now
from service.store.decisions import Decisions, plan_approved
from service.store.deliveries import Deliveries, PlannedDelivery, plan_delivery
from service.store.destinations import Destinations
from service.store.dicom_objects import DicomObjects
from service.store.events import Events, append_event
from service.store.failures import Failures
from service.store.feedback import Feedback
from service.store.holds import Holds, hold_kind, hold_study
from service.store.instances import InstanceRow, Instances
from service.store.patients.identities import StudyPatients
from service.store.quality import Quality
from service.store.samples import Samples
from service.store.studies import Studies, lock_study, mark_concluded, set_conclusion
from service.store.study_progress import StudyProgressQuery
from service.store.throughput import Throughput
from service.store.webhooks import Webhooks
from service.store.workers import Workers


class Ledger:
    """One database, read and written by repositories with one subject each; what spans several of them is a method here.

    Every method, here and of each repository, is one transaction, which is committed when it returns. Transactions lock rows in the order
    study, correction, delivery, event log, so that two of them never wait for each other. A ledger may be shared by threads, and any
    number of processes may open the same database; open it after a fork, not before. `migrate` must have run.

    Parameters
    ----------
    database_url
        As for `service.store.database.open_engine`.
    clock
        Returns the current time; tests give their own.
    """

    def __init__(self, database_url: str, clock: Callable[[], datetime] = now) -> None:
        self.database = database = Database(database_url, clock)
        self.instances = Instances(database)
        self.studies = Studies(database)
        self.conclusions = Conclusions(database)
        self.study_progress = StudyProgressQuery(database)
        self.corrections = Corrections(database)
        self.decisions = Decisions(database)
        self.holds = Holds(database)
        self.study_patients = StudyPatients(database)
        self.deliveries = Deliveries(database)
        self.destinations = Destinations(database)
        self.dicom_objects = DicomObjects(database)
        self.events = Events(database)
        self.webhooks = Webhooks(database)
        self.feedback = Feedback(database)
        self.quality = Quality(database)
        self.counts = Counts(database)
        self.throughput = Throughput(database)
        self.failures = Failures(database)
        self.workers = Workers(database)
        self.samples = Samples(database)
        self.users = Users(database)
        self.sessions = Sessions(database)
        self.api_keys = ApiKeys(database)
        self.audit_log = AuditLog(database)

    def ping(self) -> None:
        """Prove that the database answers and has its tables; raises SQLAlchemyError otherwise."""
        self.database.ping()

    def close(self) -> None:
        """Close every pooled connection; a later call opens new ones."""
        self.database.close()

    def record_conclusion(
        self,
        conclusion: Conclusion,
        images: Sequence[InstanceRow],
        plan: Callable[[Conclusion], Plan] = lambda numbered: Plan(),
        plan_correction: Callable[[CorrectionRow], Iterable[PlannedDelivery]] = lambda row: (),
    ) -> Conclusion | None:
        """Enter a study's conclusion under the next version number, together with everything that follows from it.

        Parameters
        ----------
        images
            The rows that the conclusion was drawn from.
        plan
            Says for the numbered conclusion what is to be delivered, what differs, and whether the study is held.
        plan_correction
            Says for an approved correction what is to be delivered.

        Returns
        -------
        The conclusion with its number; None where nothing changed: the current version has the same fingerprint, an instance ended
        since `images` were read (the conclusion would already be outdated: conclude again), or the study is held for its patients.

        Raises
        ------
        LookupError
            For an unknown study.
        """
        uid = conclusion.study_instance_uid
        with self.database.write() as tx:
            current = lock_study(tx, uid)
            kind = hold_kind(tx, uid)
            if (kind and kind.withholds_results) or not covers_results(tx, uid, images):
                return None
            if fingerprint_of(tx, uid, current) == conclusion.fingerprint:
                mark_concluded(tx, uid)
                if kept := get_conclusion(tx, uid, current):
                    # A hold that was released had taken the results off the worklist.
                    set_conclusion(tx, kept)
                return None
            lock_corrections(tx, uid)
            numbered = conclusion.model_copy(update={"version": current + 1})
            insert_conclusion(tx, numbered)
            set_conclusion(tx, numbered)
            _append_conclusion_events(tx, numbered)
            _carry_out(tx, numbered, plan(numbered), plan_correction)
            return numbered


def _append_conclusion_events(tx: Transaction, conclusion: Conclusion) -> None:
    uid, version = conclusion.study_instance_uid, conclusion.version
    append_event(tx, EventKind.STUDY_CONCLUDED, uid, version=version, flag=conclusion.flag, complete=conclusion.complete)
    against = [each.sop_instance_uid for each in conclusion.corrections if Agreement.CONTRADICT in (each.view, each.laterality)]
    if against:
        append_event(tx, EventKind.LABEL_DISAGREEMENT, uid, version=version, instances=against)


def _carry_out(
    tx: Transaction, conclusion: Conclusion, plan: Plan, plan_correction: Callable[[CorrectionRow], Iterable[PlannedDelivery]]
) -> None:
    uid, version = conclusion.study_instance_uid, conclusion.version
    for planned in plan.deliveries:
        plan_delivery(tx, uid, version, planned)
    if plan.hold:
        hold_study(tx, uid, plan.hold)
    for difference in plan.corrections:
        enter_correction(tx, uid, version, difference)
    withdraw_corrections(tx, uid, version)
    for row in approved_corrections(tx, uid):
        plan_approved(tx, row, plan_correction(row))
