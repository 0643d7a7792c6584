"""Build the object of a delivery from the ledger and the stored files; each attempt builds the same bytes."""

from __future__ import annotations

import pydicom

from models.errors import MammotriageError
from models.foreign_parsers import read_dicom
from service.analyse.heatmap import decode_png
from service.destinations import Destination
from service.domain.attribute_changes import AttributeChanges
from service.domain.findings import Conclusion, CorrectionState, ImageFinding, ObjectKind
from service.domain.instance_reference import InstanceReference
from service.errors import NotBuildable
from service.jobs.context import Context
from service.jobs.planning import gets_results
from service.report.cad_report import build_cad_report, cad_reference
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import DecidedCorrection, Decision, changes_to_correct, changes_to_revert
from service.report.presentation_state import build_marks
from service.report.rejection_note import INCORRECT_LABEL, build_rejection_note
from service.report.secondary_capture import build_heatmap
from service.report.sr_class import SR_CLASSES
from service.report.structured_report import build_report, report_reference
from service.report.uids import rejection_uid, report_uid
from service.store.corrections import CorrectionRow
from service.store.deliveries import DeliveryRow

Payload = pydicom.Dataset | AttributeChanges
"""An object to store, or the new values that the archive is asked to write into an image of its own."""


BUILD_ERRORS = (MammotriageError, OSError, ValueError, LookupError, AttributeError, TypeError, StopIteration, NotImplementedError)
"""Errors of building: our own, missing files, and those that pydicom raises for malformed data."""


def build(context: Context, row: DeliveryRow, destination: Destination) -> Payload:
    """Build the object of a delivery.

    Raises
    ------
    NotBuildable
        The conclusion, the correction or the source instance is gone, or the destination's mode changed since the delivery was planned.
    """
    payload = _build_result(context, row, destination) if row.correction_id is None else _build_change(context, row, destination)
    built = payload.instance.sop_instance_uid if isinstance(payload, AttributeChanges) else str(payload.SOPInstanceUID)
    if built != row.object_uid:
        raise NotBuildable("the configuration or the software changed since the delivery was planned: it would be another object")
    return payload


def _build_result(context: Context, row: DeliveryRow, destination: Destination) -> pydicom.Dataset:
    conclusion = _conclusion(context, row)
    previous = context.ledger.conclusions.get(row.study_instance_uid, row.version - 1)
    if previous and not gets_results(previous, destination):
        previous = None  # a version without results is no document that could be replaced
    if row.kind is ObjectKind.REPORT:
        sop_class_uid = _sr_class(row, conclusion)
        predecessor = report_reference(previous, sop_class_uid) if previous else None
        return build_report(conclusion, _sources(context, conclusion), predecessor, sop_class_uid)
    if row.kind is ObjectKind.CAD:
        return build_cad_report(conclusion, _sources(context, conclusion), _cad_predecessor(context, previous))
    assert row.source_sop_instance_uid is not None
    finding, source = _finding(conclusion, row.source_sop_instance_uid), _source(context, row.source_sop_instance_uid, pixels=False)
    if row.kind is ObjectKind.MARKS:
        return build_marks(conclusion, finding, source)
    pictures = context.store.results_dir(row.source_sop_instance_uid)
    return build_heatmap(
        conclusion,
        finding,
        source,
        decode_png((pictures / "heatmap.png").read_bytes()),
        decode_png((pictures / "preview.png").read_bytes()),
    )


def _conclusion(context: Context, row: DeliveryRow | CorrectionRow) -> Conclusion:
    conclusion = context.ledger.conclusions.get(row.study_instance_uid, row.version)
    if conclusion is None:
        raise NotBuildable(f"version {row.version} of the conclusion is gone")
    return conclusion


def _sr_class(row: DeliveryRow, conclusion: Conclusion) -> str:
    """The SR class of a report. Rows that are older than their column `sop_class_uid` have none, but their UID depends on the class."""
    if row.sop_class_uid:
        return row.sop_class_uid
    found = [each for each in SR_CLASSES if report_uid(conclusion, each) == row.object_uid]
    if not found:
        raise NotBuildable("the software changed since the delivery was planned: the report has another UID")
    return found[0]


def _cad_predecessor(context: Context, previous: Conclusion | None) -> InstanceReference | None:
    """The CAD report that is replaced; a version of the conclusion without any image has none (`NoImages`)."""
    if previous is None:
        return None
    concluded = {finding.sop_instance_uid for finding in previous.images}
    rows = context.ledger.instances.of_study(previous.study_instance_uid)
    has_image = any(row.header.rows for row in rows if row.sop_instance_uid in concluded)
    return cad_reference(previous) if has_image else None


def _build_change(context: Context, row: DeliveryRow, destination: Destination) -> Payload:
    assert row.correction_id is not None
    correction = context.ledger.corrections.get(row.correction_id)
    if correction is None or correction.decided_at is None:
        raise NotBuildable("the correction is gone, or is not decided")
    decided, mode = _decided(context, correction), destination.corrections.mode
    source = _source(context, correction.sop_instance_uid, pixels=row.kind is not ObjectKind.REJECTION)
    if row.kind is ObjectKind.REJECTION:
        if row.object_uid == rejection_uid(row.study_instance_uid, correction.sop_instance_uid, INCORRECT_LABEL.value):
            return build_rejection_note(decided, source)
        source = _source(context, correction.sop_instance_uid, pixels=True)
        return build_rejection_note(decided, build_corrected(decided, source, "new-series"))
    if mode == "report":
        raise NotBuildable("corrections.mode of the destination is report by now: it gets no corrected images")
    if row.kind is ObjectKind.CORRECTED:
        return changes_to_correct(decided, source) if mode == "archive-api" else build_corrected(decided, source, mode)
    reverting = _decision_to_revert(context, correction)
    if mode == "archive-api":
        return changes_to_revert(decided, source, reverting)
    return build_reverted(decided, reverting, source, mode)


def _decided(context: Context, row: CorrectionRow) -> DecidedCorrection:
    assert row.decided_at is not None
    finding = _finding(_conclusion(context, row), row.sop_instance_uid)
    decision = Decision(row.decided_by or "", row.decided_reason or "", row.decided_at)
    return DecidedCorrection(row.correction, decision, finding.models, finding.chest_wall_right, finding.turned)


def _decision_to_revert(context: Context, row: CorrectionRow) -> Decision:
    steps = [step for step in context.ledger.corrections.history(row.id) if step.state is CorrectionState.REVERTING]
    if not steps:
        raise NotBuildable("no person asked to undo the correction")
    return Decision(steps[0].actor, steps[0].reason, steps[0].at)


def _finding(conclusion: Conclusion, sop_instance_uid: str) -> ImageFinding:
    return next(image for image in conclusion.images if image.sop_instance_uid == sop_instance_uid)


def _sources(context: Context, conclusion: Conclusion) -> list[pydicom.Dataset]:
    return [_source(context, finding.sop_instance_uid, pixels=False) for finding in conclusion.images]


def _source(context: Context, sop_instance_uid: str, pixels: bool) -> pydicom.Dataset:
    row = context.ledger.instances.get(sop_instance_uid)
    if row is None:
        raise NotBuildable("the source instance is gone")
    return read_dicom(context.store.path(row.path), stop_before_pixels=not pixels, force=True)
