"""From the ledger's rows to what the API answers."""

from __future__ import annotations

from collections.abc import Mapping

from service.api.corrections.presenter import show_correction
from service.api.deliveries.presenter import show_delivery
from service.api.http.params import ROOT
from service.api.studies.schemas import (
    AgreementOut,
    BreastOut,
    CancerOut,
    DeclaredLabels,
    DeviceOut,
    ImageLinks,
    InstanceOut,
    LabelOut,
    PatientOut,
    StudyDetail,
    StudyLinks,
    StudySummary,
)
from service.domain.findings import InstanceState, Label, LabelCorrection
from service.store.corrections import CorrectionRow
from service.store.files import FileStore
from service.store.instances import InstanceRow
from service.store.ledger import Ledger
from service.store.study_rows import StudyRow


def study_location(study_instance_uid: str) -> str:
    """Path of a study."""
    return f"{ROOT}/studies/{study_instance_uid}"


def summarise(row: StudyRow) -> StudySummary:
    """One line of the worklist."""
    here = study_location(row.study_instance_uid)
    return StudySummary(
        study_instance_uid=row.study_instance_uid,
        state=row.state,
        priority=row.priority,
        flag=row.flag,
        score=row.score,
        density=row.density,
        patient=PatientOut.model_validate(row.patient.model_dump()),
        study_date=row.study_date,
        accession_number=row.accession_number,
        station_name=row.station_name,
        institution=row.institution,
        manufacturer=row.manufacturer,
        scores=row.scores,
        densities=row.densities,
        agreement=row.agreement,
        concluded_at=row.concluded_at,
        images=row.instance_count,
        finished_images=row.finished_count,
        version=row.version,
        delivery=row.delivery_state,
        held=row.held,
        hold_kind=row.hold_kind,
        hold_reason=row.hold_reason,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        links=StudyLinks(self=here, hanging=f"{here}/hanging"),
    )


def detail(row: StudyRow, ledger: Ledger, store: FileStore) -> StudyDetail:
    """Everything about one study."""
    conclusion = row.conclusion
    compared = {each.sop_instance_uid: each for each in conclusion.corrections} if conclusion else {}
    corrections = ledger.corrections.find(study_instance_uid=row.study_instance_uid, limit=None)
    # An image may have had several; the newest of its conclusion is the one that its labels speak of.
    entered = {each.sop_instance_uid: each for each in sorted(corrections, key=lambda each: (each.version, each.id))}
    return StudyDetail(
        **summarise(row).model_dump(),
        complete=conclusion.complete if conclusion else False,
        threshold=conclusion.threshold if conclusion else None,
        breasts=[BreastOut(**breast.model_dump()) for breast in conclusion.breasts] if conclusion else [],
        instances=[describe(each, compared, entered, is_drawn(each, store)) for each in ledger.instances.of_study(row.study_instance_uid)],
        models=list(conclusion.models) if conclusion else [],
        reasoning=conclusion.reasoning if conclusion else None,
        corrections=[show_correction(each) for each in corrections],
        deliveries=[show_delivery(each) for each in ledger.deliveries.find(study_instance_uid=row.study_instance_uid)],
        other_patients=[
            PatientOut.model_validate(each.patient.model_dump())
            for each in ledger.study_patients.others([row.study_instance_uid]).get(row.study_instance_uid, [])
        ],
        versions=ledger.conclusions.versions(row.study_instance_uid),
    )


def is_drawn(row: InstanceRow, store: FileStore) -> bool:
    """Tell whether the pictures of an image's analysis exist; a data folder may have lost them."""
    return row.state is InstanceState.ANALYSED and (store.results_dir(row.sop_instance_uid) / "preview.png").is_file()


def describe(row: InstanceRow, compared: Mapping[str, LabelCorrection], entered: Mapping[str, CorrectionRow], drawn: bool) -> InstanceOut:
    """One image, its header compared with its pixels, and what the ledger holds of the difference."""
    correction = compared.get(row.sop_instance_uid)
    finding = row.finding
    here = f"{ROOT}/instances/{row.sop_instance_uid}"
    score = finding.cancer_score if finding else None
    return InstanceOut(
        sop_instance_uid=row.sop_instance_uid,
        state=row.state,
        reason=finding.reason if finding else None,
        kind=row.header.kind,
        declared=DeclaredLabels(view=row.header.view, laterality=row.header.laterality),
        view=_label(finding.view) if finding else None,
        laterality=_label(finding.laterality) if finding else None,
        density=_label(finding.density) if finding else None,
        cancer=CancerOut(score=score, peak=finding.peak) if finding and score is not None else None,
        agreement=_agreement(correction, entered.get(row.sop_instance_uid)) if correction else None,
        device=DeviceOut(
            manufacturer=row.header.manufacturer,
            model_name=row.header.model_name,
            station_name=row.header.station_name,
            software_versions=row.header.software_versions,
        ),
        rows=row.header.rows,
        columns=row.header.columns,
        view_modifiers=list(row.header.view_modifiers),
        marker=finding.marker if finding else None,
        inverted=finding.inverted if finding else False,
        received_at=row.received_at,
        finished_at=row.finished_at,
        provider=finding.provider if finding else "",
        links=ImageLinks(heatmap=f"{here}/heatmap.png", preview=f"{here}/preview.png") if drawn else None,
    )


def _label(label: Label | None) -> LabelOut | None:
    return LabelOut(**label.model_dump()) if label else None


def _agreement(correction: LabelCorrection, entered: CorrectionRow | None) -> AgreementOut:
    known = entered if correction.changes_something else None
    return AgreementOut(
        view=correction.view,
        laterality=correction.laterality,
        kind=correction.kind,
        correction=known.state if known else None,
        correction_id=known.id if known else None,
        reason=correction.reason,
    )
