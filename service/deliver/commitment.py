"""Storage commitment (PS3.4 Annex J): the archive's promise to keep an object, where it gives one.

The promise says that the archive has an object under this UID and answers for it. It does not say that it is the object we sent:
an archive that kept its old copy commits to that one. So a commitment goes with the read-back and never replaces it where an
image is overwritten.
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

from service.deliver.comparison import InstanceReference
from service.deliver.dimse import NATIVE, associate
from service.deliver.retrieve_inbox import CommitmentReport, RetrieveInbox
from service.destinations import Destination
from service.errors import DeliveryError, NoContextAccepted

log = logging.getLogger(__name__)

WAIT_S = 5.0
"""An archive that promises at all does so at once or much later; a delivery does not wait for the second kind."""
REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 J.3.2)."""


@dataclass(frozen=True)
class Committed:
    """The archive answers for the object."""


@dataclass(frozen=True)
class Declined:
    """The archive says that it does not keep the object; `reason` as in PS3.3 C.14.1.1."""

    reason: int


@dataclass(frozen=True)
class Silent:
    """Offered and asked, but no word came."""


@dataclass(frozen=True)
class NotOffered:
    """The archive has no such service, or not for us."""


Commitment = Committed | Declined | Silent | NotOffered


def request_commitment(sought: InstanceReference, destination: Destination, our_ae: str, desk: RetrieveInbox) -> Commitment | None:
    """Ask for an object's commitment (N-ACTION), and wait for the answer (N-EVENT-REPORT).

    The answer may come over this association, which stays open for it, or over one of the archive's own to our listener.

    Returns
    -------
    Commitment | None
        None where the archive could not be asked just now. That is no error: there is no promise.
    """
    transaction = str(generate_uid())

    def take(event: Event) -> tuple[int, None]:
        return offer_report(event, desk)

    contexts = [(StorageCommitmentPushModel, list(NATIVE))]
    try:
        with (
            desk.expect_report(transaction) as tray,
            associate(destination, our_ae, contexts, (), [(evt.EVT_N_EVENT_REPORT, take)]) as association,
        ):
            status, _ = association.send_n_action(
                _request(transaction, sought), REQUEST_COMMITMENT, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            if status.get("Status") != 0x0000:
                return NotOffered()
            return _read(tray.report(WAIT_S), sought.sop_instance_uid)
    except NoContextAccepted:
        return NotOffered()
    except (DeliveryError, RuntimeError, ValueError) as error:
        log.info("storage commitment could not be asked for", extra={"destination": destination.name, "cause": type(error).__name__})
        return None


def _read(report: CommitmentReport | None, sop_instance_uid: str) -> Commitment:
    if report is None:
        return Silent()
    return Committed() if sop_instance_uid in report.committed else Declined(report.failed.get(sop_instance_uid, 0))


def _request(transaction_uid: str, sought: InstanceReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sought.sop_class_uid, sought.sop_instance_uid
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [item]
    return request


def offer_report(event: Event, desk: RetrieveInbox) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT (PS3.4 J.3.3) and hand what it says to whoever waits for it."""
    try:
        said = event.event_information
        committed = frozenset(str(item.ReferencedSOPInstanceUID) for item in said.get("ReferencedSOPSequence") or [])
        failed = {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0) for item in said.get("FailedSOPSequence") or []}
        desk.offer_report(str(said.TransactionUID), CommitmentReport(committed, failed))
    except (AttributeError, TypeError, ValueError, OSError):
        return 0x0110, None
    return 0x0000, None
