"""Drift between two samples of one quantity: the population stability index, with its chance level. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

STEADY, SHIFTED = 0.1, 0.25
"""The usual thresholds of the index (Siddiqi 2006, Credit Risk Scorecards): steady below the first, shifted from the second on."""

MIN_IMAGES = 100
"""Fewest images of each sample."""

BINS = 10
"""Bins of a histogram of scores, each with about a tenth of the reference."""


class Drift(StrEnum):
    TOO_FEW = "too-few"
    STEADY = "steady"
    MOVED = "moved"
    """Between both thresholds."""
    SHIFTED = "shifted"


@dataclass(frozen=True)
class Comparison:
    """Two samples compared.

    Parameters
    ----------
    index
        Population stability index; None where a sample is empty.
    by_chance
        95th percentile of the index where nothing has changed: with few images it grows by chance.
    """

    index: float | None
    by_chance: float | None
    drift: Drift


def compare(now: Sequence[int], reference: Sequence[int]) -> Comparison:
    """Compare two histograms over the same bins.

    The index is the sum of ``(p - q) ln(p / q)`` over the bins. Half an image is added to each bin, so that an empty bin counts without
    a division by zero. Without any change the index times ``1 / (1/n + 1/m)`` follows a chi-squared distribution with one degree of
    freedom less than there are bins (Yurdakul 2018, Statistical properties of the population stability index).
    """
    n, m = sum(now), sum(reference)
    if not n or not m:
        return Comparison(None, None, Drift.TOO_FEW)
    bins = len(now)
    shares = [((a + 0.5) / (n + bins / 2), (b + 0.5) / (m + bins / 2)) for a, b in zip(now, reference, strict=True)]
    index = sum((p - q) * math.log(p / q) for p, q in shares)
    by_chance = _chi_squared_95(bins - 1) * (1 / n + 1 / m)
    if min(n, m) < MIN_IMAGES:
        return Comparison(index, by_chance, Drift.TOO_FEW)
    if index < STEADY or index <= by_chance:
        return Comparison(index, by_chance, Drift.STEADY)
    return Comparison(index, by_chance, Drift.SHIFTED if index >= SHIFTED else Drift.MOVED)


def compare_scores(now: Mapping[int, int], reference: Mapping[int, int]) -> Comparison:
    """Compare fine histograms of scores (images by score in steps), in bins that each hold about a tenth of the reference."""
    edges = _tenths(reference)
    return compare(_rebin(now, edges), _rebin(reference, edges))


def _tenths(reference: Mapping[int, int]) -> list[int]:
    """The last step of each bin except the last bin; fewer where many images have one score."""
    total, seen = sum(reference.values()), 0
    edges: list[int] = []
    for step in sorted(reference):
        seen += reference[step]
        if seen >= total * (len(edges) + 1) / BINS and seen < total:
            edges.append(step)
            # A step with several tenths of the images becomes one bin.
            while len(edges) < BINS and seen >= total * (len(edges) + 1) / BINS:
                edges.append(step)
    return sorted(set(edges))


def _rebin(histogram: Mapping[int, int], edges: Sequence[int]) -> list[int]:
    bounds = [-math.inf, *edges, math.inf]
    return [sum(count for step, count in histogram.items() if low < step <= high) for low, high in pairwise(bounds)]


def _chi_squared_95(freedom: int) -> float:
    """95th percentile of a chi-squared distribution (Wilson and Hilferty 1931); within 1 % from 2 degrees of freedom on."""
    if freedom < 1:
        return 0.0
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + 1.644854 * math.sqrt(spread)) ** 3
