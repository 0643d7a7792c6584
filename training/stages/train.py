"""How a run is trained: gather, save its config, then one stage after another, from where an earlier process stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.data.splits import write_split
from training.errors import ClassEmpty, SplitUnfit
from training.metrics.ranking import accuracy, auc
from training.stages.checkpoint import BEST, LAST, fits, read_network, save
from training.stages.dataset import AugmentedDataset
from training.stages.devices import open_fabric
from training.stages.engine import AfterEpoch, fit, predict
from training.stages.experiment import Experiment
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.run import Run
from training.stages.run_config import save_config
from training.stages.samples import Samples


def train(run: Run) -> Path:
    """Train a run through all its stages, from where an earlier process stopped; returns the run's folder.

    The folder gets ``run_config.json``, ``split-NAME.csv`` and a folder for each stage (`training.stages.engine.fit`).

    Raises
    ------
    TrainingError
        The message says what to change.
    """
    fabric = open_fabric(run.plans[0].precision, run.options.devices)
    samples = run.gather()
    check_classes(run.experiment, samples)
    if fabric.is_global_zero:
        _save_origin(run, samples, str(fabric.device))
    fabric.barrier()
    torch.manual_seed(run.options.seed)
    network = initialise(run.experiment, run.options.initialisation)
    if run.experiment.fit_override is not None:
        if fabric.is_global_zero:
            _fit_without_gradient(run, network, samples)
    else:
        _fit_stages(run, network, samples, fabric)
    return run.folder


def initialise(experiment: Experiment, initialisation: Initialisation) -> nn.Module:
    """The network before training: a run's whole network where it has the same architecture, else what the experiment builds."""
    place = Path(initialisation.weights)
    if place.is_dir() or (place.is_file() and place.name in (LAST, BEST)):
        network, tensors = experiment.build(replace(initialisation, weights="random")), read_network(place)
        if fits(network, tensors):
            network.load_state_dict(tensors)
            return network
    return experiment.build(initialisation)


def check_classes(experiment: Experiment, samples: Samples) -> None:
    """Check that the train part has something to learn from.

    Raises
    ------
    SplitUnfit
        The train part is empty.
    ClassEmpty
        It has no sample of a class.
    """
    chosen = samples.where("train")
    if not chosen.size:
        raise SplitUnfit(f"no sample of {', '.join(experiment.datasets)} is in the train part: choose another --split")
    for head, classes in experiment.heads.items():
        names = classes if len(classes) > 1 else (f"not {classes[0]}", classes[0])
        found = samples.targets[head][chosen]
        absent = [name for index, name in enumerate(names) if not (found == index).any()]
        if absent:
            raise ClassEmpty(
                f"the train part has no sample of {head} {' or '.join(absent)} among its {chosen.size}: "
                "use more patients (--set patients=N), another --split, or data that has it"
            )


def _save_origin(run: Run, samples: Samples, device: str) -> None:
    """Save the run's config and its split."""
    save_config(run.folder, run.describe(samples), device)
    # Patients that this run leaves out stay training patients: the same split serves a run with more of them.
    parts = zip(samples.rows, samples.parts, strict=True)
    write_split(run.split_file, {row.patient: "train" if part == "unused" else str(part) for row, part in parts})


def _fit_without_gradient(run: Run, network: nn.Module, samples: Samples) -> None:
    """Let the experiment's own function train the network, once."""
    last = run.stage_folder(1) / LAST
    override = run.experiment.fit_override
    if override is None or last.exists():
        return
    override(network, samples, run.experiment.recipe, run.options.seed)
    last.parent.mkdir(exist_ok=True)
    save(last, {"network": network.state_dict(), "epoch": 1})


def _fit_stages(run: Run, network: nn.Module, samples: Samples, fabric: Fabric) -> None:
    """Train stage by stage, each from the network of the former."""
    experiment, chosen = run.experiment, samples.where("train")
    targets = {head: values[chosen] for head, values in samples.targets.items()}
    normalise = find_recipe(experiment.recipe).normalise
    for number, plan in enumerate(run.plans, start=1):
        network = fit(
            network,
            AugmentedDataset(samples.crops[chosen], targets, plan.augmentation, plan.seed, normalise),
            experiment.loss(),
            plan,
            run.stage_folder(number),
            experiment.sampling_weights(targets),
            _measure_validation(experiment, samples, plan),
            fabric,
            run.options.workers,
        )


def _measure_validation(experiment: Experiment, samples: Samples, plan: Plan) -> AfterEpoch | None:
    held, normalise = samples.where("validation"), find_recipe(experiment.recipe).normalise
    if not held.size:
        return None

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        logits = predict(network, samples.crops[held], plan.batch, normalise, plan.precision)
        return {head: _quality(values, samples.targets[head][held]) for head, values in logits.items() if head in experiment.heads}

    return after_epoch


def _quality(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Accuracy of a head of several classes, else the area under the ROC curve."""
    known = truth >= 0
    if logits.shape[1] > 2:
        return accuracy(logits[known].argmax(axis=1), truth[known])
    return auc(logits[known, -1] - (logits[known, 0] if logits.shape[1] == 2 else 0), truth[known] == 1)
