"""One delivery, one try: look whether the object is there, send it, look again. Only a look ends in VERIFIED."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from pydicom.dataset import Dataset

from service.deliver.dimse import send
from service.deliver.errors import DeliveryError
from service.deliver.readback import Missing, NotApplied, Proof, Unproven, Verified, verify
from service.domain.findings import DeliveryState
from service.destinations import Destination
from service.settings import Settings
from service.store.ledger import Ledger
from service.store.rows import DeliveryRow

LONGEST_PAUSE_S = 1800.0


def deliver(delivery: DeliveryRow, dataset: Dataset, destination: Destination, ledger: Ledger, settings: Settings) -> DeliveryState:
    """Bring an object to a destination and write down what came of it.

    An object that is there already and equal is not sent again, so a delivery may be tried any number of times.

    Parameters
    ----------
    delivery
        As claimed from the ledger, which counted this try.
    dataset
        The object, with file meta.

    Returns
    -------
    DeliveryState
        VERIFIED, NOT_APPLIED or FAILED, or PENDING or SENT where another try is scheduled.
    """
    state = delivery.state
    try:
        proof = verify(dataset, destination, settings.ae_title)
        if _must_send(proof, state):
            send(dataset, destination, settings.ae_title)
            ledger.mark_sent(delivery.id)
            state = DeliveryState.SENT
            proof = verify(dataset, destination, settings.ae_title)
    except DeliveryError as error:
        if error.transient:
            return _retry(delivery, state, str(error), ledger, settings)
        ledger.finish_delivery(delivery.id, DeliveryState.FAILED, str(error))
        return DeliveryState.FAILED
    match proof:
        case Verified():
            ledger.finish_delivery(delivery.id, DeliveryState.VERIFIED, None)
            return DeliveryState.VERIFIED
        case NotApplied(attributes):
            message = f"{destination.name} keeps another copy under this UID; it differs in {', '.join(attributes)}"
            ledger.finish_delivery(delivery.id, DeliveryState.NOT_APPLIED, message)
            return DeliveryState.NOT_APPLIED
        case Unproven(reason):
            # Often a matter of the archive's configuration: once that is put right, the next look proves it.
            return _retry(delivery, state, f"{destination.name} accepted the object, but that is not proven: {reason}", ledger, settings)
        case Missing():
            # Accepted, yet not listed: an archive may take its time.
            return _retry(delivery, state, f"{destination.name} accepted the object but does not list it", ledger, settings)


def backoff_s(tries: int, first_s: float) -> float:
    """Pause before the next try: doubles with each, is capped, and is spread by half so that retries do not come in step."""
    return min(LONGEST_PAUSE_S, first_s * 2.0 ** min(tries - 1, 32)) * random.uniform(0.75, 1.25)


def _must_send(proof: Proof, state: DeliveryState) -> bool:
    """Whoever cannot be asked gets the object once, not with every try."""
    return isinstance(proof, Missing | NotApplied) or (isinstance(proof, Unproven) and state is not DeliveryState.SENT)


def _retry(delivery: DeliveryRow, state: DeliveryState, error: str, ledger: Ledger, settings: Settings) -> DeliveryState:
    if delivery.tries >= settings.delivery_tries:
        ledger.finish_delivery(delivery.id, DeliveryState.FAILED, f"{error} (given up after {delivery.tries} tries)")
        return DeliveryState.FAILED
    pause = timedelta(seconds=backoff_s(delivery.tries, settings.delivery_backoff_seconds))
    ledger.retry_delivery(delivery.id, error, datetime.now(UTC) + pause)
    return state
