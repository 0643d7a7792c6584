"""One attempt at one delivery: read back, send, read back again. A delivery is VERIFIED only when the read-back proves it.

A worker sends an object once. When the destination has accepted it, later attempts only read it back, until a person asks for a new
delivery (`Decisions.retry`). A worker may die after the destination accepted the object and before the ledger knows it; the next worker
therefore reads back before it sends. Only a destination without any read-back can get such an object twice, under the same UID.
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
from service.deliver.comparison import Mismatch, NotFound, Proof, Unverified, Verified, reference_of
from service.deliver.readback import verify
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.domain.attribute_changes import AttributeChanges
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DeliveryError, DestinationRefused, SopClassRefused
from service.settings import Settings
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger

log = logging.getLogger(__name__)

MAX_PAUSE_S = 1800.0
ASK_AGAIN_AFTER = timedelta(hours=1)
"""A destination that offers storage commitment and did not answer is asked again after this time."""
NO_COMMITMENT = {Silent: "no answer to storage commitment", Declined: "storage commitment declined"}
REQUIRED_KINDS = (ObjectKind.CORRECTED, ObjectKind.REVERTED)
"""A person or a policy decided to write these: a destination that does not support their SOP class rejects them."""


def deliver(
    delivery: DeliveryRow, payload: Dataset | AttributeChanges, destination: Destination, ledger: Ledger, settings: Settings
) -> DeliveryState:
    """Bring an object to a destination, or have its archive change an image, and record the outcome in the ledger.

    An object that the destination already holds unchanged is not sent, so a delivery may be attempted any number of times.

    Parameters
    ----------
    delivery
        As claimed from the ledger, which counted this attempt.
    payload
        The object, with file meta; or the new values of an image (`corrections.mode` archive-api).

    Returns
    -------
    DeliveryState
        A terminal state, or PENDING or SENT if another attempt is scheduled.
    """
    return DeliveryAttempt(delivery, payload, destination, ledger, settings).run()


def backoff_s(tries: int, first_s: float) -> float:
    """Pause before the next attempt: doubles with each one up to a maximum, plus or minus a random quarter."""
    return min(MAX_PAUSE_S, first_s * 2.0 ** min(tries - 1, 32)) * random.uniform(0.75, 1.25)


@dataclass
class DeliveryAttempt:
    """One attempt at a delivery that the ledger has claimed for this worker."""

    delivery: DeliveryRow
    payload: Dataset | AttributeChanges
    destination: Destination
    ledger: Ledger
    settings: Settings

    def __post_init__(self) -> None:
        self.state = self.delivery.state
        self.name = self.destination.name
        self.inbox = RetrieveInbox(self.settings.data_dir)

    def run(self) -> DeliveryState:
        """Make the attempt; returns the state that the ledger then has."""
        try:
            outcome = self._send_and_verify()
        except SopClassRefused as error:
            return self._finish_unsupported(error)
        except DeliveryError as error:
            status = error.status if isinstance(error, DestinationRefused) else None
            if not error.transient:
                self._record_answer()
                return self._finish(DeliveryState.REJECTED, str(error), status)
            self._record_failure(str(error))
            return self._retry(str(error), status=status)
        self._record_answer()
        return outcome

    def _send_and_verify(self) -> DeliveryState:
        status = self.delivery.status
        if self.state is not DeliveryState.SENT:
            proof = self._verify()
            if isinstance(proof, Verified):
                return self._finish(DeliveryState.VERIFIED)
            if isinstance(proof, NotFound) and isinstance(self.payload, AttributeChanges):
                return self._retry(f"{self.name} does not hold the image that it is to change")
            status = self._send()
            if not self.ledger.deliveries.mark_sent(self.delivery.id):
                # Another worker held the lease in the meantime and ended the delivery.
                return self._recorded_state()
            self.state = DeliveryState.SENT
        proof = self._verify()
        commitment = self._request_commitment(proof)
        return self._conclude(proof, commitment, status)

    def _verify(self) -> Proof:
        return verify(self.payload, self.destination, self.settings.ae_title, self.inbox)

    def _send(self) -> int:
        if isinstance(self.payload, AttributeChanges):
            if self.destination.archive is None:
                raise DestinationRefused(f'{self.name}: corrections.mode "archive-api" needs archive')
            return archive_api.apply(self.payload, self.destination.archive, self.name)
        if self.destination.dicomweb is not None:
            return dicomweb.store(self.payload, self.destination.dicomweb, self.name)
        return dimse.send(self.payload, self.destination, self.settings.ae_title)

    def _request_commitment(self, proof: Proof) -> Commitment | None:
        """Ask after the read-back, not during it: a small archive may accept only one association of ours at a time."""
        if not isinstance(proof, Verified | Unverified) or not self._supports_commitment():
            return None
        commitment = request_commitment(reference_of(self.payload), self.destination, self.settings.ae_title, self.inbox)
        if isinstance(commitment, Silent | NotOffered):
            # The next deliveries do not wait for an answer that does not come.
            self.ledger.destinations.record_capabilities(self.name, {StorageCommitmentPushModel: False})
        return commitment

    def _supports_commitment(self) -> bool:
        """Tell whether to ask: the object went over DIMSE, the settings want commitment, and the destination answered last time."""
        if not (self.destination.commitment and self.destination.ae_title and isinstance(self.payload, Dataset)):
            return False
        health = self.ledger.destinations.health(self.name)
        if health is None or health.asked_at is None or (health.capabilities or {}).get(StorageCommitmentPushModel, True):
            return True
        return datetime.now(UTC) - health.asked_at > ASK_AGAIN_AFTER

    def _conclude(self, proof: Proof, commitment: Commitment | None, status: int | None) -> DeliveryState:
        """Decide from read-back and storage commitment about an object that the destination accepted."""
        match proof, commitment:
            case Verified(), Declined(reason):
                return self._retry(f"{self.name} holds the object but does not commit to keep it (reason 0x{reason:04X})", status=status)
            case Verified(), _:
                return self._finish(DeliveryState.VERIFIED, status=status)
            case Mismatch(keywords), _:
                message = f"{self.name} keeps another copy under this UID; it differs in {', '.join(keywords)}"
                if self.delivery.state is DeliveryState.SENT:
                    return self._finish(DeliveryState.MISMATCH, message, status)
                # An archive may index an object some time after it stored it, so one mismatch proves nothing yet.
                return self._retry(message, DeliveryState.MISMATCH, status)
            case NotFound(), _:
                return self._retry(f"{self.name} accepted the object but does not hold it", DeliveryState.MISMATCH, status)
            case Unverified(), Committed() if self.delivery.object_uid != self.delivery.source_sop_instance_uid:
                return self._finish(DeliveryState.VERIFIED, status=status)
            case Unverified(reason), _:
                # Often the archive's configuration is the cause; when an operator has corrected it, the next read-back succeeds.
                cause = f"{reason}; {NO_COMMITMENT[type(commitment)]}" if type(commitment) in NO_COMMITMENT else reason
                return self._retry(f"{self.name} accepted the object, but that is not proven: {cause}", status=status)
        raise AssertionError("every proof is one of four")

    def _finish_unsupported(self, error: SopClassRefused) -> DeliveryState:
        self._record_answer()
        self.ledger.destinations.record_capabilities(self.name, {error.sop_class_uid: False})
        if self.delivery.kind in REQUIRED_KINDS:
            return self._finish(DeliveryState.REJECTED, str(error), error.status)
        log.warning(
            "worker did not deliver an object: the destination does not support its SOP class",
            extra={"destination": self.name, "kind": self.delivery.kind, "sop_class": error.sop_class_uid, "delivery": self.delivery.id},
        )
        return self._finish(DeliveryState.UNSUPPORTED, str(error), error.status)

    def _retry(self, error: str, last_state: DeliveryState = DeliveryState.FAILED, status: int | None = None) -> DeliveryState:
        """Schedule another attempt, or end in `last_state` after the last one."""
        tries = self.delivery.tries
        if tries >= self.settings.delivery_max_attempts:
            return self._finish(last_state, f"{error} (given up after {tries} tries)", status)
        pause = timedelta(seconds=backoff_s(tries, self.settings.delivery_backoff_seconds))
        if not self.ledger.deliveries.retry_later(self.delivery.id, error, datetime.now(UTC) + pause):
            return self._recorded_state()
        return self.state

    def _finish(self, state: DeliveryState, error: str | None = None, status: int | None = None) -> DeliveryState:
        return state if self.ledger.deliveries.finish(self.delivery.id, state, error, status) else self._recorded_state()

    def _recorded_state(self) -> DeliveryState:
        """The state in which another worker ended the delivery."""
        row = self.ledger.deliveries.get(self.delivery.id)
        return row.state if row else self.state

    def _record_answer(self) -> None:
        self.ledger.destinations.record_answer(self.name)

    def _record_failure(self, error: str) -> None:
        if self.ledger.destinations.record_failure(self.name, error, self.destination.breaker_after, self.destination.breaker_seconds):
            log.warning(
                "worker paused a destination after repeated failures",
                extra={"destination": self.name, "seconds": self.destination.breaker_seconds},
            )
