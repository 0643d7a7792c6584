"""What is wrong in each image of a study, the label or the image: the evidence of all images is weighed together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from service.domain.evidence import (
    SIDES,
    Cause,
    CauseEvidence,
    agreed_side,
    contradicts_side,
    detector_flipped_none,
    side_evidence,
    view_evidence,
)
from service.domain.findings import Agreement, Evidence
from service.domain.study_image import StudyImage

DIFFERS = (Agreement.MISSING, Agreement.CONTRADICT)


class Adjudication(NamedTuple):
    """What is wrong in one image: its label, the image itself, or None where the evidence does not decide."""

    cause: Cause | None
    evidence: tuple[Evidence, ...] = ()
    text: str = ""


class StudyAdjudication(NamedTuple):
    """Adjudications by SOP Instance UID.

    Parameters
    ----------
    sides
        Of images whose pixels contradict the declared side.
    views
        Of images whose view is missing in the header, or contradicted by the pixels.
    sides_swapped
        Both breasts of the study have the label of the other one.
    """

    sides: Mapping[str, Adjudication]
    views: Mapping[str, Adjudication]
    sides_swapped: bool


def adjudicate(study: Sequence[StudyImage]) -> StudyAdjudication:
    """Weigh the evidence on every contradicted side, and on every view that is missing or contradicted.

    Parameters
    ----------
    study
        The analysed images of one study.
    """
    contradicted = [image for image in study if contradicts_side(image)]
    whole_study = len({image.pixel_laterality for image in contradicted}) == 2 and not any(agreed_side(image) in SIDES for image in study)
    if whole_study:
        shared = _adjudicate_whole_study(contradicted)
        sides = {image.uid: shared for image in contradicted}
    else:
        sides = {image.uid: _weigh(side_evidence(image, study)) for image in contradicted}
    views = {image.uid: _weigh(view_evidence(image, study)) for image in study if image.view_agreement in DIFFERS}
    return StudyAdjudication(sides, views, sides_swapped=whole_study and shared.cause is Cause.LABEL)


def _adjudicate_whole_study(contradicted: Sequence[StudyImage]) -> Adjudication:
    """Every image of both breasts contradicts its declared side: swapped labels and mirrored images look the same.

    Markers decide, or the flip flags of all detectors. Whole studies do come mirrored (27 of 62 held-back studies of one machine in
    RSNA-2022), so without evidence the question stays open.
    """
    adjudication = _weigh([found for image in contradicted for found in side_evidence(image, contradicted)])
    if not adjudication.evidence and detector_flipped_none(contradicted):
        evidence = Evidence(code="detector", text="the header of every image says that the detector did not flip it")
        return Adjudication(Cause.LABEL, (evidence,), evidence.text)
    return adjudication


def _weigh(found: Sequence[CauseEvidence]) -> Adjudication:
    """Evidence that agrees decides a question; without evidence, or where two pieces disagree, the question stays open."""
    causes, evidence = {each.cause for each in found}, tuple(dict.fromkeys(each.evidence for each in found))
    text = "; ".join(dict.fromkeys(each.text for each in evidence))
    if len(causes) == 1:
        return Adjudication(causes.pop(), evidence, text)
    return Adjudication(None, evidence, f"the evidence disagrees: {text}" if text else "")
