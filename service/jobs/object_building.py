"""From a row of the outbox to the object it speaks of; the same bytes each time."""

from __future__ import annotations

import pydicom

from models.errors import MammotriageError
from models.foreign_parsers import read_dicom
from service.analyse.heatmap import decode_png
from service.destinations import Destination
from service.domain.findings import Conclusion, CorrectionState, ImageFinding, ObjectKind
from service.errors import NoImages, NotBuildable
from service.jobs.context import Context
from service.report.cad_report import build_cad_report
from service.report.corrected_instance import build_corrected, build_undone
from service.report.label_changes import Change, LabelChanges, Undo, label_changes, undo_changes
from service.report.presentation_state import build_marks
from service.report.rejection_note import INCORRECT_LABEL, build_rejection_note
from service.report.secondary_capture import build_heatmap
from service.report.structured_report import build_report
from service.report.uids import rejection_uid
from service.store.corrections import CorrectionRow
from service.store.deliveries import DeliveryRow

Payload = pydicom.Dataset | LabelChanges
"""An object to store, or what the archive is asked to change in an object of its own."""


BUILD_ERRORS = (MammotriageError, OSError, ValueError, LookupError, AttributeError, TypeError, StopIteration, NotImplementedError)
"""What building may end in: our own refusals, files that are gone, and what pydicom raises for odd data."""


def build(context: Context, row: DeliveryRow, destination: Destination) -> Payload:
    """Make the object of a delivery.

    Raises
    ------
    NotBuildable
        The conclusion, the correction or the source instance is gone, or the destination's mode changed since it was planned.
    """
    payload = _build_result(context, row) if row.correction_id is None else _build_change(context, row, destination)
    made = payload.sop_instance_uid if isinstance(payload, LabelChanges) else str(payload.SOPInstanceUID)
    if made != row.object_uid and row.kind is not ObjectKind.REPORT:  # a report may have been renamed: see the dialects
        raise NotBuildable("the configuration or the software changed since the delivery was planned: it would be another object")
    return payload


def _build_result(context: Context, row: DeliveryRow) -> pydicom.Dataset:
    conclusion = _conclusion(context, row)
    if row.kind is ObjectKind.REPORT:
        earlier = context.ledger.conclusions.get(row.study_instance_uid, row.version - 1)
        predecessor = build_report(earlier, _sources(context, earlier)) if earlier else None
        return build_report(conclusion, _sources(context, conclusion), predecessor)
    if row.kind is ObjectKind.CAD:
        earlier = context.ledger.conclusions.get(row.study_instance_uid, row.version - 1)
        return build_cad_report(conclusion, _sources(context, conclusion), _cad_predecessor(context, earlier))
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


def _cad_predecessor(context: Context, earlier: Conclusion | None) -> pydicom.Dataset | None:
    """The CAD report that is superseded; a version without any picture had none."""
    try:
        return build_cad_report(earlier, _sources(context, earlier)) if earlier else None
    except NoImages:
        return None


def _build_change(context: Context, row: DeliveryRow, destination: Destination) -> Payload:
    assert row.correction_id is not None
    decided = context.ledger.corrections.get(row.correction_id)
    if decided is None or decided.decided_at is None:
        raise NotBuildable("the correction is gone, or nobody decided it")
    change, mode = _change(context, decided), destination.corrections.mode
    source = _source(context, decided.sop_instance_uid, pixels=row.kind is not ObjectKind.REJECTION)
    if row.kind is ObjectKind.REJECTION:
        if row.object_uid == rejection_uid(row.study_instance_uid, decided.sop_instance_uid, INCORRECT_LABEL.value):
            return build_rejection_note(change, source)
        source = _source(context, decided.sop_instance_uid, pixels=True)
        return build_rejection_note(change, build_corrected(change, source, "new-series"))
    if mode == "report":
        raise NotBuildable("the destination gets reports only by now")
    if row.kind is ObjectKind.CORRECTED:
        return label_changes(change, source) if mode == "archive-api" else build_corrected(change, source, mode)
    if mode == "archive-api":
        return undo_changes(change, source, _undo(context, decided))
    return build_undone(change, _undo(context, decided), source, mode)


def _change(context: Context, row: CorrectionRow) -> Change:
    assert row.decided_at is not None
    finding = _finding(_conclusion(context, row), row.sop_instance_uid)
    return Change(row.correction, row.decided_by or "", row.decided_reason or "", row.decided_at, finding.models, finding.chest_wall_right)


def _undo(context: Context, row: CorrectionRow) -> Undo:
    asked = [step for step in context.ledger.corrections.history(row.id) if step.state is CorrectionState.REVERTING]
    if not asked:
        raise NotBuildable("nobody asked for the undo")
    return Undo(asked[0].actor, asked[0].reason, asked[0].at)


def _finding(conclusion: Conclusion, sop_instance_uid: str) -> ImageFinding:
    return next(image for image in conclusion.images if image.sop_instance_uid == sop_instance_uid)


def _sources(context: Context, conclusion: Conclusion) -> list[pydicom.Dataset]:
    return [_source(context, finding.sop_instance_uid, pixels=False) for finding in conclusion.images]


def _source(context: Context, sop_instance_uid: str, pixels: bool) -> pydicom.Dataset:
    row = context.ledger.instances.get(sop_instance_uid)
    if row is None:
        raise NotBuildable("the source instance is gone")
    return read_dicom(context.store.path(row.path), stop_before_pixels=not pixels, force=True)
