"""What an experiment is: a row of a paper as values and functions. How it is run: gather, train stage by stage, load what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.data.cache import build_cache
from training.data.index import Row, read_index
from training.metrics.ranking import accuracy, auc
from training.stages.engine import fit, predict
from training.stages.losses import Loss, masked_cross_entropy
from training.stages.parts import assign_parts, limit_patients
from training.stages.plan import Plan, share_epochs
from training.stages.samples import Samples, Targets
from training.stages.setting import Material, Setting, Start

__all__ = [
    "Experiment",
    "Material",
    "Setting",
    "Start",
    "Task",
    "gather_images",
    "load_network",
    "part_of_rows",
    "run_folder",
    "stage_folder",
    "targets",
    "train",
]

Task = Literal["labeler", "cancer", "view", "laterality", "density", "mass-patch", "lesion-patch"]


def targets(experiment: Experiment, rows: list[Row]) -> Targets:
    """Class indices by head from the rows themselves; -1 where a row does not say."""
    if experiment.task == "cancer":
        return {"cancer": np.array([-1 if row.malignant is None else int(row.malignant) for row in rows], np.int64)}
    return {
        head: np.array([-1 if (value := getattr(row, head)) is None else classes.index(value) for row in rows], np.int64)
        for head, classes in experiment.heads.items()
    }


def part_of_rows(experiment: Experiment, setting: Setting, rows: list[Row]) -> NDArray[np.str_]:
    """The part of each row under the split in force, with `Setting.patients` taken into account. For gather functions."""
    parts = assign_parts(rows, experiment.split if setting.split is None else setting.split, setting.fold)
    return limit_patients(rows, parts, setting.patients)


def gather_images(experiment: Experiment, setting: Setting) -> Material:
    """Whole images: index, cached crops by the experiment's recipe, parts, and targets as the rows say."""
    rows = read_index(setting.data, experiment.datasets)
    cached = build_cache(rows, experiment.input_shape(setting), setting.runs / "cache", experiment.recipe)
    kept = list(cached.rows)
    return Material(kept, cached.pixels, part_of_rows(experiment, setting, kept), targets(experiment, kept))


def draw_evenly(targets: Targets) -> NDArray[np.float64] | None:
    """Every sample once an epoch."""
    return None


@dataclass(frozen=True)
class Experiment:
    """What to train on what, and how.

    Parameters
    ----------
    name
        Of the run's folder, and behind ``mammotriage-`` of the model in the zoo.
    task
        The manifest's: which figures are measured, and which slot of the service the model fills.
    paper
        Where it stands: "Yi et al. 2019, Results: view".
    needs
        Data and weights, in words.
    datasets
        Names of `training.data.index.READERS`.
    shape
        Rows, columns of the network input in pixels.
    recipe
        Of `models.preprocessing.recipe`.
    heads
        The network's heads with their classes, in the order of its outputs; one class: the probability of it.
    plans
        The stages of training, each from where the former ended (Shen et al. 2017, 3.1.2: stages of falling rates).
    build
        Makes the network as it starts.
    gather
        Makes the samples.
    loss
        Makes the loss.
    split
        Rule of `training.data.splits`, or the file that gives each patient a part.
    draws
        From the targets of the training samples to how often each is drawn; None: each once an epoch.
    """

    name: str
    task: Task
    paper: str
    needs: str
    datasets: tuple[str, ...]
    shape: tuple[int, int]
    recipe: str
    heads: dict[str, tuple[str, ...]]
    plans: tuple[Plan, ...]
    build: Callable[[Start], nn.Module]
    gather: Callable[[Experiment, Setting], Material] = gather_images
    loss: Callable[[], Loss] = masked_cross_entropy
    split: str | Path = "80/10/10"
    draws: Callable[[Targets], NDArray[np.float64] | None] = draw_evenly

    def input_shape(self, setting: Setting) -> tuple[int, int]:
        """Rows, columns in force."""
        return setting.shape or self.shape

    def stages(self, setting: Setting) -> tuple[Plan, ...]:
        """The plans in force: what the user set, spread over the paper's stages."""
        plans = share_epochs(self.plans, setting.epochs) if setting.epochs else self.plans
        return tuple(
            replace(
                plan,
                batch=setting.batch or plan.batch,
                accumulate=setting.accumulate or plan.accumulate,
                patience=plan.patience if setting.patience is None else setting.patience,
                precision=setting.precision or plan.precision,
                deterministic=setting.deterministic or plan.deterministic,
                seed=plan.seed + 1000 * setting.seed,
            )
            for plan in plans
        )


def run_folder(experiment: Experiment, setting: Setting) -> Path:
    """Where a run keeps its settings, stages and reports."""
    return setting.runs / (f"{experiment.name}-{setting.tag}" if setting.tag else experiment.name)


def stage_folder(experiment: Experiment, setting: Setting, number: int) -> Path:
    """Where stage `number` (from 1) keeps its checkpoints and its logs."""
    return run_folder(experiment, setting) / f"stage{number}"


def train(experiment: Experiment, setting: Setting) -> Path:
    """Train an experiment through all its stages, resuming where an earlier run stopped; the run's folder."""
    material = experiment.gather(experiment, setting)
    chosen, held = material.where("train"), material.where("tune")
    known = {head: values[chosen] for head, values in material.targets.items()}

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        logits = predict(network, material.crops[held])
        return {head: _quality(values, material.targets[head][held]) for head, values in logits.items()}

    torch.manual_seed(setting.seed)
    network = experiment.build(setting.start)
    for number, plan in enumerate(experiment.stages(setting), start=1):
        samples = Samples(material.crops[chosen], known, plan.augmentation, plan.seed, find_recipe(experiment.recipe).normalise)
        folder = stage_folder(experiment, setting, number)
        network = fit(network, samples, experiment.loss(), plan, folder, experiment.draws(known), after_epoch)
    return run_folder(experiment, setting)


def load_network(experiment: Experiment, setting: Setting) -> nn.Module:
    """The trained network of a run, on the CPU, in evaluation mode: the best epoch of the last stage."""
    network = experiment.build(replace(setting.start, weights="random"))
    saved = torch.load(stage_folder(experiment, setting, len(experiment.plans)) / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(saved["network"])
    return network.eval()


def _quality(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    known = truth >= 0
    if logits.shape[1] > 2:
        return accuracy(logits[known].argmax(axis=1), truth[known])
    return auc(logits[known, -1] - (logits[known, 0] if logits.shape[1] == 2 else 0), truth[known] == 1)
