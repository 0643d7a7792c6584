"""Measures a published model: the stored graph's predictions, its thresholds, and the metrics of its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Calibration
from models.preprocessing.recipe import find_recipe
from training.evaluate.figures import auc_figure, both_classes, class_figures, tidy
from training.evaluate.levels import cancer_levels, scored
from training.evaluate.measure import measure
from training.evaluate.predictions import Predictions, name_cases
from training.evaluate.provenance import read_logs
from training.evaluate.running import sample_kind, without_pixels
from training.export.calibrating import calibrated
from training.export.exporting import Exported
from training.export.metrics_summary import summarise_metrics
from training.export.sessions import score
from training.metrics.calibration import calibration_error
from training.metrics.points import youden_point
from training.metrics.ranking import accuracy, patient_interval
from training.stages.run import Run
from training.stages.samples import Samples

HELD = ("validation", "test")

MAMMOGRAM = "mammogram"
LOST_MAMMOGRAMS = 0.003
"""Share of the mammograms of the validation part that may be refused for the sake of other pictures."""

LEAST_CONFIDENCE = 0.85
"""Below it a label is UNKNOWN. Not chosen by accuracy on the validation part: outside machine 49 the labeler disagrees there with 5 of 138
view labels, at least one of them wrong (it says CC and shows a burned-in "L MLO"): every threshold would be the highest tried."""


def graph_predictions(run: Run, samples: Samples, graph: Path) -> Predictions:
    """Probabilities of the stored graph for the validation and test samples of the first data set.

    Films of another set would flatter or hide the figures: `figures_by_set` has those.
    """
    first = np.array([row.dataset == run.dataset_names[0] for row in samples.rows])
    held = np.isin(samples.parts, HELD)
    return predict_graph(run, samples, graph, np.flatnonzero(held & first if first.any() else held))


def first_set(run: Run, table: Predictions) -> Predictions:
    """The samples of the first data set; all where it has none."""
    own = of_set(table, run.dataset_names[0])
    return own if len(own) else table


def of_set(table: Predictions, name: str) -> Predictions:
    """The samples of one data set."""
    return table.take(np.flatnonzero([case.dataset == name for case in table.cases]))


def figures_by_set(run: Run, table: Predictions, rounds: int) -> dict[str, dict[str, Any]]:
    """Each head on the test part of each data set: the AUC, or the accuracy of a head of several classes or with one class in the set.

    Nothing for an experiment of one data set.
    """
    if len(run.dataset_names) < 2:
        return {}
    least = least_mammogram(table) if MAMMOGRAM in table.heads else None
    test, answer = table.part("test"), {}
    for name in run.dataset_names:
        own = of_set(test, name)
        answer[name] = {head: _set_figure(own, head, rounds) for head in table.heads if len(own.known(head)) and head != MAMMOGRAM}
        if least is not None:
            answer[name][MAMMOGRAM] = _refusal_figure(own, least, rounds)
    return answer


def _refusal_figure(table: Predictions, least: float, rounds: int) -> dict[str, Any]:
    """Share of the pictures that the service takes for what they are."""
    level = scored(table, MAMMOGRAM)
    taken, truth = (level.scores >= least).astype(np.int64), level.positive.astype(np.int64)
    interval = patient_interval(lambda chosen: accuracy(taken[chosen], truth[chosen]), level.patients, rounds)
    return {
        "accuracy": tidy(accuracy(taken, truth)),
        "n": len(truth),
        "patients": len(set(level.patients)),
        "interval95": [tidy(bound) for bound in interval],
    }


def _set_figure(table: Predictions, head: str, rounds: int) -> dict[str, Any]:
    level = scored(table, head) if len(table.heads[head]) < 3 else None
    if level is not None and both_classes(level.positive):
        return auc_figure(level, rounds)
    if level is not None and len(table.heads[head]) == 1:
        return {"auc": None, "n": len(level.cases), "patients": len(set(level.patients))}
    figure = class_figures(table, head, rounds)
    return {key: figure[key] for key in ("accuracy", "n", "patients", "interval95", "wilson95")}


def predict_graph(run: Run, samples: Samples, graph: Path, chosen: NDArray[np.int64]) -> Predictions:
    """Probabilities of the stored graph for some samples."""
    experiment = run.experiment
    heads = list(experiment.heads)
    cases = name_cases(samples.rows, [str(part) for part in samples.parts])
    return Predictions(
        dict(experiment.heads),
        [cases[i] for i in chosen],
        {head: samples.targets[head][chosen] for head in heads},
        score(graph, heads, samples.crops, chosen, find_recipe(experiment.recipe)),
        without_pixels(experiment, samples, chosen),
    )


def model_metrics(
    run: Run, samples: Samples, stored: Exported, table: Predictions, calibration: Calibration, rounds: int
) -> dict[str, Any]:
    """The metrics of the manifest: parity, what the training took, and every figure on held-out patients.

    Parameters
    ----------
    table
        Of the held-out samples of all data sets.
    """
    first = first_set(run, table)
    return {
        "parity_max_difference": round(stored.difference, 6),
        "parity_pictures": stored.pictures,
        "epochs": read_logs(run)[0],
        "samples": {part: int(samples.where(part).size) for part in ("train", "validation", "test")},
        "measured_on": run.dataset_names[0],
        "soup": run.averaged_weights,
        **summarise_metrics(measure(first, sample_kind(run.experiment, samples), rounds=rounds)),
        **_calibration_errors(first, calibration),
        "sets": figures_by_set(run, table, rounds),
    }


def thresholds(run: Run, table: Predictions, calibration: Calibration) -> dict[str, float]:
    """The operating point of a cancer model, chosen on the validation part; the least confidence of each label of a labeler.

    Parameters
    ----------
    table
        Of the held-out samples of all data sets.

    Raises
    ------
    ValueError
        The part has breasts of one class only.
    """
    experiment = run.experiment
    if experiment.task == "cancer":
        first = first_set(run, table)
        held = first.part("validation")
        levels = cancer_levels(calibrated(held if len(held) else first.part("test"), calibration), "image")
        # By breast: a set may hold one breast of its cancer patients and both of the others; their maxima cannot be compared.
        breasts = levels["breast"]
        if not breasts.positive.any() or breasts.positive.all():
            raise ValueError("the validation part has breasts of one class only: no operating point can be chosen; take another split")
        return {"cancer": round(youden_point(breasts.scores, breasts.positive), 6)}
    found = dict.fromkeys((head for head in experiment.heads if head in ("view", "laterality")), LEAST_CONFIDENCE)
    return found | ({MAMMOGRAM: least_mammogram(table)} if MAMMOGRAM in experiment.heads else {})


def least_mammogram(table: Predictions) -> float:
    """The probability below which a picture is refused: at most `LOST_MAMMOGRAMS` of the validation part's mammograms have a lower one."""
    level = scored(table.part("validation"), MAMMOGRAM)
    own = np.sort(level.scores[level.positive])
    return round(float(own[int(LOST_MAMMOGRAMS * len(own))]), 6) if len(own) else 0.5


def _calibration_errors(table: Predictions, calibration: Calibration) -> dict[str, Any]:
    if calibration.kind == "none" or not len(test := table.part("test")):
        return {}
    raw, meant = scored(test, "cancer"), scored(calibrated(test, calibration), "cancer")
    errors = {name: round(calibration_error(each.scores, each.positive), 4) for name, each in (("raw", raw), ("calibrated", meant))}
    return {"calibration_error": errors}
