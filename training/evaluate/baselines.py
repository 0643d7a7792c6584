"""Scores without any pixel: from the age alone, from the machine alone. A network must beat both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from training.data.table import Row

Floats = NDArray[np.float64]


def age_scores(rows: Sequence[Row], positive: NDArray[np.int64], train: NDArray[np.int64]) -> Floats:
    """Probability of a positive truth by logistic regression on the age, fitted on the training samples; unknown ages count as their mean.

    Parameters
    ----------
    rows, positive
        All samples, and 1, 0 or -1 (unknown) for each.
    train
        Indices of the training samples. Splits go by patient, so the other scores are out of sample.
    """
    ages = np.array([np.nan if row.age is None else row.age for row in rows], np.float64)
    fit = train[positive[train] >= 0]
    known = fit[~np.isnan(ages[fit])]
    if not known.size:
        return np.full(len(rows), 0.5)
    middle, spread = float(ages[known].mean()), float(ages[known].std()) or 1.0
    x = np.nan_to_num((ages - middle) / spread, nan=0.0)
    truth = positive[known].astype(np.float64)

    def loss(line: Floats) -> float:
        z = line[0] * x[known] + line[1]
        # A standard normal prior on the slope: separable ages would make it infinite.
        return float(np.mean(np.logaddexp(0, z) - truth * z)) + float(line[0] ** 2) / (2 * known.size)

    slope, intercept = minimize(loss, np.zeros(2), method="BFGS").x
    return np.asarray(expit(slope * x + intercept), np.float64)


def machine_scores(rows: Sequence[Row], positive: NDArray[np.int64], train: NDArray[np.int64]) -> Floats:
    """Share of positive training samples on the same machine, drawn towards the overall share as by one more sample."""
    fit = train[positive[train] >= 0]
    share = float(positive[fit].mean()) if fit.size else 0.5
    found: dict[str, tuple[int, int]] = {}
    for index in fit:
        hits, total = found.get(rows[index].manufacturer, (0, 0))
        found[rows[index].manufacturer] = hits + int(positive[index]), total + 1
    rates = {machine: (hits + share) / (total + 1) for machine, (hits, total) in found.items()}
    return np.array([rates.get(row.manufacturer, share) for row in rows], np.float64)
