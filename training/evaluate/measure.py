"""From a table of predictions to every figure of a report, as plain values for JSON. No network, no picture: folds pool here too."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluate.figures import (
    auc_figure,
    both_classes,
    calibration_figures,
    class_figures,
    comparison_figures,
    point_figures,
    tidy,
)
from training.evaluate.levels import Scored, cancer_levels, scored
from training.evaluate.predictions import Predictions, align
from training.evaluate.subgroups import class_groups, score_groups
from training.metrics.points import Share

CANCER = "cancer"
BASELINES = {"base_age": "age alone", "base_machine": "machine alone"}


def levels_of(table: Predictions, head: str, sample: str) -> dict[str, Scored]:
    """What a head of one or two classes is measured at: for cancer up to the patient, else the samples alone."""
    return cancer_levels(table, sample) if head == CANCER else {sample: scored(table, head)}


def measure(table: Predictions, sample: str, part: str = "test", rounds: int = 1000) -> dict[str, Any]:
    """All figures of all heads.

    Parameters
    ----------
    table
        Predictions of the part and, for thresholds and calibration, of the validation part.
    sample
        What a sample is: ``image``, ``patch`` or ``exam``.
    rounds
        Bootstrap draws of each interval (a third as many for subgroups).
    """
    test, validation = table.part(part), table.part("validation") if part != "validation" else table.part("none")
    counts = {
        name: {"samples": len(each), "patients": len({case.patient for case in each.cases})}
        for name, each in ((part, test), ("validation", validation))
        if len(each)
    }
    heads: dict[str, Any] = {}
    for head, names in table.heads.items():
        if len(names) > 2:
            heads[head] = {"kind": "classes", sample: class_figures(test, head, rounds)}
            heads[head]["subgroups"] = {sample: class_groups(test, head)}
            continue
        found: dict[str, Any] = {"kind": "score", "positive": names[-1], "levels": {}, "subgroups": {}}
        held, chosen = levels_of(test, head, sample), levels_of(validation, head, sample)
        for name, level in held.items():
            chosen_on = chosen.get(name, Scored([], np.zeros(0), np.zeros(0, np.bool_), {}))
            figure = auc_figure(level, rounds) | {"points": point_figures(chosen_on, level)}
            figure["calibration"] = calibration_figures(chosen_on, level)
            if baselines := _baselines(level, rounds):
                figure["baselines"] = baselines
            found["levels"][name] = figure
            found["subgroups"][name] = score_groups(chosen_on, level, max(rounds // 3, 20))
        heads[head] = found
    report: dict[str, Any] = {"sample": sample, "part": part, "counts": counts, "heads": heads}
    if pointing := _pointing(test):
        report["pointing"] = pointing
    return report


def compare_tables(first: Predictions, second: Predictions, sample: str, part: str = "test", rounds: int = 1000) -> dict[str, Any]:
    """DeLong's paired test of two runs on the samples that both were tested on, for each head and level that both have."""
    one, two = align(first.part(part), second.part(part))
    answer: dict[str, Any] = {}
    for head, names in one.heads.items():
        if len(names) > 2 or two.heads.get(head) != names:
            continue
        ours, theirs = levels_of(one, head, sample), levels_of(two, head, sample)
        answer[head] = {
            name: comparison_figures(level.scores, theirs[name].scores, level.positive, level.patients, rounds)
            for name, level in ours.items()
        }
    return answer


def _baselines(level: Scored, rounds: int) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if not both_classes(level.positive):
        return answer
    for name, label in BASELINES.items():
        if name in level.extra and not np.isnan(level.extra[name]).any():
            alone = Scored(level.cases, level.extra[name], level.positive, {})
            answer[label] = auc_figure(alone, rounds) | {
                "network_against_it": comparison_figures(level.scores, level.extra[name], level.positive, level.patients, rounds)
            }
    return answer


def _pointing(test: Predictions) -> dict[str, Any]:
    if "hit" not in test.extra or np.isnan(test.extra["hit"]).all():
        return {}
    played = ~np.isnan(test.extra["hit"])
    share = Share(int(test.extra["hit"][played].sum()), int(played.sum()))
    return {
        "hit_rate": tidy(share.value),
        "wilson95": [tidy(bound) for bound in share.interval()],
        "hits": share.count,
        "images": share.total,
        "blind_guess": tidy(float(test.extra["chance"][played].mean())),
    }
