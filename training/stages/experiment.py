"""What an experiment is, and how one is run: gather the data, train, keep checkpoints. The same for every network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.data.cache import build_cache
from training.data.index import Row, read_index
from training.data.splits import read_split
from training.metrics.ranking import accuracy, auc
from training.stages.engine import Crops, Plan, fit, masked_cross_entropy, predict


@dataclass(frozen=True)
class Material:
    """A data set ready for training: rows, their crops, their part."""

    rows: list[Row]
    crops: NDArray[np.uint8]
    parts: NDArray[np.str_]

    def where(self, part: str) -> NDArray[np.int64]:
        """Indices of the rows of ``train``, ``tune`` or ``test``."""
        return np.flatnonzero(self.parts == part)


@dataclass(frozen=True)
class Experiment:
    """What to train on what, and how.

    Parameters
    ----------
    name
        Of the run's folder, and behind ``mammotriage-`` of the model in the zoo.
    task
        ``labeler`` or ``cancer``: which figures are measured and which slot of the service the model fills.
    datasets, split
        Names of `training.data.index.READERS`, and the file that gives each patient a part.
    shape
        Rows, columns of the network input in pixels.
    build
        Makes the network as it starts.
    heads
        The network's heads with their classes, in the order of its outputs.
    plans
        The stages of training, each from where the former ended (Shen et al. 2017, 3.1.2: stages of falling rates).
    """

    name: str
    task: Literal["labeler", "cancer"]
    datasets: tuple[str, ...]
    split: Path
    shape: tuple[int, int]
    build: Callable[[], nn.Module]
    heads: dict[str, tuple[str, ...]]
    plans: tuple[Plan, ...]


def gather(experiment: Experiment, data: Path, runs: Path) -> Material:
    """Read the index, the split and the crops of an experiment."""
    rows = read_index(data, experiment.datasets)
    split = read_split(experiment.split)
    return Material(rows, build_cache(rows, experiment.shape, runs / "cache"), np.array([split[row.patient] for row in rows]))


def targets(experiment: Experiment, rows: list[Row]) -> dict[str, NDArray[np.int64]]:
    """Class indices by head; -1 where a row does not say."""
    if experiment.task == "cancer":
        return {"cancer": np.array([-1 if row.malignant is None else int(row.malignant) for row in rows])}
    return {
        head: np.array([-1 if (value := getattr(row, head)) is None else classes.index(value) for row in rows])
        for head, classes in experiment.heads.items()
    }


def stage_folder(experiment: Experiment, runs: Path, number: int) -> Path:
    """Where stage `number` (from 1) keeps its checkpoint and its log."""
    return runs / experiment.name / f"stage{number}"


def train(experiment: Experiment, data: Path, runs: Path) -> nn.Module:
    """Train an experiment through all its stages, resuming where an earlier run stopped."""
    material = gather(experiment, data, runs)
    chosen, held = material.where("train"), material.where("tune")
    truth = targets(experiment, material.rows)
    known = {head: values[chosen] for head, values in truth.items()}

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        logits = predict(network, material.crops[held])
        return {head: _quality(values, truth[head][held]) for head, values in logits.items()}

    weights = None
    if "density" in truth:  # half of the pictures have no density: the others are drawn more often
        weights = np.where(known["density"] >= 0, 1.5, 1.0)
    network = experiment.build()
    for number, plan in enumerate(experiment.plans, start=1):
        crops = Crops(material.crops[chosen], known, plan.augmentation, plan.seed)
        folder = stage_folder(experiment, runs, number)
        network = fit(network, crops, masked_cross_entropy(smoothing=0.05), plan, folder, weights, after_epoch)
    return network


def _quality(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    known = truth >= 0
    if logits.shape[1] > 2:
        return accuracy(logits[known].argmax(axis=1), truth[known])
    return auc(logits[known, -1] - (logits[known, 0] if logits.shape[1] == 2 else 0), truth[known] == 1)
