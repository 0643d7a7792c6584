"""Several classes at once: the confusion matrix and what follows from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.metrics.points import Counts

Matrix = NDArray[np.int64]


def confusion(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Matrix:
    """(classes, classes): rows are the truth, columns the answer."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def one_against_rest(matrix: Matrix, index: int) -> Counts:
    """The 2x2 table of one class against all others."""
    true, row, column, total = (int(each) for each in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum(), matrix.sum()))
    return Counts(true, column - true, total - row - column + true, row - true)


def kappa(matrix: Matrix) -> float:
    """Cohen's kappa with quadratic weights: agreement on ordered classes beyond chance; NaN where one class is all there is."""
    classes = len(matrix)
    place = np.arange(classes)
    weight = (place[:, None] - place[None]) ** 2
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(matrix.sum(), 1)
    chance = float((weight * expected).sum())
    return 1.0 - float((weight * matrix).sum()) / chance if chance else float("nan")


def mean_sensitivity(matrix: Matrix) -> float:
    """Mean over the classes that occur (balanced accuracy)."""
    present = matrix.sum(axis=1) > 0
    return float((np.diag(matrix)[present] / matrix.sum(axis=1)[present]).mean()) if present.any() else float("nan")


def mean_specificity(matrix: Matrix) -> float:
    """Mean over the classes of the specificity of each against the rest."""
    shares = [one_against_rest(matrix, index).specificity.value for index in range(len(matrix))]
    return float(np.nanmean(shares)) if not np.isnan(shares).all() else float("nan")
