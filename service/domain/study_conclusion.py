"""From the images of a study to its conclusion: view set, breasts, score, flag and corrections.

The arithmetic is in `models.combine`, so that the served score is the evaluated score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from models.combine import breast_score, study_density, study_score
from models.vocabulary import Density, Laterality
from service.domain.findings import BreastFinding, Conclusion, ImageFinding, ModelIdentity
from service.domain.label_evaluation import evaluate_labels
from service.domain.study_image import StudyImage
from service.domain.triage import flag_for

FULL_VIEW_SET = frozenset({("CC", "R"), ("CC", "L"), ("MLO", "R"), ("MLO", "L")})


def has_full_view_set(findings: Sequence[ImageFinding]) -> bool:
    """Tell whether the pixels (not the headers) show R-CC, L-CC, R-MLO and L-MLO."""
    shown = {(finding.view.value, finding.laterality.value) for finding in findings if finding.view and finding.laterality}
    return shown >= FULL_VIEW_SET


def conclude(study: Sequence[StudyImage], threshold: float | None, now: datetime) -> Conclusion:
    """Conclude a study from the findings of its images.

    Parameters
    ----------
    study
        Every instance of one study that has reached a terminal state; at least one.
    threshold
        Operating point on the study score, from the cancer model's manifest; None where no cancer model is in use.

    Returns
    -------
    A conclusion of version 0; the ledger numbers it.
    """
    ordered = sorted(study, key=lambda image: image.header.sop_instance_uid)
    analysed = [image for image in ordered if image.is_analysed]
    ended = tuple(image.finding for image in ordered if image.finding)
    # Reports, notes and images of other modalities are stored, but they are no part of the conclusion: one that comes later makes no
    # new version. A study of nothing else names them, and says why nothing was analysed.
    mammograms = tuple(finding for finding in ended if finding.is_mammogram)
    findings = mammograms or ended
    models = {model.name: model for finding in findings for model in finding.models}
    corrections, reasoning, doubts = evaluate_labels(analysed)
    sides = {image.uid: breast_of(image, image.uid in doubts.sides) for image in analysed}
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
        fingerprint=fingerprint(mammograms, tuple(models.values())),
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


def fingerprint(findings: Sequence[ImageFinding], models: Sequence[ModelIdentity]) -> str:
    """sha256 over what the conclusion depends on: the state of each mammogram and the models. Times are not part of it."""
    parts = [f"{finding.sop_instance_uid} {finding.state}" for finding in findings]
    parts += [f"{model.name} {model.version} {model.sha256}" for model in models]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def breast_of(image: StudyImage, side_doubted: bool) -> Laterality:
    """The breast that an image counts for: the side of its pixels where there is one and it is not doubted, else the declared side.

    A mirrored image of the left breast must not count for the right one (`service.domain.label_evaluation.Doubts`).
    """
    return image.header.laterality if side_doubted or image.pixel_laterality is Laterality.UNKNOWN else image.pixel_laterality


def _breast(side: Laterality, images: Sequence[StudyImage]) -> BreastFinding:
    scores = [image.finding.cancer_score for image in images if image.finding and image.finding.cancer_score is not None]
    return BreastFinding(
        laterality=side,
        score=breast_score(scores) if scores else None,
        density=_density(images),
        images=tuple(image.uid for image in images),
    )


def _density(images: Sequence[StudyImage]) -> Density:
    probabilities = [image.finding.density.probabilities for image in images if image.finding and image.finding.density]
    return study_density(probabilities)[0] if probabilities else Density.UNKNOWN
