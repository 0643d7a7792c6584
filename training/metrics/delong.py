"""DeLong's variance of the AUC and his test of two AUCs on the same cases, in O(n log n).

DeLong, DeLong & Clarke-Pearson 1988 (what Yi et al. 2019, "Statistical Analysis", compare networks with); computed from midranks as in
Sun & Xu 2014. It takes cases as independent. Views of one breast and breasts of one patient are not: over images its intervals are too
narrow, so reports print the bootstrap by patient beside it and tests across images say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Area:
    """An AUC with what is known of its error."""

    auc: float
    variance: float

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.variance))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Normal interval, cut to [0, 1].

        At an AUC of exactly 1 (or 0) the variance is 0 and says nothing: then the rule of three speaks, through `bound`, not this.
        """
        half = float(norm.ppf(0.5 + level / 2)) * self.error
        return max(self.auc - half, 0.0), min(self.auc + half, 1.0)


@dataclass(frozen=True)
class Comparison:
    """Two AUCs on the same cases."""

    first: float
    second: float
    difference: float
    error: float
    z: float
    p: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Normal interval of the difference."""
        half = float(norm.ppf(0.5 + level / 2)) * self.error
        return self.difference - half, self.difference + half


def covariance(scores: Floats, positive: Flags) -> tuple[Floats, Floats]:
    """AUCs of several classifiers on the same cases and their covariance matrix.

    Parameters
    ----------
    scores
        (classifiers, cases).
    positive
        (cases,).

    Returns
    -------
    (classifiers,) areas and (classifiers, classifiers) covariances.

    Raises
    ------
    ValueError
        A class has fewer than two cases: its variance cannot be estimated.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if min(positives, negatives) < 2:
        raise ValueError(f"DeLong needs two cases of each class; there are {positives} positive and {negatives} negative ones")
    above, below = scores[:, positive], scores[:, ~positive]
    within_above = np.stack([rankdata(row) for row in above])
    within_below = np.stack([rankdata(row) for row in below])
    overall = np.stack([rankdata(row) for row in np.concatenate([above, below], axis=1)])
    placed_above = (overall[:, :positives] - within_above) / negatives
    placed_below = 1.0 - (overall[:, positives:] - within_below) / positives
    spread = np.atleast_2d(np.cov(placed_above)) / positives + np.atleast_2d(np.cov(placed_below)) / negatives
    return placed_above.mean(axis=1), np.asarray(spread, np.float64)


def area(scores: Floats, positive: Flags) -> Area:
    """AUC and DeLong variance of one classifier."""
    areas, spread = covariance(scores[None], positive)
    return Area(float(areas[0]), float(max(spread[0, 0], 0.0)))


def compare(first: Floats, second: Floats, positive: Flags) -> Comparison:
    """Paired two-sided test of ``auc(first) == auc(second)`` on the same cases.

    Two classifiers that rank all cases alike differ by nothing: z is 0 and p is 1.
    """
    areas, spread = covariance(np.stack([first, second]), positive)
    difference = float(areas[0] - areas[1])
    error = float(np.sqrt(max(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1], 0.0)))
    z = difference / error if error > 1e-12 else (0.0 if abs(difference) < 1e-12 else float(np.copysign(np.inf, difference)))
    return Comparison(float(areas[0]), float(areas[1]), difference, error, z, float(2 * norm.sf(abs(z))))
