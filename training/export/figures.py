"""Measures a published model: the stored graph's predictions, its thresholds, and the metrics of its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.manifest import Calibration
from models.preprocessing.recipe import find_recipe
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
from training.stages.experiment import Experiment
from training.stages.run import Run
from training.stages.samples import Samples

LEAST_CONFIDENCE = 0.85
"""Below it a label is UNKNOWN. Not chosen by accuracy on the validation part: outside machine 49 the labeler disagrees there with 5 of 138
view labels, at least one of them wrong (it says CC and shows a burned-in "L MLO"): every threshold would be the highest tried."""


def graph_predictions(run: Run, samples: Samples, graph: Path) -> Predictions:
    """Probabilities of the stored graph for the validation and test samples of the first data set.

    Films of another set would flatter or hide the figures.
    """
    experiment = run.experiment
    first = [row.dataset == run.dataset_names[0] for row in samples.rows]
    if not any(first):
        first = [True] * len(samples.rows)
    chosen = np.flatnonzero(np.isin(samples.parts, ["validation", "test"]) & np.asarray(first))
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
    """The metrics of the manifest: parity, what the training took, and every figure on held-out patients."""
    return {
        "parity_max_difference": round(stored.difference, 6),
        "parity_pictures": stored.pictures,
        "epochs": read_logs(run)[0],
        "samples": {part: int(samples.where(part).size) for part in ("train", "validation", "test")},
        "measured_on": run.dataset_names[0],
        "soup": run.averaged_weights,
        **summarise_metrics(measure(table, sample_kind(run.experiment, samples), rounds=rounds)),
        **_calibration_errors(table, calibration),
    }


def thresholds(experiment: Experiment, table: Predictions, calibration: Calibration) -> dict[str, float]:
    """The operating point of a cancer model, chosen on the validation part; the least confidence of each label of a labeler.

    Raises
    ------
    ValueError
        The part has breasts of one class only.
    """
    if experiment.task == "cancer":
        held = table.part("validation")
        levels = cancer_levels(calibrated(held if len(held) else table.part("test"), calibration), "image")
        # By breast: a set may hold one breast of its cancer patients and both of the others; their maxima cannot be compared.
        breasts = levels["breast"]
        if not breasts.positive.any() or breasts.positive.all():
            raise ValueError("the validation part has breasts of one class only: no operating point can be chosen; take another split")
        return {"cancer": round(youden_point(breasts.scores, breasts.positive), 6)}
    return dict.fromkeys((head for head in experiment.heads if head in ("view", "laterality")), LEAST_CONFIDENCE)


def _calibration_errors(table: Predictions, calibration: Calibration) -> dict[str, Any]:
    if calibration.kind == "none" or not len(test := table.part("test")):
        return {}
    raw, meant = scored(test, "cancer"), scored(calibrated(test, calibration), "cancer")
    errors = {name: round(calibration_error(each.scores, each.positive), 4) for name, each in (("raw", raw), ("calibrated", meant))}
    return {"calibration_error": errors}
