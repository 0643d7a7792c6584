"""Storage commitment (PS3.4 Annex J): the archive's promise to keep an object.

The promise covers the object that the archive has under this UID. It does not say that this is the object we sent: an archive that
kept its old copy commits to that one. For an overwritten image a commitment therefore never replaces the read-back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from service.deliver.dimse import NATIVE, associate
from service.deliver.retrieve_inbox import CommitmentReport, RetrieveInbox
from service.destinations import Destination
from service.domain.instance_reference import InstanceReference
from service.errors import DeliveryError, NoContextAccepted

log = logging.getLogger(__name__)

WAIT_S = 5.0
"""Archives answer at once or much later; a delivery waits only for the first."""
REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 J.3.2)."""
SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110
"""DIMSE statuses (PS3.7 Annex C)."""


@dataclass(frozen=True)
class Committed:
    """The archive keeps the object."""


@dataclass(frozen=True)
class Declined:
    """The archive does not keep the object; `reason` as in PS3.3 C.14.1.1."""

    reason: int


@dataclass(frozen=True)
class Silent:
    """The archive accepted the request and sent no report in time."""


@dataclass(frozen=True)
class NotOffered:
    """The archive does not offer storage commitment to our AE title."""


Commitment = Committed | Declined | Silent | NotOffered


def request_commitment(reference: InstanceReference, destination: Destination, our_ae: str, inbox: RetrieveInbox) -> Commitment | None:
    """Ask an archive to commit to an object (N-ACTION), and wait for its report (N-EVENT-REPORT).

    The archive may report over this association, which stays open for it, or over its own association to our listener.

    Returns
    -------
    Commitment | None
        None if the archive could not be asked just now. That is no error: there is only no promise.
    """
    transaction = str(generate_uid())

    def handle(event: Event) -> tuple[int, None]:
        return answer_event_report(event, inbox)

    contexts = [(StorageCommitmentPushModel, list(NATIVE))]
    try:
        with (
            inbox.expect_report(transaction) as pending,
            associate(destination, our_ae, contexts, (), [(evt.EVT_N_EVENT_REPORT, handle)]) as association,
        ):
            status, _ = association.send_n_action(
                _request(transaction, reference), REQUEST_COMMITMENT, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            if status.get("Status") != SUCCESS:
                return NotOffered()
            return _read(pending.wait(WAIT_S), reference.sop_instance_uid)
    except NoContextAccepted:
        return NotOffered()
    except (DeliveryError, RuntimeError, ValueError) as error:
        log.info("worker could not request storage commitment", extra={"destination": destination.name, "cause": type(error).__name__})
        return None


def _read(report: CommitmentReport | None, sop_instance_uid: str) -> Commitment:
    if report is None:
        return Silent()
    return Committed() if sop_instance_uid in report.committed else Declined(report.failed.get(sop_instance_uid, 0))


def _request(transaction_uid: str, reference: InstanceReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [item]
    return request


def answer_event_report(event: Event, inbox: RetrieveInbox) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT (PS3.4 J.3.3) and give its report to the worker that waits for it.

    Returns
    -------
    DIMSE status, and no data set.
    """
    try:
        information = event.event_information
        committed = frozenset(str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence") or [])
        failures = information.get("FailedSOPSequence") or []
        failed = {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0) for item in failures}
        inbox.offer_report(str(information.TransactionUID), CommitmentReport(committed, failed))
    except (AttributeError, TypeError, ValueError, OSError):
        return PROCESSING_FAILURE, None
    return SUCCESS, None
