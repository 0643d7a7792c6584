"""What a smaller storage of the weights costs in AUC or accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.evaluate.levels import scored
from training.evaluate.predictions import Predictions
from training.export.exporting import Exported, export_run
from training.export.figures import graph_predictions
from training.metrics.ranking import auc
from training.stages.run import Run
from training.stages.samples import Samples


def measure_costs(
    run: Run,
    samples: Samples,
    plain: Exported,
    stored: Exported,
    table: Predictions,
    storages: Sequence[str],
    average: Sequence[Run],
    flips: bool,
) -> dict[str, dict[str, object]]:
    """AUC (or accuracy) on the test part, size and parity of every storage, against fp32.

    Parameters
    ----------
    plain, stored
        The graph in fp32, and the one that is published.
    table
        Predictions of `stored`.
    storages
        To measure; empty, or the published one alone: nothing is measured.
    """
    if set(storages) <= {stored.storage}:
        return {}
    found: dict[str, tuple[Exported, str, float]] = {}
    for storage in dict.fromkeys(("fp32", *storages, stored.storage)):
        if storage == stored.storage:
            graph, scores = stored, table
        else:
            graph = plain if storage == plain.storage else _convert(run, samples, plain, storage, average, flips)
            scores = graph_predictions(run, samples, graph.path)
        found[storage] = (graph, *_headline(scores))
    reference = found["fp32"][2]
    return {
        storage: {
            "statistic": statistic,
            "value": value,
            "megabytes": round(graph.path.stat().st_size / 1e6, 2),
            "parity_max_difference": round(graph.difference, 6),
            "against_fp32": round(value - reference, 5),
        }
        for storage, (graph, statistic, value) in found.items()
    }


def _convert(run: Run, samples: Samples, plain: Exported, storage: str, average: Sequence[Run], flips: bool) -> Exported:
    path = plain.path.with_name(f"{storage}.onnx")
    return export_run(run, path, storage=storage, average=average, flips=flips, samples=samples, plain=plain.path)


def _headline(table: Predictions) -> tuple[str, float]:
    """One number that a smaller storage could spoil: the AUC of the score by image, or the mean accuracy of the heads."""
    test = table.part("test")
    if "cancer" in table.heads:
        level = scored(test, "cancer")
        return "AUC by image", round(auc(level.scores, level.positive), 5)
    shares = []
    for head in table.heads:
        known = test.known(head)
        if len(known):
            shares.append(float((known.scores[head].argmax(axis=1) == known.truth[head]).mean()))
    return "mean accuracy", round(float(np.mean(shares)), 5) if shares else float("nan")
