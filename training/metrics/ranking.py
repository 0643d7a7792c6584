"""The ROC curve, the area under it, and its interval resampled by patient, because images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """A ROC curve from (0, 0) to (1, 1).

    Parameters
    ----------
    false_positive, true_positive
        1 - specificity and sensitivity, one point a threshold, both rising.
    threshold
        A case counts as positive from this score on; infinity at the first point.
    """

    false_positive: Floats
    true_positive: Floats
    threshold: Floats


def roc(scores: Floats, positive: Flags) -> Curve:
    """One point for each different score.

    Raises
    ------
    ValueError
        One class is empty: there is no curve.
    """
    if not positive.any() or positive.all():
        raise ValueError("a ROC curve needs cases of both classes: choose a larger part, or another head")
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(sorted_scores)), scores.size - 1)
    true, false = np.cumsum(hits)[last], np.cumsum(~hits)[last]
    return Curve(
        np.append(0.0, false / false[-1]),
        np.append(0.0, true / true[-1]),
        np.append(np.inf, sorted_scores[last].astype(np.float64)),
    )


def auc(scores: Floats, positive: Flags) -> float:
    """Area under the ROC curve (the Mann-Whitney statistic); NaN where one class is empty."""
    above, below = scores[positive], np.sort(scores[~positive])
    if not above.size or not below.size:
        return float("nan")
    # A tie counts half. Two searches are ten times faster than ranks on small samples, and a bootstrap asks thousands of times.
    wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(wins / (2 * above.size * below.size))


def auc_within(scores: Floats, positive: Flags, groups: Sequence[str] | NDArray[np.str_]) -> float:
    """Area under the ROC curve of the pairs whose two cases are of one group, such as a machine; NaN where there is no such pair.

    What the group alone tells of the class adds nothing to it.
    """
    names = np.asarray(groups)
    wins = pairs = 0.0
    for name in np.unique(names):
        own = names == name
        count = float(positive[own].sum()) * float((~positive[own]).sum())
        if count:
            wins, pairs = wins + count * auc(scores[own], positive[own]), pairs + count
    return wins / pairs if pairs else float("nan")


def accuracy(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of equal entries; NaN for none."""
    return float((predicted == truth).mean()) if truth.size else float("nan")


def patient_draws(patients: Sequence[str], rounds: int, seed: int) -> list[NDArray[np.int64]]:
    """Index sets of a bootstrap over patients: as many patients as there are, with replacement, each with all its images."""
    names = np.asarray(patients)
    order = np.argsort(names, kind="stable")
    _, starts = np.unique(names[order], return_index=True)
    members = np.split(order, starts[1:])
    chance = np.random.default_rng(seed)
    return [np.concatenate([members[pick] for pick in chance.integers(len(members), size=len(members))]) for _ in range(rounds)]


def patient_interval(
    statistic: Callable[[NDArray[np.int64]], float], patients: Sequence[str], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of `statistic` (a function of image indices), whole patients drawn with replacement."""
    draws = np.array([statistic(chosen) for chosen in patient_draws(patients, rounds, seed)])
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return float(low), float(high)


def roc_band(
    scores: Floats, positive: Flags, patients: Sequence[str], grid: Floats, rounds: int = 300, seed: int = 0
) -> tuple[Floats, Floats]:
    """Pointwise 95 % bootstrap band of the sensitivity at each 1 - specificity of `grid`, whole patients drawn."""
    curves = []
    for chosen in patient_draws(patients, rounds, seed):
        if positive[chosen].any() and not positive[chosen].all():
            curve = roc(scores[chosen], positive[chosen])
            curves.append(np.interp(grid, curve.false_positive, curve.true_positive))
    if not curves:
        return np.zeros_like(grid), np.ones_like(grid)
    low, high = np.percentile(np.stack(curves), (2.5, 97.5), axis=0)
    return low, high
