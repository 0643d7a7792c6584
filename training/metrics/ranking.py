"""AUC and its interval: the Mann-Whitney statistic, resampled by patient because images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; NaN where one class is empty."""
    positives = int(positive.sum())
    negatives = positive.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def accuracy(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of equal entries; NaN for none."""
    return float((predicted == truth).mean()) if truth.size else float("nan")


def patient_interval(
    statistic: Callable[[NDArray[np.int64]], float], patients: Sequence[str], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of `statistic` (a function of image indices), whole patients drawn with replacement."""
    names = np.asarray(patients)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    chance = np.random.default_rng(seed)
    draws = [statistic(np.concatenate([members[pick] for pick in chance.integers(len(members), size=len(members))])) for _ in range(rounds)]
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return float(low), float(high)
