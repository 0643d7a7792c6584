"""Operating points, what they cost, and whether two groups differ: counts of right and wrong with Wilson intervals and chi-square tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, norm

from training.metrics.ranking import roc

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """`count` of `total` with the Wilson interval; the value is NaN where total is 0."""

    count: int
    total: int

    @property
    def value(self) -> float:
        return self.count / self.total if self.total else float("nan")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson 1927: keeps its coverage for few cases and for shares near 0 and 1, where the normal interval does not."""
        if not self.total:
            return float("nan"), float("nan")
        z = float(norm.ppf(0.5 + level / 2))
        share, n = self.value, self.total
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
        return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(frozen=True)
class Counts:
    """The 2x2 table of a threshold."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def sensitivity(self) -> Share:
        return Share(self.true_positive, self.true_positive + self.false_negative)

    recall = sensitivity

    @property
    def specificity(self) -> Share:
        return Share(self.true_negative, self.true_negative + self.false_positive)

    @property
    def precision(self) -> Share:
        return Share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def accuracy(self) -> Share:
        total = self.true_positive + self.false_positive + self.true_negative + self.false_negative
        return Share(self.true_positive + self.true_negative, total)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing is found."""
        weight = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / weight if weight else 0.0


def count(scores: Floats, positive: Flags, threshold: float) -> Counts:
    """Call a case positive from `threshold` on."""
    called = scores >= threshold
    return Counts(
        int((called & positive).sum()), int((called & ~positive).sum()), int((~called & ~positive).sum()), int((~called & positive).sum())
    )


def youden_point(scores: Floats, positive: Flags) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950); the highest such."""
    curve = roc(scores, positive)
    return float(curve.threshold[1:][int(np.argmax((curve.true_positive - curve.false_positive)[1:]))])


def f1_point(scores: Floats, positive: Flags) -> float:
    """The threshold with the largest F1 score (Yi et al. 2019, "Statistical Analysis")."""
    curve = roc(scores, positive)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    true, false = curve.true_positive[1:] * positives, curve.false_positive[1:] * negatives
    return float(curve.threshold[1:][int(np.argmax(2 * true / (true + false + positives)))])


def sensitivity_point(scores: Floats, positive: Flags, sensitivity: float) -> float:
    """The highest threshold that still finds at least this share of the positive cases."""
    curve = roc(scores, positive)
    return float(curve.threshold[int(np.argmax(curve.true_positive >= sensitivity - 1e-12))])


def specificity_point(scores: Floats, positive: Flags, specificity: float) -> float:
    """The lowest threshold that still lets at least this share of the negative cases pass."""
    curve = roc(scores, positive)
    fitting = np.flatnonzero(curve.false_positive <= 1 - specificity + 1e-12)
    # Where even the highest score is a false positive, only a threshold above every score keeps the promise.
    return float(curve.threshold[fitting[-1]]) if fitting[-1] else float(np.nextafter(scores.max(), np.inf))


@dataclass(frozen=True)
class Difference:
    """A chi-square test of independence: do these groups differ?"""

    statistic: float
    freedom: int
    p: float


def chi_square(shares: Sequence[Share]) -> Difference | None:
    """Pearson's chi-square over groups, without Yates' correction (as SAS and R's prop.test(correct=FALSE), DIB-MG "Statistical Analysis").

    Returns
    -------
    None where fewer than two groups have cases, or where every group is all right or all wrong alike: nothing can be tested.
    """
    table = np.array([(share.count, share.total - share.count) for share in shares if share.total], dtype=np.int64)
    if len(table) < 2 or not table.sum(axis=0).all():
        return None
    answer = chi2_contingency(table, correction=False)
    return Difference(float(answer.statistic), int(answer.dof), float(answer.pvalue))
