"""The experiments behind the models that we ship. An experiment picks components; it holds no mechanism of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.data.augment import Augmentation
from training.data.cache import build_cache
from training.data.index import Row, read_index
from training.data.splits import read_split
from training.metrics.ranking import accuracy, auc
from training.networks.labeler import HEADS, Labeler
from training.networks.whole_image import WholeImageNetwork
from training.stages.engine import Crops, Plan, fit, masked_cross_entropy, predict

SPLIT = Path(__file__).with_name("splits") / "patients.csv"
"""Every patient of every set, made once by ``python -m training split``: no model that we ship has seen another one's test patients."""


@dataclass(frozen=True)
class Material:
    """A data set ready for training: rows, their crops, their part, their targets by head."""

    rows: list[Row]
    crops: NDArray[np.uint8]
    parts: NDArray[np.str_]

    def where(self, part: str) -> NDArray[np.int64]:
        return np.flatnonzero(self.parts == part)


@dataclass(frozen=True)
class Experiment:
    """What to train on what, and how."""

    name: str
    datasets: tuple[str, ...]
    shape: tuple[int, int]
    plan: Plan

    def network(self) -> nn.Module:
        return Labeler() if self.name == "labeler" else WholeImageNetwork()

    def heads(self) -> dict[str, tuple[str, ...]]:
        return HEADS if self.name == "labeler" else {"cancer": ("malignant",)}


LABELER = Experiment(
    name="labeler",
    datasets=("rsna-bcd-640", "mini-mias"),
    shape=(256, 160),
    plan=Plan(epochs=22, batch=32, rates={"": 2e-3}, weight_decay=2e-2, augmentation=Augmentation()),
)
CANCER = Experiment(
    name="cancer",
    datasets=("rsna-bcd-640",),
    shape=(448, 288),
    plan=Plan(
        epochs=6,
        batch=16,
        rates={"backbone": 4e-4, "top": 1e-3, "output": 1e-3},
        weight_decay=2e-2,
        augmentation=Augmentation(rotation_degrees=20.0, zoom=0.15, horizontal_flip=True, vertical_flip=True),
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in (LABELER, CANCER)}


def gather(experiment: Experiment, data: Path, runs: Path) -> Material:
    """Read the index, the split and the crops of an experiment."""
    rows = read_index(data, experiment.datasets)
    split = read_split(SPLIT)
    return Material(rows, build_cache(rows, experiment.shape, runs / "cache"), np.array([split[row.patient] for row in rows]))


def targets(experiment: Experiment, rows: list[Row]) -> dict[str, NDArray[np.int64]]:
    """Class indices by head; -1 where a row does not say."""
    if experiment.name == "cancer":
        return {"cancer": np.array([-1 if row.malignant is None else int(row.malignant) for row in rows])}
    return {
        head: np.array([-1 if (value := getattr(row, head)) is None else classes.index(value) for row in rows])
        for head, classes in HEADS.items()
    }


def train(experiment: Experiment, data: Path, runs: Path) -> nn.Module:
    """Train an experiment to its end, resuming where an earlier run stopped."""
    material = gather(experiment, data, runs)
    chosen, held = material.where("train"), material.where("tune")
    truth = targets(experiment, material.rows)
    crops = Crops(
        material.crops[chosen], {head: values[chosen] for head, values in truth.items()}, experiment.plan.augmentation, experiment.plan.seed
    )

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        logits = predict(network, material.crops[held])
        return {head: _quality(values, truth[head][held]) for head, values in logits.items()}

    weights = None
    if "density" in truth:  # half of the pictures have no density: draw the others twice as often
        weights = np.where(truth["density"][chosen] >= 0, 1.5, 1.0)
    return fit(
        experiment.network(), crops, masked_cross_entropy(smoothing=0.05), experiment.plan, runs / experiment.name, weights, after_epoch
    )


def _quality(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    known = truth >= 0
    if logits.shape[1] > 2:
        return accuracy(logits[known].argmax(axis=1), truth[known])
    return auc(logits[known, -1] - (logits[known, 0] if logits.shape[1] == 2 else 0), truth[known] == 1)
