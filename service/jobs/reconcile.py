"""Is everything still where the ledger says it is? Every received file against its sha256, every delivery against its destination.

It only looks: nothing is sent, changed or tried again. What is missing is a person's to decide about.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field
from pydicom.dataset import Dataset
from pynetdicom.dsutils import split_dataset

from service.deliver.comparison import Missing, NotApplied, Unproven, Verified
from service.deliver.readback import verify
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DeliveryError
from service.jobs.context import Context
from service.jobs.object_building import BUILD_ERRORS, Payload, build
from service.report.sr_class import DIALECTS, as_dialect
from service.store.deliveries import DeliveryRow

log = logging.getLogger(__name__)

STUDIES_AT_ONCE = 50
BLOCK_BYTES = 1 << 20
SILENT_AFTER = 3
"""Failures in a row after which a destination is asked no more: each question to one that is away takes its whole timeout."""


class Result(StrEnum):
    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"
    """Other bytes than were received; another content than was sent."""
    UNVERIFIED = "unverified"
    """Nobody could look: no answer, no way to read back, or nothing left to compare with."""


def nothing_yet() -> dict[str, int]:
    """A zero for each result."""
    return {result.value: 0 for result in Result}


class Discrepancy(BaseModel):
    """Something that is not as the ledger says. UIDs and states only, nothing of a patient."""

    subject: Literal["instance", "delivery"]
    result: Result
    study_instance_uid: str
    sop_instance_uid: str
    detail: str
    destination: str = ""
    delivery_id: int = 0
    kind: str = ""
    state: str = Field("", description="what the ledger says of the delivery")


class Reconciliation(BaseModel):
    """What one look came to."""

    started_at: datetime
    finished_at: datetime | None = None
    complete: bool = Field(False, description="false where it was stopped on the way")
    studies: int = 0
    instances: dict[str, int] = Field(default_factory=nothing_yet, description="received files, by result")
    deliveries: dict[str, dict[str, int]] = Field(default_factory=dict, description="by destination and result")
    in_progress: int = Field(0, description="deliveries that have not ended: not looked for")
    discrepancies: list[Discrepancy] = []

    @property
    def exit_status(self) -> int:
        """0: all sound. 1: something is missing or changed. 3: not everything could be looked at."""
        results = {each.result for each in self.discrepancies}
        if results & {Result.MISSING, Result.CHANGED}:
            return 1
        return 3 if results or not self.complete else 0


def reconcile(context: Context, stop: threading.Event | None = None, study_instance_uid: str | None = None) -> Reconciliation:
    """Look at every study, newest first.

    Parameters
    ----------
    stop
        Ends the look early, between two objects; what was seen so far is returned.
    study_instance_uid
        Only this study.
    """
    report = Reconciliation(started_at=datetime.now(UTC))
    failures: Counter[str] = Counter()
    stop = stop or threading.Event()
    for uid in [study_instance_uid] if study_instance_uid else _study_uids(context):
        _check_instances(context, uid, report, stop)
        _check_deliveries(context, uid, report, failures, stop)
        if stop.is_set():
            break
        report.studies += 1
    return report.model_copy(update={"finished_at": datetime.now(UTC), "complete": not stop.is_set()})


def check_file(path: Path, sha256: str) -> tuple[Result, str]:
    """Compare the data set of a stored part 10 file (PS3.10 7) with what the ledger noted when it was received."""
    try:
        _, offset = split_dataset(path)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except FileNotFoundError:
        return Result.MISSING, "the file is gone"
    except OSError as error:
        return Result.UNVERIFIED, f"the file cannot be read ({type(error).__name__})"
    except Exception as error:  # pydicom raises almost anything for a damaged file meta
        return Result.CHANGED, f"the file is no DICOM file any more ({type(error).__name__})"
    return (Result.OK, "") if digest.hexdigest() == sha256 else (Result.CHANGED, "the file holds other bytes than were received")


def _study_uids(context: Context) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page, cursor = context.ledger.studies.find(order="received", cursor=cursor, limit=STUDIES_AT_ONCE)
        yield from (study.study_instance_uid for study in page)
        if cursor is None:
            return


def _check_instances(context: Context, study_instance_uid: str, report: Reconciliation, stop: threading.Event) -> None:
    received = [(row.sop_instance_uid, row.path, row.sha256) for row in context.ledger.instances.of_study(study_instance_uid)]
    received += [(row.sop_instance_uid, row.path, row.sha256) for row in context.ledger.instances.conflicts(study_instance_uid)]
    for sop_instance_uid, path, sha256 in received:
        if stop.is_set():
            return
        result, detail = check_file(context.store.path(path), sha256)
        report.instances[result] += 1
        if result is not Result.OK:
            report.discrepancies.append(
                Discrepancy(
                    subject="instance",
                    result=result,
                    study_instance_uid=study_instance_uid,
                    sop_instance_uid=sop_instance_uid,
                    detail=detail,
                )
            )


def _check_deliveries(
    context: Context, study_instance_uid: str, report: Reconciliation, failures: Counter[str], stop: threading.Event
) -> None:
    # Under one UID the archive holds what came last: a correction that was undone in place is rightly there no more.
    latest = {(row.destination, row.object_uid): row for row in context.ledger.deliveries.find(study_instance_uid=study_instance_uid)}
    for row in latest.values():
        if stop.is_set():
            return
        if row.state.is_open:
            report.in_progress += 1
        elif row.state is not DeliveryState.UNSUPPORTED:
            result, detail = _look(context, row, failures)
            report.deliveries.setdefault(row.destination, nothing_yet())[result] += 1
            if result is not Result.OK:
                report.discrepancies.append(_discrepancy(row, result, detail))


def _look(context: Context, row: DeliveryRow, failures: Counter[str]) -> tuple[Result, str]:
    """Ask a destination for one object; one that ended badly may be there all the same."""
    destination = context.destination(row.destination)
    if destination is None:
        return Result.UNVERIFIED, "the destination is no longer configured"
    if failures[row.destination] >= SILENT_AFTER:
        return Result.UNVERIFIED, "the destination does not answer"
    try:
        payload = build_as_sent(context, row, destination)
    except BUILD_ERRORS as error:
        return Result.UNVERIFIED, f"there is nothing left to compare with ({type(error).__name__})"
    try:
        proof = verify(payload, destination, context.settings.ae_title, RetrieveInbox(context.settings.data_dir))
    except DeliveryError as error:
        failures[row.destination] += 1
        return Result.UNVERIFIED, str(error)
    failures[row.destination] = 0
    match proof:
        case Verified():
            return Result.OK, ""
        case Missing():
            return Result.MISSING, "the destination does not hold it"
        case NotApplied(attributes):
            return Result.CHANGED, f"the destination holds another copy; it differs in {', '.join(attributes)}"
        case Unproven(reason):
            return Result.UNVERIFIED, reason


def build_as_sent(context: Context, row: DeliveryRow, destination: Destination) -> Payload:
    """Make the object of a delivery in the dialect in which it went out: the ledger knows that by its UID."""
    payload = build(context, row, destination)
    if isinstance(payload, Dataset) and row.kind is ObjectKind.REPORT and payload.SOPInstanceUID != row.object_uid:
        written = (as_dialect(payload, dialect) for dialect in DIALECTS)
        payload = next(report for report in written if report.SOPInstanceUID == row.object_uid)
    return payload


def _discrepancy(row: DeliveryRow, result: Result, detail: str) -> Discrepancy:
    return Discrepancy(
        subject="delivery",
        result=result,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.object_uid,
        detail=detail,
        destination=row.destination,
        delivery_id=row.id,
        kind=row.kind,
        state=row.state,
    )
