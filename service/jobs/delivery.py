"""One object to one destination: build it again from the ledger, send it, prove that it arrived."""

from __future__ import annotations

import logging

import pydicom

from service.analyse.heatmap import decode_png
from service.deliver.outbox import deliver
from service.domain.findings import Conclusion, DeliveryState, ObjectKind
from service.jobs.context import Context
from service.report.corrected_instance import build_corrected
from service.report.secondary_capture import build_heatmap
from service.report.structured_report import build_report
from service.store.rows import DeliveryRow

log = logging.getLogger(__name__)

LEASE_S = 300.0
"""A delivery belongs to one worker for so long; the sweeper gives it to another one after that."""


class NotBuildable(Exception):
    """What the delivery speaks of is no longer in the ledger or the store."""


def deliver_object(context: Context, delivery_id: int) -> None:
    """Send one delivery that is due. Running it twice sends nothing twice."""
    row = context.ledger.claim_delivery(delivery_id, LEASE_S)
    if row is None:
        return
    destination = context.destination(row.destination)
    if destination is None:
        context.ledger.finish_delivery(row.id, DeliveryState.FAILED, f"destination {row.destination!r} is no longer configured")
        return
    try:
        dataset = build(context, row)
    except (NotBuildable, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        log.exception("object not built", extra={"delivery": row.id, "kind": row.kind})
        context.ledger.finish_delivery(row.id, DeliveryState.FAILED, f"object cannot be built: {type(error).__name__}")
        return
    state = deliver(row, dataset, destination, context.ledger, context.settings)
    log.info("delivery tried", extra={"delivery": row.id, "kind": row.kind, "destination": row.destination, "state": state})


def build(context: Context, row: DeliveryRow) -> pydicom.Dataset:
    """Make the object of a delivery; the same bytes each time.

    Raises
    ------
    NotBuildable
        The conclusion or the source instance is gone.
    """
    versions = {conclusion.version: conclusion for conclusion in context.ledger.conclusions(row.study_uid)}
    if row.version not in versions:
        raise NotBuildable(f"version {row.version} of the conclusion is gone")
    conclusion = versions[row.version]
    if row.kind is ObjectKind.REPORT:
        earlier = versions.get(row.version - 1)
        predecessor = build_report(earlier, _sources(context, earlier)) if earlier else None
        return build_report(conclusion, _sources(context, conclusion), predecessor)
    assert row.source_sop_uid is not None
    finding = next(image for image in conclusion.images if image.sop_instance_uid == row.source_sop_uid)
    if row.kind is ObjectKind.HEATMAP:
        picture = context.store.results_dir(row.source_sop_uid) / "heatmap.png"
        return build_heatmap(conclusion, finding, _source(context, row.source_sop_uid, pixels=False), decode_png(picture.read_bytes()))
    correction = next(each for each in conclusion.corrections if each.sop_instance_uid == row.source_sop_uid)
    return build_corrected(conclusion, correction, finding, _source(context, row.source_sop_uid, pixels=True))


def _sources(context: Context, conclusion: Conclusion) -> list[pydicom.Dataset]:
    return [_source(context, finding.sop_instance_uid, pixels=False) for finding in conclusion.images]


def _source(context: Context, sop_uid: str, pixels: bool) -> pydicom.Dataset:
    row = context.ledger.instance(sop_uid)
    if row is None:
        raise NotBuildable("the source instance is gone")
    return pydicom.dcmread(context.store.path(row.path), stop_before_pixels=not pixels, force=True)
