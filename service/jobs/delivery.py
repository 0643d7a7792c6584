"""One object to one destination: build it again from the ledger, send it, prove that it arrived."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pydicom
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from models.errors import MammotriageError
from service.deliver.attempt import deliver
from service.deliver.negotiation import negotiate
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DeliveryError, NoImages, NothingToMark
from service.jobs.context import Context
from service.jobs.object_building import BUILD_ERRORS, Payload, build
from service.report.label_changes import LabelChanges
from service.report.sr_class import as_dialect
from service.store.deliveries import DeliveryRow

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(days=1)
"""What a destination takes changes when it is updated or configured anew."""
WAIT_FOR_OTHER = timedelta(seconds=5)
DIALECTS = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
"""Ways of writing the same report, best first (PS3.16 TID 1500 fits all three)."""


NOTHING_TO_SAY = (NoImages, NothingToMark)
"""By agreement, not by mistake: a study without a picture has no CAD report, and the TID 1500 report says why."""


def deliver_object(context: Context, delivery_id: int) -> None:
    """Send one delivery that is due. Running it twice sends nothing twice."""
    found = context.ledger.deliveries.get(delivery_id)
    destination = context.destination(found.destination) if found else None
    lease_s, concurrency = context.settings.delivery_lease_seconds, destination.concurrency if destination else None
    row = context.ledger.deliveries.claim(delivery_id, lease_s, concurrency)
    if row is None:
        return
    if destination is None:
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, f"destination {row.destination!r} is no longer configured")
        return
    if row.tries > context.settings.delivery_max_attempts:
        # Whoever had it before did not live to write down what happened: an object that kills its workers must not do so for ever.
        reason = (
            f"given up: none of {context.settings.delivery_max_attempts} tries came to an end, the process was killed or ran out of memory"
        )
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, reason)
        return
    if row.kind is ObjectKind.REJECTION and not _is_replaced(context, row):
        return
    try:
        payload = _in_dialect(context, row, destination, build(context, row, destination))
    except NOTHING_TO_SAY as error:
        context.ledger.deliveries.finish(row.id, DeliveryState.UNSUPPORTED, f"no such object can be made of this study: {error}")
        return
    except BUILD_ERRORS as error:
        log.exception("object not built", extra={"delivery": row.id, "kind": row.kind})
        reason = str(error) if isinstance(error, MammotriageError) else type(error).__name__
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, f"object cannot be built: {reason}")
        return
    if isinstance(payload, pydicom.Dataset):
        _keep(context, row, payload)
    state = deliver(row, payload, destination, context.ledger, context.settings)
    log.info("delivery tried", extra={"delivery": row.id, "kind": row.kind, "destination": row.destination, "state": state})


def _keep(context: Context, row: DeliveryRow, built: pydicom.Dataset) -> None:
    """Write an object of ours down for those who ask us for it over DICOMweb.

    An image that is corrected under its own UID is not kept: under that UID we hand out what was received.
    """
    uid = str(built.SOPInstanceUID)
    if uid == row.source_sop_instance_uid or (context.ledger.dicom_objects.contains(uid) and context.store.produced_path(uid).is_file()):
        return
    content = BytesIO()
    try:
        pydicom.dcmwrite(content, built, enforce_file_format=True)
        size = content.getbuffer().nbytes
        if context.store.free_bytes() - size < context.settings.disk_free_min_bytes:
            log.warning("disk space is short: an object is sent and not kept", extra={"delivery": row.id, "kind": row.kind})
            return
        context.store.write_produced(uid, content.getvalue())
    except BUILD_ERRORS as error:
        # What is owed to the destination does not wait for our own disk.
        log.warning("object not kept", extra={"delivery": row.id, "kind": row.kind, "cause": type(error).__name__})
        return
    context.ledger.dicom_objects.add(
        uid, row.study_instance_uid, str(built.SeriesInstanceUID), str(built.SOPClassUID), str(built.get("Modality", "")), row.kind, size
    )


def _is_replaced(context: Context, row: DeliveryRow) -> bool:
    """Nothing is rejected before its better copy is proved to be there."""
    assert row.correction_id is not None, "only a correction rejects an image"
    copies = context.ledger.deliveries.find(destination=row.destination, correction_id=row.correction_id)
    replacing = [each for each in copies if each.kind in (ObjectKind.CORRECTED, ObjectKind.REVERTED)][-1:]
    state = replacing[0].state if replacing else DeliveryState.FAILED
    if state is DeliveryState.VERIFIED:
        return True
    if state.is_open:
        context.ledger.deliveries.postpone(row.id, "waits for the copy that replaces the image", datetime.now(UTC) + WAIT_FOR_OTHER)
    else:
        reason = "the copy that replaces the image did not arrive, so the image is not rejected"
        context.ledger.deliveries.finish(row.id, DeliveryState.MISMATCH, reason)
    return False


def _in_dialect(context: Context, row: DeliveryRow, destination: Destination, payload: Payload) -> Payload:
    """The report as the destination takes it; anything else as it is."""
    if isinstance(payload, LabelChanges) or row.kind is not ObjectKind.REPORT or destination.dicomweb is not None:
        return payload
    taken = _capabilities(context, destination)
    dialect = next((each for each in DIALECTS if taken.get(each, True)), Comprehensive3DSRStorage)
    if dialect == Comprehensive3DSRStorage:
        return payload
    report = as_dialect(payload, dialect)
    log.info("report in another dialect", extra={"destination": destination.name, "sop_class": dialect.name})
    context.ledger.deliveries.rename_object(row.id, str(report.SOPInstanceUID))
    return report


def _capabilities(context: Context, destination: Destination) -> dict[str, bool]:
    """Which SOP classes a destination takes, asked once a day; empty where it cannot be asked: the sending will tell."""
    known = context.ledger.destinations.health(destination.name)
    if known and known.capabilities and known.asked_at and datetime.now(UTC) - known.asked_at < ASK_AGAIN:
        return known.capabilities
    try:
        taken = {str(uid): yes for uid, yes in negotiate(destination, context.settings.ae_title).items()}
    except DeliveryError:
        return {}
    context.ledger.destinations.record_capabilities(destination.name, taken)
    left_out = sorted(uid for uid, yes in taken.items() if not yes)
    if left_out:
        log.warning("destination does not take some objects", extra={"destination": destination.name, "sop_classes": left_out})
    return taken
