"""Every kind of event that the ledger writes, under the name that webhooks and server-sent events carry."""

from __future__ import annotations

from enum import StrEnum

from service.domain.findings import CorrectionState, DeliveryState


class EventKind(StrEnum):
    """`<subject>.<what happened>`. Receivers filter by these names, so a name never changes its meaning."""

    STUDY_RECEIVED = "study.received"
    """The first image of a study was received."""
    STUDY_CONCLUDED = "study.concluded"
    """The study has a new version of its conclusion."""
    STUDY_HELD = "study.held"
    """The study waits for a person: its sides are swapped, its images are of different patients, or one of them came twice."""
    STUDY_RELEASED = "study.released"
    """A person released a held study."""
    LABEL_DISAGREEMENT = "label.disagreement"
    """The pixels contradict declared labels."""

    CORRECTION_REPORTED = "correction.reported"
    CORRECTION_PROPOSED = "correction.proposed"
    CORRECTION_APPROVED = "correction.approved"
    CORRECTION_REJECTED = "correction.rejected"
    CORRECTION_WITHDRAWN = "correction.withdrawn"
    CORRECTION_APPLIED = "correction.applied"
    CORRECTION_VERIFIED = "correction.verified"
    CORRECTION_MISMATCH = "correction.mismatch"
    CORRECTION_REVERTING = "correction.reverting"
    CORRECTION_REVERTED = "correction.reverted"

    DELIVERY_VERIFIED = "delivery.verified"
    DELIVERY_MISMATCH = "delivery.mismatch"
    DELIVERY_REJECTED = "delivery.rejected"
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_UNSUPPORTED = "delivery.unsupported"
    DELIVERY_RETRIED = "delivery.retried"
    """A person gave an ended delivery new attempts."""


CORRECTION_EVENTS = {
    CorrectionState.REPORTED: EventKind.CORRECTION_REPORTED,
    CorrectionState.PROPOSED: EventKind.CORRECTION_PROPOSED,
    CorrectionState.APPROVED: EventKind.CORRECTION_APPROVED,
    CorrectionState.REJECTED: EventKind.CORRECTION_REJECTED,
    CorrectionState.WITHDRAWN: EventKind.CORRECTION_WITHDRAWN,
    CorrectionState.APPLIED: EventKind.CORRECTION_APPLIED,
    CorrectionState.VERIFIED: EventKind.CORRECTION_VERIFIED,
    CorrectionState.MISMATCH: EventKind.CORRECTION_MISMATCH,
    CorrectionState.REVERTING: EventKind.CORRECTION_REVERTING,
    CorrectionState.REVERTED: EventKind.CORRECTION_REVERTED,
}
"""The event of a correction that came into a state."""

DELIVERY_EVENTS = {
    DeliveryState.VERIFIED: EventKind.DELIVERY_VERIFIED,
    DeliveryState.MISMATCH: EventKind.DELIVERY_MISMATCH,
    DeliveryState.REJECTED: EventKind.DELIVERY_REJECTED,
    DeliveryState.FAILED: EventKind.DELIVERY_FAILED,
    DeliveryState.UNSUPPORTED: EventKind.DELIVERY_UNSUPPORTED,
}
"""The event of a delivery that ended in a state. A delivery that is on its way writes no event."""
