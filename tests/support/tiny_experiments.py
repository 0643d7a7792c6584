"""Experiments that train in seconds, on synthetic mammograms, through the real gathering and training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.data.augment import NONE, Augmentation
from training.data.synthetic import write_synthetic
from training.stages.experiment import Experiment, Task
from training.stages.options import Initialisation, RunOptions
from training.stages.plan import Plan
from training.stages.run import Run
from training.stages.train import train

PATIENTS = 20
SHAPE = (64, 48)


class SideNetwork(nn.Module):
    """Left or right, from where the light is: two convolutions, a pooled grid and an output."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2), nn.ReLU())
        self.output = nn.Linear(4 * 4, 2)

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.features(pixels)
        grid = nn.functional.interpolate(features, (1, 4), mode="area")
        return {"laterality": self.output(grid.flatten(1))}, features

    def maps(self, features: Tensor) -> Tensor:
        return features[:, :2]


class HeadsNetwork(nn.Module):
    """Two convolutions, global average pooling, one linear layer a head, and its class-activation maps."""

    def __init__(self, heads: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(16, len(classes)) for name, classes in heads.items()})

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.features(pixels)
        return {name: head(features.mean(dim=(2, 3))) for name, head in self.heads.items()}, features

    def maps(self, features: Tensor) -> Tensor:
        return nn.functional.conv2d(features, torch.cat([head.get_parameter("weight") for head in self.heads.values()])[:, :, None, None])


def build_sides(initialisation: Initialisation) -> nn.Module:
    """Starts at random whatever weights are named: it has none of ImageNet."""
    return SideNetwork()


def _experiment(name: str, task: Task, heads: dict[str, tuple[str, ...]]) -> Experiment:
    return Experiment(
        name=name,
        task=task,
        paper="of these tests",
        needs="the synthetic set",
        datasets=("synthetic",),
        shape=SHAPE,
        recipe="breast-stretch@1",
        heads=heads,
        plans=(Plan(epochs=2, batch=8, rates={"": 0.01}, precision="fp32", augmentation=Augmentation()),),
        build=lambda initialisation: HeadsNetwork(heads),
        split="70/10/20",
    )


CANCER = _experiment("tiny-cancer", "cancer", {"cancer": ("malignant",)})
LABELER = _experiment("tiny-labeler", "labeler", {"view": ("CC", "MLO"), "laterality": ("L", "R"), "density": ("A", "B", "C", "D")})
SIDES = replace(
    _experiment("sides", "laterality", {"laterality": ("L", "R")}),
    shape=(32, 24),
    plans=(
        Plan(epochs=2, batch=8, rates={"": 0.02}, augmentation=NONE, precision="fp32"),
        Plan(epochs=4, batch=8, rates={"": 0.01}, augmentation=NONE, precision="fp32", seed=1),
    ),
    build=build_sides,
)
"""Two stages, no augmentation: the same network for the same seed."""


def make_data(folder: Path, patients: int = PATIENTS) -> Path:
    """A data folder with the synthetic set."""
    write_synthetic(folder / "synthetic", patients, seed=1, size=(256, 256))
    return folder


def sides_run(data: Path, runs: Path, **changes: object) -> Run:
    """A run of `SIDES`."""
    return Run(SIDES, replace(RunOptions(data, runs), **changes))  # type: ignore[arg-type]


def make_runs(folder: Path) -> RunOptions:
    """A data set of thirty patients, two runs of the cancer experiment (tags a and b), one of the labeler."""
    write_synthetic(folder / "data" / "synthetic", 30, seed=1, size=(160, 128))
    options = RunOptions(folder / "data", folder / "runs", weights="random")
    for tag, seed in (("a", 0), ("b", 1)):
        train(Run(CANCER, replace(options, tag=tag, seed=seed)))
    train(Run(LABELER, replace(options, tag="a")))
    return options


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same weights."""
    states = first.state_dict(), second.state_dict()
    return all(np.array_equal(states[0][name].cpu(), states[1][name].cpu()) for name in states[0])
