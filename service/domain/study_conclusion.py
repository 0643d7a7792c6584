"""From images to a study: the view set, the breasts, the score and the flag. Arithmetic is `models.combine`'s, so that the
served score is the evaluated one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from models.combine import breast_score, study_density, study_score
from models.vocabulary import Density, Laterality
from service.domain.correction import Seen
from service.domain.findings import BreastFinding, Conclusion, ImageFinding, InstanceState, ModelIdentity
from service.domain.reasoning import compare_study, find_doubts
from service.domain.triage import flag_for

FULL_VIEW_SET = frozenset({("CC", "R"), ("CC", "L"), ("MLO", "R"), ("MLO", "L")})


def has_full_view_set(findings: Sequence[ImageFinding]) -> bool:
    """Tell whether the pixels (not the headers) show R-CC, L-CC, R-MLO and L-MLO."""
    shown = {(finding.view.value, finding.laterality.value) for finding in findings if finding.view and finding.laterality}
    return shown >= FULL_VIEW_SET


def conclude(study: Sequence[Seen], threshold: float | None, now: datetime) -> Conclusion:
    """Draw the study's answer from the answers of its images.

    Parameters
    ----------
    study
        Every instance of one study that has reached a terminal state; at least one.
    threshold
        Operating point on the study score, from the cancer model's manifest; None where no cancer model is in use.

    Returns
    -------
    A conclusion of version 0: the ledger gives the number.
    """
    ordered = sorted(study, key=lambda image: image.header.sop_instance_uid)
    analysed = [image for image in ordered if image.finding.state is InstanceState.ANALYSED]
    findings = tuple(image.finding for image in ordered)
    models = {model.name: model for finding in findings for model in finding.models}
    corrections, reasoning = compare_study(analysed)
    doubted = find_doubts(analysed).sides
    sides = {image.uid: side_of(image, image.uid in doubted) for image in analysed}
    breasts = tuple(
        _breast(side, images)
        for side in (Laterality.R, Laterality.L)
        if (images := [image for image in analysed if sides[image.uid] is side])
    )
    scores = [breast.score for breast in breasts if breast.score is not None]
    score = study_score(scores) if scores else None
    return Conclusion(
        study_instance_uid=ordered[0].header.study_instance_uid,
        version=0,
        fingerprint=fingerprint(ordered, tuple(models.values())),
        concluded_at=now,
        complete=has_full_view_set(findings),
        images=findings,
        breasts=breasts,
        density=_density(analysed),
        score=score,
        threshold=threshold,
        flag=flag_for(score, threshold),
        corrections=corrections,
        reasoning=reasoning,
        models=tuple(sorted(models.values(), key=lambda model: model.name)),
    )


def fingerprint(study: Sequence[Seen], models: Sequence[ModelIdentity]) -> str:
    """sha256 over what the answer depends on: which images ended how, under which models. Times are not part of it."""
    parts = [f"{image.header.sop_instance_uid} {image.finding.state}" for image in study]
    parts += [f"{model.name} {model.version} {model.sha256}" for model in models]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def side_of(image: Seen, doubted: bool) -> Laterality:
    """The breast an image belongs to: as its pixels say, else as declared; as declared where the pixels are doubted.

    A mirrored picture of the left breast must not count for the right one (`service.domain.reasoning.find_doubts`).
    """
    return image.pixel_laterality if image.pixel_laterality is not Laterality.UNKNOWN and not doubted else image.header.laterality


def _breast(side: Laterality, images: Sequence[Seen]) -> BreastFinding:
    scores = [image.finding.cancer_score for image in images if image.finding.cancer_score is not None]
    return BreastFinding(
        laterality=side,
        score=breast_score(scores) if scores else None,
        density=_density(images),
        images=tuple(image.header.sop_instance_uid for image in images),
    )


def _density(images: Sequence[Seen]) -> Density:
    probabilities = [image.finding.density.probabilities for image in images if image.finding.density]
    return study_density(probabilities)[0] if probabilities else Density.UNKNOWN
