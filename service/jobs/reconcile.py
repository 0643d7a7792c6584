"""Reconciliation: compare every received file with its sha256, and every delivery with what its destination holds.

It only reads: it sends and changes nothing. A person decides what to do about a discrepancy.
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
from pynetdicom.dsutils import split_dataset

from service.deliver.comparison import Mismatch, NotFound, Unverified, Verified
from service.deliver.readback import verify
from service.deliver.retrieve_inbox import RetrieveInbox
from service.domain.findings import DeliveryState
from service.errors import DeliveryError
from service.jobs.context import Context
from service.jobs.object_building import BUILD_ERRORS, build
from service.store.deliveries import DeliveryRow

log = logging.getLogger(__name__)

STUDIES_PER_PAGE = 50
BLOCK_BYTES = 1 << 20
MAX_FAILURES = 3
"""Failures in a row after which a destination is not asked again: each question to an absent one takes its whole timeout."""


class Result(StrEnum):
    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"
    """The file has other bytes than the received one; the destination holds another content than was sent."""
    UNVERIFIED = "unverified"
    """No comparison was possible: no answer, no read-back configured, or the object can no longer be built."""


def zero_counts() -> dict[str, int]:
    """A zero for each result."""
    return {result.value: 0 for result in Result}


class Discrepancy(BaseModel):
    """An instance or a delivery that differs from the ledger. UIDs and states only, no patient data."""

    subject: Literal["instance", "delivery"]
    result: Result
    study_instance_uid: str
    sop_instance_uid: str
    detail: str
    destination: str = ""
    delivery_id: int = 0
    kind: str = ""
    state: str = Field("", description="state of the delivery in the ledger")


class Reconciliation(BaseModel):
    """The result of one reconciliation."""

    started_at: datetime
    finished_at: datetime | None = None
    complete: bool = Field(False, description="false if it was stopped before the end")
    studies: int = 0
    instances: dict[str, int] = Field(default_factory=zero_counts, description="received files, by result")
    deliveries: dict[str, dict[str, int]] = Field(default_factory=dict, description="by destination and result")
    in_progress: int = Field(0, description="deliveries that have not ended: not compared")
    discrepancies: list[Discrepancy] = []

    @property
    def exit_status(self) -> int:
        """0: everything is ok. 1: something is missing or changed. 3: not everything could be compared."""
        results = {each.result for each in self.discrepancies}
        if results & {Result.MISSING, Result.CHANGED}:
            return 1
        return 3 if results or not self.complete else 0


def reconcile(context: Context, stop: threading.Event | None = None, study_instance_uid: str | None = None) -> Reconciliation:
    """Compare every study, newest first.

    Parameters
    ----------
    stop
        Ends the reconciliation early, between two objects; the result so far is returned.
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
    """Compare the data set of a stored part 10 file (PS3.10 7) with the sha256 that the ledger noted when it was received."""
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
        return Result.CHANGED, f"the file is no longer a DICOM file ({type(error).__name__})"
    return (Result.OK, "") if digest.hexdigest() == sha256 else (Result.CHANGED, "the file holds other bytes than were received")


def _study_uids(context: Context) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page, cursor = context.ledger.studies.find(order="received", cursor=cursor, limit=STUDIES_PER_PAGE)
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
    # An archive holds the last object under one UID: after an undo in place it rightly no longer holds the correction.
    latest = {(row.destination, row.object_uid): row for row in context.ledger.deliveries.find(study_instance_uid=study_instance_uid)}
    for row in latest.values():
        if stop.is_set():
            return
        if row.state.is_open:
            report.in_progress += 1
        elif row.state is not DeliveryState.UNSUPPORTED:
            result, detail = _compare(context, row, failures)
            report.deliveries.setdefault(row.destination, zero_counts())[result] += 1
            if result is not Result.OK:
                report.discrepancies.append(_discrepancy(row, result, detail))


def _compare(context: Context, row: DeliveryRow, failures: Counter[str]) -> tuple[Result, str]:
    """Read one object back from its destination. The destination may hold it even if its delivery failed."""
    destination = context.destination(row.destination)
    if destination is None:
        return Result.UNVERIFIED, "the destination is no longer configured"
    if failures[row.destination] >= MAX_FAILURES:
        return Result.UNVERIFIED, "the destination does not answer"
    try:
        payload = build(context, row, destination)
    except BUILD_ERRORS as error:
        return Result.UNVERIFIED, f"the object can no longer be built ({type(error).__name__}), so it is not compared"
    try:
        proof = verify(payload, destination, context.settings.ae_title, RetrieveInbox(context.settings.data_dir))
    except DeliveryError as error:
        failures[row.destination] += 1
        return Result.UNVERIFIED, str(error)
    failures[row.destination] = 0
    match proof:
        case Verified():
            return Result.OK, ""
        case NotFound():
            return Result.MISSING, "the destination does not hold it"
        case Mismatch(keywords):
            return Result.CHANGED, f"the destination holds another copy; it differs in {', '.join(keywords)}"
        case Unverified(reason):
            return Result.UNVERIFIED, reason


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
