"""How low can we go: one experiment trained on more and more patients (Yi et al. 2019; Shen et al. 2017, Table 4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.preprocessing.recipe import find_recipe
from training.metrics.ranking import accuracy, auc, patient_interval
from training.stages.engine import predict
from training.stages.run import Run
from training.stages.train import train


def read_sizes(text: str) -> list[int | None]:
    """``25,50,all`` as numbers of patients; None for all.

    Raises
    ------
    ValueError
        The text is something else.
    """
    sizes: list[int | None] = []
    for word in text.split(","):
        word = word.strip()
        if word != "all" and not (word.isdigit() and int(word) > 0):
            raise ValueError(f"{word!r} is no number of patients: write them as 25,50,100,all")
        sizes.append(None if word == "all" else int(word))
    return sizes


def draw_curve(run: Run, sizes: Sequence[int | None], folder: Path, rounds: int = 1000) -> Path:
    """Train at every size, test each on the same patients, and write ``NAME.json`` and ``NAME.png``.

    Each size is a run of its own, ``NAME-TAG-25-patients``, so that a killed curve continues where it stopped.

    Parameters
    ----------
    folder
        For the two files.
    rounds
        Bootstrap draws of each interval, over patients.

    Returns
    -------
    The JSON file.
    """
    experiment, options = run.experiment, run.options
    if not run.gather().where("test").size:
        raise ValueError("the split has no test part: choose another --split, every point of the curve is measured on it")
    sized = [Run(experiment, replace(options, patients=size, tag=_tag(options.tag, size))) for size in sizes]
    points = [_measure(each, rounds) for each in sized]
    answer = {
        "experiment": experiment.name,
        "paper": experiment.paper,
        "datasets": run.dataset_names,
        "shape": run.shape,
        "seed": options.seed,
        "points": sorted(points, key=lambda point: int(point["patients"])),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.name}-curve.json"
    path.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    _plot(answer, path.with_suffix(".png"))
    return path


def _tag(tag: str, size: int | None) -> str:
    own = "all-patients" if size is None else f"{size}-patients"
    return f"{tag}-{own}" if tag else own


def _measure(run: Run, rounds: int) -> dict[str, Any]:
    train(run)
    samples = run.gather()
    trained, held = samples.where("train"), samples.where("test")
    logits = predict(run.network(), samples.crops[held], normalise=find_recipe(run.experiment.recipe).normalise)
    figures: dict[str, Any] = {}
    for head, values in logits.items():
        known = np.flatnonzero(samples.targets[head][held] >= 0)
        truth, answers = samples.targets[head][held][known], values[known]
        if answers.shape[1] > 2:
            name, statistic = "accuracy", _accuracy_of(answers, truth)
        else:
            name, statistic = "auc", _auc_of(answers[:, -1] - (answers[:, 0] if answers.shape[1] == 2 else 0.0), truth)
        interval = patient_interval(statistic, [samples.rows[held[i]].patient for i in known], rounds)
        value = statistic(np.arange(len(known)))
        figures[head] = {"figure": name, "value": round(value, 4), "interval95": [round(bound, 4) for bound in interval], "n": len(known)}
    return {
        "patients": len({samples.rows[i].patient for i in trained}),
        "samples": len(trained),
        "run": run.name,
        "figures": figures,
    }


def _accuracy_of(answers: NDArray[np.float64], truth: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], float]:
    return lambda chosen: accuracy(answers[chosen].argmax(axis=1), truth[chosen])


def _auc_of(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], float]:
    return lambda chosen: auc(scores[chosen], truth[chosen] == 1)


def _plot(answer: dict[str, Any], path: Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    patients = [point["patients"] for point in answer["points"]]
    for head, first in answer["points"][0]["figures"].items():
        found = [point["figures"][head] for point in answer["points"]]
        values = [each["value"] for each in found]
        below = [max(each["value"] - each["interval95"][0], 0.0) for each in found]
        above = [max(each["interval95"][1] - each["value"], 0.0) for each in found]
        axes.errorbar(patients, values, yerr=[below, above], marker="o", capsize=3, label=f"{head} ({first['figure']})")
    axes.set_xscale("log")
    axes.set_xticks(patients, [str(count) for count in patients])
    axes.minorticks_off()
    axes.set_xlabel("patients in training")
    axes.set_ylabel("on the test patients, 95 % interval")
    axes.set_title(answer["experiment"])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
