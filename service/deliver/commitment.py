"""Storage commitment (PS3.4 Annex J): the archive's promise to keep an object, where it gives one.

The promise says that the archive has an object under this UID and answers for it. It does not say that it is the object we sent:
an archive that kept its old copy commits to that one. So a commitment goes with the read-back and never replaces it where an
image is overwritten.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from service.deliver.errors import DeliveryError, NothingAccepted
from service.deliver.proof import Sought
from service.destinations import Destination
from service.store.returns import CommitmentReport, ReturnDesk, Tray

log = logging.getLogger(__name__)

WAIT_S = 5.0
"""An archive that promises at all does so at once or much later; the read-back does not wait for the second kind."""
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


class Promise:
    """A request on its way, or none."""

    def __init__(self, sop_uid: str, tray: Tray | None, otherwise: NotOffered | None = None) -> None:
        self._sop_uid = sop_uid
        self._tray = tray
        self._otherwise = otherwise

    def outcome(self, timeout_s: float = WAIT_S) -> Commitment | None:
        """Wait for the archive's word; None where it was not asked."""
        if self._tray is None:
            return self._otherwise
        report = self._tray.report(timeout_s)
        if report is None:
            return Silent()
        if self._sop_uid in report.committed:
            return Committed()
        return Declined(report.failed.get(self._sop_uid, 0))


@contextmanager
def ask_commitment(sought: Sought, destination: Destination, our_ae: str, desk: ReturnDesk, wanted: bool = True) -> Iterator[Promise]:
    """Ask for an object's commitment (N-ACTION), and take the answer while the block runs.

    The answer (N-EVENT-REPORT) may come over this association or over one of the archive's own to our listener. Nothing that goes
    wrong here is an error: it means that there is no promise.

    Parameters
    ----------
    wanted
        False: nothing is asked, and the promise is None.
    """
    if not wanted:
        yield Promise(sought.sop_uid, None)
        return
    transaction = str(generate_uid())

    def take(event: Event) -> tuple[int, None]:
        return take_report(event, desk)

    with desk.expect_report(transaction) as tray, ExitStack() as stack:
        promise = Promise(sought.sop_uid, None)
        try:
            contexts = [(StorageCommitmentPushModel, list(NATIVE))]
            association = stack.enter_context(associate(destination, our_ae, contexts, (), [(evt.EVT_N_EVENT_REPORT, take)]))
            status, _ = association.send_n_action(
                _request(transaction, sought), REQUEST_COMMITMENT, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            is_asked = status.get("Status") == 0x0000
            promise = Promise(sought.sop_uid, tray) if is_asked else Promise(sought.sop_uid, None, NotOffered())
        except NothingAccepted:
            promise = Promise(sought.sop_uid, None, NotOffered())
        except (DeliveryError, RuntimeError, ValueError) as error:
            log.info("storage commitment could not be asked for", extra={"destination": destination.name, "cause": type(error).__name__})
        yield promise


def _request(transaction_uid: str, sought: Sought) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sought.sop_class_uid, sought.sop_uid
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [item]
    return request


def take_report(event: Event, desk: ReturnDesk) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT (PS3.4 J.3.3) and hand what it says to whoever waits for it."""
    try:
        said = event.event_information
        committed = frozenset(str(item.ReferencedSOPInstanceUID) for item in said.get("ReferencedSOPSequence") or [])
        failed = {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0) for item in said.get("FailedSOPSequence") or []}
        desk.take_report(str(said.TransactionUID), CommitmentReport(committed, failed))
    except (AttributeError, TypeError, ValueError, OSError):
        return 0x0110, None
    return 0x0000, None
