"""What is wrong in each image of a study, the label or the picture: witnesses weighed over all images together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from service.domain.correction import Seen
from service.domain.evidence import SIDES, Cause, SideEvidence, detector_flipped_nothing, hear_view, is_turned, side_evidence, trusted_side
from service.domain.findings import Agreement, Evidence

WRONG = (Agreement.MISSING, Agreement.CONTRADICT)


class Ruling(NamedTuple):
    """What is wrong in one image: the label, the picture, or (None) that is not settled."""

    cause: Cause | None
    evidence: tuple[Evidence, ...] = ()
    text: str = ""


class Rulings(NamedTuple):
    """By SOP Instance UID: sides that contradict, views that contradict or are missing; and whether both breasts are exchanged."""

    sides: Mapping[str, Ruling]
    views: Mapping[str, Ruling]
    exchanged: bool


def rule(study: Sequence[Seen]) -> Rulings:
    """Weigh every contradicted side, and every view that contradicts or is missing.

    Parameters
    ----------
    study
        The analysed images of one study.
    """
    turned = [image for image in study if is_turned(image)]
    whole = len({image.pixel_laterality for image in turned}) == 2 and not any(trusted_side(image) in SIDES for image in study)
    if whole:
        shared = _rule_on_whole_study(turned)
        sides = {image.uid: shared for image in turned}
    else:
        sides = {image.uid: _weigh(side_evidence(image, study)) for image in turned}
    views = {image.uid: _weigh(hear_view(image, study)) for image in study if image.view in WRONG}
    return Rulings(sides, views, whole and shared.cause is Cause.LABEL)


def _rule_on_whole_study(turned: Sequence[Seen]) -> Ruling:
    """Every picture of both breasts lies against its label: exchanged sides and mirrored pictures look the same.

    Markers settle it, or the detectors of all pictures. Whole studies do come mirrored (27 of 62 held-back studies of one machine in
    RSNA-2022), so without a witness nothing is believed.
    """
    ruling = _weigh([testimony for image in turned for testimony in side_evidence(image, turned)])
    if not ruling.evidence and detector_flipped_nothing(turned):
        told = Evidence(code="detector", text="the header of every picture says that the detector did not flip it")
        return Ruling(Cause.LABEL, (told,), told.text)
    return ruling


def _weigh(heard: Sequence[SideEvidence]) -> Ruling:
    """Witnesses that agree settle a question; none, or two that disagree, leave it open."""
    causes, evidence = {testimony.cause for testimony in heard}, tuple(dict.fromkeys(testimony.evidence for testimony in heard))
    said = "; ".join(dict.fromkeys(each.text for each in evidence))
    if len(causes) == 1:
        return Ruling(causes.pop(), evidence, said)
    return Ruling(None, evidence, f"the witnesses disagree: {said}" if said else "")
