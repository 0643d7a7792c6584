"""The calibration of a cancer model: fitted on the validation part's images, because the service calibrates each image's score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.manifest import Calibration
from training.evaluate.levels import scored
from training.evaluate.predictions import Predictions
from training.metrics.calibration import fit_isotonic, fit_platt, fit_temperature

DIGITS = 6


def fit_calibration(table: Predictions, kind: str) -> Calibration:
    """Fit on the validation part, as a manifest holds it.

    Raises
    ------
    ValueError
        No such kind, or a validation part without both classes or ranked worse than chance; the message names ``none`` as the way out.
    """
    if kind == "none":
        return Calibration()
    images = scored(table.part("validation"), "cancer")
    try:
        if kind == "platt":
            line = fit_platt(images.scores, images.positive)
            return Calibration(kind="platt", slope=round(line.slope, DIGITS), intercept=round(line.intercept, DIGITS))
        if kind == "temperature":
            return Calibration(kind="temperature", temperature=round(1 / fit_temperature(images.scores, images.positive).slope, DIGITS))
        if kind == "isotonic":
            steps = fit_isotonic(images.scores, images.positive)
            return Calibration(kind="isotonic", scores=steps.scores, values=steps.values)
    except ValueError as error:
        raise ValueError(f"{error} (or publish with --calibration none)") from error
    raise ValueError(f"no calibration {kind!r}: choose none, platt, temperature or isotonic")


def calibrated(table: Predictions, calibration: Calibration) -> Predictions:
    """The same predictions with the cancer score as the service shows it."""
    values = np.array([[calibration.apply(float(score))] for score in table.scores["cancer"][:, 0]], np.float64).reshape(-1, 1)
    return replace(table, scores=table.scores | {"cancer": values})
