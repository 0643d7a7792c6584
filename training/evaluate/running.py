"""From runs to predictions: gather the samples, let one or several networks answer, add what is known without pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.evaluate.baselines import age_scores, machine_scores
from training.evaluate.forward import Answers, answer
from training.evaluate.pointing import play
from training.evaluate.predictions import Predictions, name_cases
from training.networks.average import Average, refuse_flips
from training.stages.experiment import Experiment
from training.stages.run import Run
from training.stages.samples import Samples


def sample_kind(experiment: Experiment, samples: Samples) -> str:
    """What a sample is: ``exam`` (of four views), ``breast`` (of two), ``patch`` or ``image``."""
    if samples.crops.ndim == 4:
        return "breast" if samples.crops.shape[1] == 2 else "exam"
    return "patch" if experiment.task.endswith("-patch") else "image"


def join_networks(runs: Sequence[Run], flips: bool = False) -> nn.Module:
    """The networks of several runs as one.

    Raises
    ------
    ValueError
        They take other inputs or answer other questions, or a flip would change the answer.
    """
    first = runs[0].experiment
    for run in runs[1:]:
        experiment = run.experiment
        if list(experiment.heads.items()) != list(first.heads.items()):
            raise ValueError(f"{experiment.name} has other heads than {first.name}: average networks that answer the same question")
        if not _same_input(run, runs[0]):
            raise ValueError(
                f"{experiment.name} takes {experiment.recipe} at {run.shape}, {first.name} {first.recipe} at {runs[0].shape}: "
                "one graph has one input; train both at one --shape"
            )
    if flips:
        refuse_flips(list(first.heads))
    networks = [run.network() for run in runs]
    return networks[0] if len(networks) == 1 and not flips else Average(networks, flips)


def _same_input(one: Run, other: Run) -> bool:
    return one.experiment.recipe == other.experiment.recipe and one.shape == other.shape


def predict_runs(
    runs: Sequence[Run], parts: Sequence[str] = ("validation", "test"), flips: bool = False, batch: int = 8, precision: str = "fp32"
) -> tuple[Predictions, Samples]:
    """Mean probabilities of one or several runs for the samples of some parts.

    Runs that share their input answer as one network, maps included; others are averaged sample by sample.

    Raises
    ------
    ValueError
        There is no such sample, the runs answer other questions, or a flip would change the answer.
    """
    experiment = runs[0].experiment
    samples = runs[0].gather()
    chosen = np.flatnonzero(np.isin(samples.parts, list(parts)))
    if not chosen.size:
        raise ValueError(f"{experiment.name} has no sample in {' or '.join(parts)}: choose another part, split or fold")
    heads = list(experiment.heads)
    alike = all(_same_input(run, runs[0]) for run in runs)
    recipe = find_recipe(experiment.recipe)
    found = answer(join_networks(runs if alike else runs[:1], flips), samples.crops, chosen, recipe, heads, batch, precision)
    cases = name_cases([samples.rows[i] for i in range(len(samples.rows))], [str(part) for part in samples.parts])
    table = Predictions(
        dict(experiment.heads),
        [cases[i] for i in chosen],
        {head: samples.targets[head][chosen] for head in heads},
        found.scores,
        without_pixels(experiment, samples, chosen) | _points(runs[0], samples, chosen, found),
    )
    if not alike:
        table = _mean([table, *(predict_runs([run], parts, flips, batch, precision)[0] for run in runs[1:])])
    return table, samples


def _mean(tables: Sequence[Predictions]) -> Predictions:
    first = tables[0]
    places = [{case.sample: index for index, case in enumerate(table.cases)} for table in tables]
    absent = [case.sample for case in first.cases if any(case.sample not in place for place in places)]
    if absent or any(table.heads != first.heads for table in tables):
        raise ValueError(
            f"the runs to average differ in their heads or samples ({len(absent)} are missing): give them one split and data set"
        )
    scores = {
        head: np.mean(
            [table.scores[head][[place[case.sample] for case in first.cases]] for table, place in zip(tables, places, strict=True)],
            axis=0,
        )
        for head in first.heads
    }
    return Predictions(first.heads, first.cases, first.truth, scores, first.extra)


def without_pixels(experiment: Experiment, samples: Samples, chosen: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """The baselines' scores of the chosen samples of a cancer experiment, fitted on its training samples."""
    if experiment.task != "cancer":
        return {}
    train, truth = samples.where("train"), samples.targets["cancer"]
    scores = {"base_age": age_scores(samples.rows, truth, train), "base_machine": machine_scores(samples.rows, truth, train)}
    return {name: values[chosen] for name, values in scores.items()}


def _points(run: Run, samples: Samples, chosen: NDArray[np.int64], found: Answers) -> dict[str, NDArray[np.float64]]:
    """Where a lesion is known and the map is one of whole images: hits and the chance of a blind guess."""
    experiment = run.experiment
    channels = sum(len(classes) for classes in experiment.heads.values())
    playable = experiment.task == "cancer" and sample_kind(experiment, samples) == "image"
    rows = [samples.rows[i] for i in chosen]
    if not playable or found.maps.ndim != 4 or found.maps.shape[1] != channels or not any(row.rois for row in rows):
        return {}
    hit, chance = play(rows, found.maps[:, 0], samples.targets["cancer"][chosen], find_recipe(experiment.recipe), run.shape)
    return {"hit": hit, "chance": chance}
