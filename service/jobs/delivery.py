"""Deliver one object to one destination: build it from the ledger, send it, and prove that it arrived."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pydicom

from models.errors import MammotriageError
from service.deliver.attempt import deliver
from service.deliver.negotiation import negotiate
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DeliveryError, NoImages, NotBuildable, NothingToMark
from service.jobs.context import Context
from service.jobs.object_building import BUILD_ERRORS, build
from service.report.sr_class import preferred_sr_class
from service.report.uids import report_uid
from service.store.deliveries import DeliveryRow

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(days=1)
"""An update or a new configuration changes which SOP classes a destination supports."""
WAIT_FOR_REPLACEMENT = timedelta(seconds=5)
EXPECTED_REFUSALS = (NoImages, NothingToMark)
"""A study without an image has no CAD report, an unmarked image no presentation state: that is no fault, and the report says why."""


def deliver_object(context: Context, delivery_id: int) -> None:
    """Work on one due delivery. Running it twice sends nothing twice."""
    # 1. Claim the delivery, so that no other worker works on it.
    planned = context.ledger.deliveries.get(delivery_id)
    destination = context.destination(planned.destination) if planned else None
    lease_s, concurrency = context.settings.delivery_lease_seconds, destination.concurrency if destination else None
    row = context.ledger.deliveries.claim(delivery_id, lease_s, concurrency)
    if row is None:
        return
    if destination is None:
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, f"destination {row.destination!r} is no longer configured")
        return
    if row.tries > context.settings.delivery_max_attempts:
        # Each earlier worker died before it could record an outcome: an object that kills its workers must not do so for ever.
        reason = (
            f"given up: none of {context.settings.delivery_max_attempts} tries came to an end, the process was killed or ran out of memory"
        )
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, reason)
        return
    if row.kind is ObjectKind.REJECTION and not _is_replaced(context, row):
        return
    # 2. Build the object, for a report in the SR class that the destination supports.
    try:
        row = _choose_sr_class(context, row, destination)
        payload = build(context, row, destination)
    except EXPECTED_REFUSALS as error:
        context.ledger.deliveries.finish(row.id, DeliveryState.UNSUPPORTED, f"no such object can be made of this study: {error}")
        return
    except BUILD_ERRORS as error:
        log.exception("worker could not build an object", extra={"delivery": row.id, "kind": row.kind})
        reason = str(error) if isinstance(error, MammotriageError) else type(error).__name__
        context.ledger.deliveries.finish(row.id, DeliveryState.FAILED, f"object cannot be built: {reason}")
        return
    # 3. Keep a copy for our own DICOMweb interface.
    if isinstance(payload, pydicom.Dataset):
        _keep(context, row, payload)
    # 4. Send it, and read it back.
    state = deliver(row, payload, destination, context.ledger, context.settings)
    log.info(
        "worker attempted a delivery",
        extra={"delivery": row.id, "kind": row.kind, "destination": row.destination, "state": state},
    )


def _keep(context: Context, row: DeliveryRow, built: pydicom.Dataset) -> None:
    """Store a produced object, so that DICOMweb clients can retrieve it from this service.

    An image that is corrected under its own UID is not kept: under that UID clients get the received image.
    """
    uid = str(built.SOPInstanceUID)
    if uid == row.source_sop_instance_uid or (context.ledger.dicom_objects.contains(uid) and context.store.produced_path(uid).is_file()):
        return
    content = BytesIO()
    try:
        pydicom.dcmwrite(content, built, enforce_file_format=True)
        size = content.getbuffer().nbytes
        if context.store.free_bytes() - size < context.settings.disk_free_min_bytes:
            log.warning(
                "worker did not keep an object, which is still sent: disk space is short", extra={"delivery": row.id, "kind": row.kind}
            )
            return
        context.store.write_produced(uid, content.getvalue())
    except BUILD_ERRORS as error:
        # A delivery does not wait for our own disk.
        log.warning("worker did not keep an object", extra={"delivery": row.id, "kind": row.kind, "cause": type(error).__name__})
        return
    context.ledger.dicom_objects.add(
        uid, row.study_instance_uid, str(built.SeriesInstanceUID), str(built.SOPClassUID), str(built.get("Modality", "")), row.kind, size
    )


def _is_replaced(context: Context, row: DeliveryRow) -> bool:
    """Tell whether the copy that replaces the rejected image is proved to have arrived; postpones or ends the delivery if not."""
    assert row.correction_id is not None, "only a correction rejects an image"
    copies = context.ledger.deliveries.find(destination=row.destination, correction_id=row.correction_id)
    replacing = [each for each in copies if each.kind in (ObjectKind.CORRECTED, ObjectKind.REVERTED)][-1:]
    state = replacing[0].state if replacing else DeliveryState.FAILED
    if state is DeliveryState.VERIFIED:
        return True
    if state.is_open:
        context.ledger.deliveries.postpone(row.id, "waits for the copy that replaces the image", datetime.now(UTC) + WAIT_FOR_REPLACEMENT)
    else:
        reason = "the copy that replaces the image did not arrive, so the image is not rejected"
        context.ledger.deliveries.finish(row.id, DeliveryState.MISMATCH, reason)
    return False


def _choose_sr_class(context: Context, row: DeliveryRow, destination: Destination) -> DeliveryRow:
    """Write the SR class that the destination supports into the row of a report that it has not accepted yet."""
    if row.kind is not ObjectKind.REPORT or row.state is DeliveryState.SENT or destination.dicomweb is not None:
        return row
    sop_class_uid = preferred_sr_class(_capabilities(context, destination))
    if sop_class_uid == row.sop_class_uid:
        return row
    conclusion = context.ledger.conclusions.get(row.study_instance_uid, row.version)
    if conclusion is None:
        raise NotBuildable(f"version {row.version} of the conclusion is gone")
    object_uid = report_uid(conclusion, sop_class_uid)
    if object_uid != row.object_uid:
        log.info(
            "destination gets the report in another SR class",
            extra={"delivery": row.id, "destination": destination.name, "sop_class": sop_class_uid.name},
        )
    return context.ledger.deliveries.change_sop_class(row.id, sop_class_uid, object_uid)


def _capabilities(context: Context, destination: Destination) -> dict[str, bool]:
    """Which SOP classes a destination supports, asked once a day; empty if it does not answer: the C-STORE then shows it."""
    known = context.ledger.destinations.health(destination.name)
    if known and known.capabilities and known.asked_at and datetime.now(UTC) - known.asked_at < ASK_AGAIN_AFTER:
        return known.capabilities
    try:
        supported = {str(uid): yes for uid, yes in negotiate(destination, context.settings.ae_title).items()}
    except DeliveryError:
        return {}
    context.ledger.destinations.record_capabilities(destination.name, supported)
    unsupported = sorted(uid for uid, yes in supported.items() if not yes)
    if unsupported:
        log.warning("destination does not support some SOP classes", extra={"destination": destination.name, "sop_classes": unsupported})
    return supported
