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
from training.stages.experiment import Experiment, Material, Setting, load_network

Run = tuple[Experiment, Setting]


def sample_kind(experiment: Experiment, material: Material) -> str:
    """What a sample is: ``exam`` (of four views), ``breast`` (of two), ``patch`` or ``image``."""
    if material.crops.ndim == 4:
        return "breast" if material.crops.shape[1] == 2 else "exam"
    return "patch" if experiment.task.endswith("-patch") else "image"


def join_networks(runs: Sequence[Run], flips: bool = False) -> nn.Module:
    """The networks of several runs as one.

    Raises
    ------
    ValueError
        They take other inputs or answer other questions, or a flip would change the answer.
    """
    first, setting = runs[0]
    for experiment, other in runs[1:]:
        if list(experiment.heads.items()) != list(first.heads.items()):
            raise ValueError(f"{experiment.name} has other heads than {first.name}: average networks that answer the same question")
        if experiment.recipe != first.recipe or experiment.input_shape(other) != first.input_shape(setting):
            raise ValueError(
                f"{experiment.name} takes {experiment.recipe} at {experiment.input_shape(other)}, {first.name} {first.recipe} at "
                f"{first.input_shape(setting)}: one graph has one input; train both at one --shape"
            )
    if flips:
        refuse_flips(list(first.heads))
    networks = [load_network(experiment, each) for experiment, each in runs]
    return networks[0] if len(networks) == 1 and not flips else Average(networks, flips)


def predict_runs(
    runs: Sequence[Run], parts: Sequence[str] = ("tune", "test"), flips: bool = False, batch: int = 8, precision: str = "fp32"
) -> tuple[Predictions, Material]:
    """Mean probabilities of one or several runs for the samples of some parts.

    Runs that share their input answer as one network, maps included; others are averaged sample by sample.

    Raises
    ------
    ValueError
        There is no such sample, the runs answer other questions, or a flip would change the answer.
    """
    experiment, setting = runs[0]
    material = experiment.gather(experiment, setting)
    chosen = np.flatnonzero(np.isin(material.parts, list(parts)))
    if not chosen.size:
        raise ValueError(f"{experiment.name} has no sample in {' or '.join(parts)}: choose another part, split or fold")
    heads = list(experiment.heads)
    alike = all(other.recipe == experiment.recipe and other.input_shape(each) == experiment.input_shape(setting) for other, each in runs)
    recipe = find_recipe(experiment.recipe)
    found = answer(join_networks(runs if alike else runs[:1], flips), material.crops, chosen, recipe, heads, batch, precision)
    cases = name_cases([material.rows[i] for i in range(len(material.rows))], [str(part) for part in material.parts])
    table = Predictions(
        dict(experiment.heads),
        [cases[i] for i in chosen],
        {head: material.targets[head][chosen] for head in heads},
        found.scores,
        without_pixels(experiment, material, chosen) | _points(experiment, setting, material, chosen, found),
    )
    if not alike:
        table = _mean([table, *(predict_runs([run], parts, flips, batch, precision)[0] for run in runs[1:])])
    return table, material


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


def without_pixels(experiment: Experiment, material: Material, chosen: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """The baselines' scores of the chosen samples of a cancer experiment, fitted on its training samples."""
    if experiment.task != "cancer":
        return {}
    train, truth = material.where("train"), material.targets["cancer"]
    scores = {"base_age": age_scores(material.rows, truth, train), "base_machine": machine_scores(material.rows, truth, train)}
    return {name: values[chosen] for name, values in scores.items()}


def _points(
    experiment: Experiment, setting: Setting, material: Material, chosen: NDArray[np.int64], found: Answers
) -> dict[str, NDArray[np.float64]]:
    """Where a lesion is known and the map is one of whole images: hits and the chance of a blind guess."""
    channels = sum(len(classes) for classes in experiment.heads.values())
    playable = experiment.task == "cancer" and sample_kind(experiment, material) == "image"
    rows = [material.rows[i] for i in chosen]
    if not playable or found.maps.ndim != 4 or found.maps.shape[1] != channels or not any(row.rois for row in rows):
        return {}
    hit, chance = play(
        rows, found.maps[:, 0], material.targets["cancer"][chosen], find_recipe(experiment.recipe), experiment.input_shape(setting)
    )
    return {"hit": hit, "chance": chance}
