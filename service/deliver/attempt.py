"""One delivery, one try: look whether the object is there, send it, look again. Only proof ends in VERIFIED.

An object is sent once: a delivery that the peer took is only looked for from then on, whatever the look says. A person who asks for
another try (`Decisions.retry`) starts the delivery anew. Where a worker dies between the peer's yes and the ledger's note of it, the next
one looks before it sends: only a peer that nobody can look into gets such an object twice, under the same UID.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydicom.dataset import Dataset
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from service.deliver import archive_api, dicomweb, dimse
from service.deliver.commitment import Commitment, Committed, Declined, NotOffered, Silent, request_commitment
from service.deliver.comparison import Changes, Missing, NotApplied, Proof, Unproven, Verified, seek
from service.deliver.readback import verify
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DeliveryError, DestinationRefused, SopClassRefused
from service.settings import Settings
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 1800.0
ASK_AGAIN = timedelta(hours=1)
"""A peer that offers storage commitment and never answers is asked again after so long."""
WORDS = {Silent: "no answer to storage commitment", Declined: "storage commitment declined"}
OWED = (ObjectKind.CORRECTED, ObjectKind.REVERTED)
"""Somebody decided that these reach the destination: one that does not take them refuses them."""


def deliver(
    delivery: DeliveryRow, payload: Dataset | Changes, destination: Destination, ledger: Ledger, settings: Settings
) -> DeliveryState:
    """Bring an object to a destination, or have its archive change an image, and write down what came of it.

    What is there already and equal is not sent again, so a delivery may be tried any number of times.

    Parameters
    ----------
    delivery
        As claimed from the ledger, which counted this try.
    payload
        The object, with file meta; or the new values of an image (`corrections.mode` archive-api).

    Returns
    -------
    DeliveryState
        A terminal state, or PENDING or SENT where another try is scheduled.
    """
    return DeliveryAttempt(delivery, payload, destination, ledger, settings).run()


def backoff_s(tries: int, first_s: float) -> float:
    """Pause before the next try: doubles with each, is capped, and is spread by half so that retries do not come in step."""
    return min(LONGEST_PAUSE_S, first_s * 2.0 ** min(tries - 1, 32)) * random.uniform(0.75, 1.25)


@dataclass
class DeliveryAttempt:
    delivery: DeliveryRow
    payload: Dataset | Changes
    destination: Destination
    ledger: Ledger
    settings: Settings

    def __post_init__(self) -> None:
        self.state = self.delivery.state
        self.name = self.destination.name
        self.desk = RetrieveInbox(self.settings.data_dir)

    def run(self) -> DeliveryState:
        try:
            outcome = self._send_and_prove()
        except SopClassRefused as error:
            return self._leave_out(error)
        except DeliveryError as error:
            status = error.status if isinstance(error, DestinationRefused) else None
            if not error.transient:
                self._answered()
                return self._finish(DeliveryState.REJECTED, str(error), status)
            self._failed(str(error))
            return self._retry(str(error), status=status)
        self._answered()
        return outcome

    def _send_and_prove(self) -> DeliveryState:
        status = self.delivery.status
        if self.state is not DeliveryState.SENT:
            proof = self._look()
            if isinstance(proof, Verified):
                return self._finish(DeliveryState.VERIFIED)
            if isinstance(proof, Missing) and not isinstance(self.payload, Dataset):
                return self._retry(f"{self.name} does not hold the image that it is to change")
            status = self._send()
            if not self.ledger.deliveries.mark_sent(self.delivery.id):
                # Another worker had the lease meanwhile, and brought it to an end.
                return self._ended()
            self.state = DeliveryState.SENT
        proof = self._look()
        # After the look, not beside it: a small archive may have room for one association of ours.
        worth_it = isinstance(proof, Verified | Unproven) and self._may_ask()
        commitment = request_commitment(seek(self.payload), self.destination, self.settings.ae_title, self.desk) if worth_it else None
        if isinstance(commitment, Silent | NotOffered):
            # So that not every object pays for the question.
            self.ledger.destinations.record_capabilities(self.name, {StorageCommitmentPushModel: False})
        return self._conclude(proof, commitment, status)

    def _look(self) -> Proof:
        return verify(self.payload, self.destination, self.settings.ae_title, self.desk)

    def _send(self) -> int:
        if not isinstance(self.payload, Dataset):
            if self.destination.archive is None:
                raise DestinationRefused(f'{self.name}: corrections.mode "archive-api" needs archive')
            return archive_api.apply(self.payload, self.destination.archive, self.name)
        if self.destination.dicomweb is not None:
            return dicomweb.store(self.payload, self.destination.dicomweb, self.name)
        return dimse.send(self.payload, self.destination, self.settings.ae_title)

    def _may_ask(self) -> bool:
        """Storage commitment is for objects sent over DIMSE to a peer that wants to be asked and is known to answer."""
        if not (self.destination.commitment and self.destination.ae_title and isinstance(self.payload, Dataset)):
            return False
        known = self.ledger.destinations.health(self.name)
        if known is None or known.asked_at is None or (known.capabilities or {}).get(StorageCommitmentPushModel, True):
            return True
        return datetime.now(UTC) - known.asked_at > ASK_AGAIN

    def _conclude(self, proof: Proof, commitment: Commitment | None, status: int | None) -> DeliveryState:
        """Settle what a look and a promise say together of an object that the peer took."""
        match proof, commitment:
            case Verified(), Declined(reason):
                return self._retry(f"{self.name} holds the object but does not commit to keep it (reason 0x{reason:04X})", status=status)
            case Verified(), _:
                return self._finish(DeliveryState.VERIFIED, status=status)
            case NotApplied(attributes), _:
                message = f"{self.name} keeps another copy under this UID; it differs in {', '.join(attributes)}"
                if self.delivery.state is DeliveryState.SENT:
                    return self._finish(DeliveryState.MISMATCH, message, status)
                # An archive may store first and index later: it is looked at twice before it is said to have done nothing.
                return self._retry(message, DeliveryState.MISMATCH, status)
            case Missing(), _:
                return self._retry(f"{self.name} accepted the object but does not hold it", DeliveryState.MISMATCH, status)
            case Unproven(), Committed() if self.delivery.object_uid != self.delivery.source_sop_instance_uid:
                return self._finish(DeliveryState.VERIFIED, status=status)
            case Unproven(reason), _:
                # Often a matter of the archive's configuration: once that is put right, the next look proves it.
                because = f"{reason}; {WORDS[type(commitment)]}" if type(commitment) in WORDS else reason
                return self._retry(f"{self.name} accepted the object, but that is not proven: {because}", status=status)
        raise AssertionError("every proof is one of four")

    def _leave_out(self, error: SopClassRefused) -> DeliveryState:
        self._answered()
        self.ledger.destinations.record_capabilities(self.name, {error.sop_class_uid: False})
        if self.delivery.kind in OWED:
            return self._finish(DeliveryState.REJECTED, str(error), error.status)
        log.warning(
            "left out: the destination does not take such objects",
            extra={"destination": self.name, "kind": self.delivery.kind, "sop_class": error.sop_class_uid, "delivery": self.delivery.id},
        )
        return self._finish(DeliveryState.UNSUPPORTED, str(error), error.status)

    def _retry(self, error: str, at_last: DeliveryState = DeliveryState.FAILED, status: int | None = None) -> DeliveryState:
        """Schedule another try, or end in `at_last` where there were enough."""
        tries = self.delivery.tries
        if tries >= self.settings.delivery_max_attempts:
            return self._finish(at_last, f"{error} (given up after {tries} tries)", status)
        pause = timedelta(seconds=backoff_s(tries, self.settings.delivery_backoff_seconds))
        if not self.ledger.deliveries.retry_later(self.delivery.id, error, datetime.now(UTC) + pause):
            return self._ended()
        return self.state

    def _finish(self, state: DeliveryState, error: str | None = None, status: int | None = None) -> DeliveryState:
        return state if self.ledger.deliveries.finish(self.delivery.id, state, error, status) else self._ended()

    def _ended(self) -> DeliveryState:
        """How somebody else ended it."""
        row = self.ledger.deliveries.get(self.delivery.id)
        return row.state if row else self.state

    def _answered(self) -> None:
        self.ledger.destinations.record_answer(self.name)

    def _failed(self, error: str) -> None:
        if self.ledger.destinations.record_failure(self.name, error, self.destination.breaker_after, self.destination.breaker_seconds):
            log.warning("left alone for a while", extra={"destination": self.name, "seconds": self.destination.breaker_seconds})
