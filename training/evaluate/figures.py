"""The figures of one head as plain values for JSON: each with its interval, its number of cases and of patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate.levels import Scored
from training.evaluate.predictions import Predictions
from training.metrics.calibration import brier, calibration_error, fit_isotonic, fit_platt, fit_temperature, reliability
from training.metrics.classes import confusion, kappa, mean_sensitivity, mean_specificity, one_against_rest
from training.metrics.delong import area, compare
from training.metrics.points import Counts, Share, count, f1_point, sensitivity_point, specificity_point, youden_point
from training.metrics.ranking import accuracy, auc, auc_within, patient_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Figures = dict[str, Any]

POINTS: dict[str, Callable[[Floats, Flags], float]] = {
    "f1": f1_point,
    "youden": youden_point,
    "sensitivity 0.90": lambda scores, positive: sensitivity_point(scores, positive, 0.90),
    "specificity 0.90": lambda scores, positive: specificity_point(scores, positive, 0.90),
}
"""Chosen on the validation part. Yi et al. take the best F1; DIB-MG takes 0.5, which is always reported beside them."""

FITS: dict[str, Callable[[Floats, Flags], Callable[[Floats], Floats]]] = {
    "platt": fit_platt,
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}


def both_classes(positive: Flags, least: int = 1) -> bool:
    """Whether each class has at least so many cases."""
    return int(positive.sum()) >= least and int((~positive).sum()) >= least


def tidy(value: float, digits: int = 4) -> float | None:
    """Rounded for JSON; None for what is no number."""
    return round(float(value), digits) if math.isfinite(value) else None


def auc_figure(level: Scored, rounds: int) -> Figures:
    """AUC with two intervals: the bootstrap by patient, which counts, and DeLong's, which takes images for independent."""
    figure: Figures = {
        "auc": tidy(auc(level.scores, level.positive)),
        "n": len(level.cases),
        "positive": int(level.positive.sum()),
        "patients": len(set(level.patients)),
    }
    if both_classes(level.positive):
        draws = patient_interval(lambda chosen: auc(level.scores[chosen], level.positive[chosen]), level.patients, rounds)
        figure["interval95"] = [tidy(bound) for bound in draws]
    if both_classes(level.positive, 2):
        figure["delong95"] = [tidy(bound) for bound in area(level.scores, level.positive).interval()]
    machines = [f"{case.dataset}/{case.manufacturer}" for case in level.cases]
    if len(set(machines)) > 1 and both_classes(level.positive):
        figure["within_machine"] = _within(level, machines, rounds)
    return figure


def _within(level: Scored, machines: Sequence[str], rounds: int) -> Figures:
    """The AUC over pairs of one machine: a network that knows machines and no cancers has 0.5."""
    names = np.asarray(machines)
    draws = patient_interval(lambda chosen: auc_within(level.scores[chosen], level.positive[chosen], names[chosen]), level.patients, rounds)
    return {"auc": tidy(auc_within(level.scores, level.positive, names)), "interval95": [tidy(bound) for bound in draws]}


def share_figure(share: Share) -> Figures:
    """A share with its Wilson interval."""
    return {"value": tidy(share.value), "wilson95": [tidy(bound) for bound in share.interval()], "count": share.count, "of": share.total}


def counts_figure(counts: Counts, threshold: float | None = None) -> Figures:
    """Everything that a 2x2 table says."""
    figure: Figures = {} if threshold is None else {"threshold": tidy(threshold, 6)}
    names = ("sensitivity", "specificity", "precision", "accuracy")
    return figure | {name: share_figure(getattr(counts, name)) for name in names} | {"f1": tidy(counts.f1)}


def point_figures(validation: Scored, test: Scored) -> Figures:
    """Operating points found on the validation part (without one on the test part, and they say so) and what they do on the test part."""
    honest = both_classes(validation.positive)
    source = validation if honest else test
    found: Figures = {"chosen_on": "validation" if honest else "test"}
    if not len(test.cases):
        return found
    found["0.5"] = counts_figure(count(test.scores, test.positive, 0.5), 0.5)
    if both_classes(source.positive):
        for name, choose in POINTS.items():
            threshold = choose(source.scores, source.positive)
            found[name] = counts_figure(count(test.scores, test.positive, threshold), threshold)
    return found


def calibration_figures(validation: Scored, test: Scored) -> Figures:
    """Error of the raw score and of each calibration that was fitted on the validation part, measured on the test part."""
    if not both_classes(test.positive):
        return {}
    answers: Figures = {"raw": _calibrated(test.scores, test.positive)}
    for name, fit in FITS.items():
        if not both_classes(validation.positive):
            answers[name] = {"refused": "the validation part has not both classes"}
            continue
        try:
            answers[name] = _calibrated(fit(validation.scores, validation.positive)(test.scores), test.positive)
        except ValueError as error:
            answers[name] = {"refused": str(error)}
    return answers


def _calibrated(scores: Floats, positive: Flags) -> Figures:
    bins = [{"n": each.count, "score": tidy(each.score), "share": tidy(each.share)} for each in reliability(scores, positive)]
    return {"ece": tidy(calibration_error(scores, positive)), "brier": tidy(brier(scores, positive)), "bins": bins}


def class_figures(table: Predictions, head: str, rounds: int) -> Figures:
    """Accuracy, confusion, and each class against the rest, of a head with more than two classes."""
    known = table.known(head)
    truth, scores, names = known.truth[head], known.scores[head], known.heads[head]
    predicted = scores.argmax(axis=1).astype(np.int64)
    patients = [case.patient for case in known.cases]
    matrix = confusion(truth, predicted, len(names))
    right = Share(int(np.diag(matrix).sum()), int(matrix.sum()))
    figure: Figures = {"accuracy": tidy(right.value), "n": right.total, "patients": len(set(patients))}
    if not right.total:
        return figure
    figure["interval95"] = [
        tidy(bound) for bound in patient_interval(lambda chosen: accuracy(predicted[chosen], truth[chosen]), patients, rounds)
    ]
    figure["wilson95"] = [tidy(bound) for bound in right.interval()]
    figure["mean_sensitivity"] = tidy(mean_sensitivity(matrix))
    figure["mean_specificity"] = tidy(mean_specificity(matrix))
    figure["kappa"] = tidy(kappa(matrix))
    figure["classes"] = {
        name: counts_figure(one_against_rest(matrix, index)) | {"auc": tidy(auc(scores[:, index], truth == index))}
        for index, name in enumerate(names)
    }
    figure["confusion"] = {"classes": list(names), "rows_are_truth": matrix.tolist()}
    if names == ("A", "B", "C", "D"):
        dense = Scored(known.cases, scores[:, 2:].sum(axis=1), truth >= 2, {})
        figure["dense (C or D)"] = auc_figure(dense, rounds)
    return figure


def comparison_figures(first: Floats, second: Floats, positive: Flags, patients: Sequence[str], rounds: int) -> Figures:
    """DeLong's paired test of two scores of the same cases; the bootstrap by patient of the difference beside it."""
    if not both_classes(positive, 2):
        return {}
    found = compare(first, second, positive)
    draws = patient_interval(lambda c: auc(first[c], positive[c]) - auc(second[c], positive[c]), patients, rounds)
    return {
        "this": tidy(found.first),
        "other": tidy(found.second),
        "difference": tidy(found.difference),
        "interval95": [tidy(bound) for bound in draws],
        "delong95": [tidy(bound) for bound in found.interval()],
        "delong_z": tidy(found.z),
        "delong_p": tidy(found.p, 6),
        "n": len(patients),
        "patients": len(set(patients)),
    }
