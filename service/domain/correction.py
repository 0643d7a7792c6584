"""What may be corrected, and by whom (design notes, dicom.md section 1 and 0.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from models.vocabulary import ImageKind, Laterality, View
from service.domain.agreement import compare_laterality, compare_view
from service.domain.findings import Agreement, Correction, CorrectionState, Header, ImageFinding

Mode = Literal["off", "report", "approve", "auto"]


class Seen(NamedTuple):
    """One image of a study: what its header says and what its pixels show."""

    header: Header
    finding: ImageFinding


class Policy(NamedTuple):
    """What happens with each kind of difference. Contradictions are never applied without a person."""

    missing: Mode = "auto"
    contradicts: Mode = "approve"
    film: bool = False


def compare_labels(image: Seen, study: Sequence[Seen], policy: Policy) -> Correction:
    """Compare one image's labels and decide what becomes of a difference.

    Parameters
    ----------
    image
        The image in question; its finding has labels.
    study
        All analysed images of the study: laterality is contradicted only where another image bears witness.
    """
    header, finding = image
    view, laterality = compare_view(header, finding.view), compare_laterality(header, finding.laterality)
    state, reason = _decide(image, study, view, laterality, policy)
    return Correction(
        sop_instance_uid=header.sop_instance_uid,
        view=view,
        laterality=laterality,
        declared_view=header.view,
        declared_laterality=header.laterality,
        pixel_view=View(finding.view.value) if finding.view else View.UNKNOWN,
        pixel_laterality=Laterality(finding.laterality.value) if finding.laterality else Laterality.UNKNOWN,
        state=state,
        reason=reason,
    )


def _decide(image: Seen, study: Sequence[Seen], view: Agreement, laterality: Agreement, policy: Policy) -> tuple[CorrectionState, str]:
    differences = {view, laterality}
    if not differences & {Agreement.MISSING, Agreement.CONTRADICT}:
        return CorrectionState.REPORT_ONLY, "nothing to correct"
    obstacle = never_automatic(image.header, policy.film)
    if obstacle:
        return CorrectionState.REPORT_ONLY, obstacle
    if Agreement.CONTRADICT in differences:
        if policy.contradicts in {"off", "report"}:
            return CorrectionState.REPORT_ONLY, "policy: contradictions are reported only"
        if laterality is Agreement.CONTRADICT and not has_second_witness(image, study):
            return CorrectionState.REPORT_ONLY, "a mirrored left breast looks like a right one, and no second witness settles it"
        return CorrectionState.PROPOSED, "header and pixels contradict each other: waits for approval"
    if policy.missing == "auto" and Agreement.UNSURE not in differences:
        return CorrectionState.APPROVED, "missing label filled from the pixels"
    if policy.missing in {"auto", "approve"}:
        return CorrectionState.PROPOSED, "label missing: waits for approval"
    return CorrectionState.REPORT_ONLY, "policy: missing labels are reported only"


def never_automatic(header: Header, film: bool) -> str:
    """Why an image is reported only, whatever the policy; empty where nothing stands in the way."""
    obstacles = (
        (header.view not in {View.CC, View.MLO, View.UNKNOWN}, f"declared view {header.view} is none that the model knows"),
        (bool(header.view_modifiers), "the declared view has a modifier"),
        (header.partial_view, "partial view"),
        (header.implant, "breast implant present"),
        (header.quality_control, "quality control image"),
        (header.presentation_intent == "FOR PROCESSING", "for processing"),
        (header.kind is ImageKind.TOMOSYNTHESIS, "tomosynthesis"),
        (header.kind is ImageKind.FILM and not film, "digitised film is not opted in"),
        (any(word.startswith(("STEREO", "PREFIRE", "POSTFIRE")) for word in header.image_type), "biopsy picture"),
    )
    return next((text for stands, text in obstacles if stands), "")


def has_second_witness(image: Seen, study: Sequence[Seen]) -> bool:
    """Tell whether something beside the picture's own orientation says that the declared side is wrong.

    The contralateral image of the same view does, when the slot that the pixels claim would otherwise stay empty: were this
    a mirrored picture of the declared breast, the study would hold that breast twice and the other one never. A detector that
    says it flipped the picture (FieldOfViewHorizontalFlip) speaks for a mirrored picture, so then there is no witness.
    """
    if image.header.field_of_view_flipped or image.finding.view is None or image.finding.laterality is None:
        return False
    view, side = image.finding.view.value, image.finding.laterality.value
    others = [
        other.finding.laterality.value
        for other in study
        if other.header.sop_instance_uid != image.header.sop_instance_uid
        and other.finding.view is not None
        and other.finding.laterality is not None
        and other.finding.view.value == view
    ]
    opposite = Laterality.L if side == Laterality.R else Laterality.R
    return opposite in others and side not in others
