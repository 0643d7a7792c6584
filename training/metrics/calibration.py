"""Does a score of 0.3 mean three in ten? Reliability, its summary, and three ways to make it so: Platt, temperature, isotonic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import expit, logit

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1 before their logit is taken; the manifest's `Calibration.apply` does the same."""


@dataclass(frozen=True)
class Bin:
    """Cases of similar score."""

    count: int
    score: float
    share: float


def reliability(scores: Floats, positive: Flags, bins: int = 10) -> list[Bin]:
    """Mean score and share of positive cases in bins of equal width; empty bins are left out."""
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    return [
        Bin(int(inside.sum()), float(scores[inside].mean()), float(positive[inside].mean()))
        for inside in (place == each for each in range(bins))
        if inside.any()
    ]


def calibration_error(scores: Floats, positive: Flags, bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015): mean distance of score and share over the bins, weighted by their counts."""
    return float(sum(each.count * abs(each.score - each.share) for each in reliability(scores, positive, bins)) / max(scores.size, 1))


def brier(scores: Floats, positive: Flags) -> float:
    """Mean squared distance of score and outcome (Brier 1950)."""
    return float(((scores - positive) ** 2).mean())


@dataclass(frozen=True)
class Logistic:
    """``expit(slope * logit(score) + intercept)``; temperature T is slope 1 / T without an intercept."""

    slope: float
    intercept: float

    def __call__(self, scores: Floats) -> Floats:
        return np.asarray(expit(self.slope * _logit(scores) + self.intercept), np.float64)


@dataclass(frozen=True)
class Steps:
    """A rising line through knots; constant beyond the first and the last."""

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, scores: Floats) -> Floats:
        return np.asarray(np.interp(scores, self.scores, self.values), np.float64)


def fit_platt(scores: Floats, positive: Flags) -> Logistic:
    """Platt 1999: logistic regression on the logit, with his smoothed targets so that separable cases keep a finite slope.

    Raises
    ------
    ValueError
        One class is empty, or the scores rank cases worse than chance (a falling map would turn every answer round).
    """
    _need_both(positive)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    x = _logit(scores)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] * x + parameters[1]
        error = expit(z) - target
        return float(np.mean(np.logaddexp(0, z) - target * z)), np.array([np.mean(error * x), np.mean(error)])

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    if slope <= 0:
        raise ValueError(f"the scores rank the validation part worse than chance (slope {slope:.3f}): nothing to calibrate")
    return Logistic(float(slope), float(intercept))


def fit_temperature(scores: Floats, positive: Flags) -> Logistic:
    """Guo et al. 2017: one temperature on the logit, the least log-loss."""
    _need_both(positive)
    x = _logit(scores)

    def loss(log_slope: float) -> float:
        z = np.exp(log_slope) * x
        return float(np.mean(np.logaddexp(0, z) - positive * z))

    return Logistic(float(np.exp(minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-8}).x)), 0.0)


def fit_isotonic(scores: Floats, positive: Flags) -> Steps:
    """The rising map with the least squared error (pool adjacent violators; Zadrozny & Elkan 2002), as the fewest knots that say it."""
    _need_both(positive)
    levels, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=positive) / counts
    values = isotonic_regression(shares, weights=counts).x
    flat = np.zeros(values.size, np.bool_)
    flat[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    return Steps(tuple(float(level) for level in levels[~flat]), tuple(float(value) for value in values[~flat]))


def _logit(scores: Floats) -> Floats:
    return np.asarray(logit(np.clip(scores, SMALLEST, 1 - SMALLEST)), np.float64)


def _need_both(positive: Flags) -> None:
    if not positive.any() or positive.all():
        raise ValueError("calibration needs cases of both classes in the validation part: choose another split, or calibration none")
