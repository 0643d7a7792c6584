"""From images to breasts to a study. Evaluation and service call the same functions, so the published AUC is that of the served score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from models.vocabulary import Density

DENSITY_CLASSES: tuple[str, ...] = (Density.A.value, Density.B.value, Density.C.value, Density.D.value)


def breast_score(scores: Sequence[float]) -> float:
    """Cancer score of one breast, 0 to 1: the mean over its images, so that more views do not make a breast more suspicious.

    Raises
    ------
    ValueError
        There is no score.
    """
    if not scores:
        raise ValueError("a breast without a scored image has no score")
    return fmean(scores)


def study_score(breasts: Sequence[float]) -> float:
    """Cancer score of a study, 0 to 1: the score of its more suspicious breast.

    Raises
    ------
    ValueError
        There is no breast.
    """
    if not breasts:
        raise ValueError("a study without a scored breast has no score")
    return max(breasts)


def study_density(images: Sequence[Mapping[str, float]], threshold: float = 0.0) -> tuple[Density, dict[str, float]]:
    """Breast composition of a study, from the mean probabilities of its images.

    Parameters
    ----------
    images
        For each image its probabilities by class, "A" to "D".
    threshold
        Below this mean probability of the best class the result is UNKNOWN.

    Returns
    -------
    The category, and the mean probabilities by class; UNKNOWN and {} without images.
    """
    if not images:
        return Density.UNKNOWN, {}
    mean = {name: fmean(image.get(name, 0.0) for image in images) for name in DENSITY_CLASSES}
    best = max(mean, key=lambda name: mean[name])
    return (Density(best) if mean[best] >= threshold else Density.UNKNOWN), mean
