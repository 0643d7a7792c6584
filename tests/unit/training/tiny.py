"""An experiment that trains in a second, on mammograms that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.data.augment import NONE
from training.data.synthetic import write_synthetic
from training.stages.experiment import Experiment, Setting, Start
from training.stages.plan import Plan

PATIENTS = 20


class SideNetwork(nn.Module):
    """Left or right, from where the light is: two convolutions, a pooled grid and an output."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2), nn.ReLU())
        self.output = nn.Linear(4 * 4, 2)

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = self.features(pixels)
        grid = torch.nn.functional.interpolate(features, (1, 4), mode="area")
        return {"laterality": self.output(grid.flatten(1))}, features

    def maps(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :2]


def build(start: Start) -> nn.Module:
    """Starts at random whatever is asked for: nobody has trained it on ImageNet."""
    return SideNetwork()


SIDES = Experiment(
    name="sides",
    task="laterality",
    paper="of these tests",
    needs="the synthetic set",
    datasets=("synthetic",),
    shape=(32, 24),
    recipe="breast-stretch@1",
    heads={"laterality": ("L", "R")},
    plans=(
        Plan(epochs=2, batch=8, rates={"": 0.02}, augmentation=NONE, precision="fp32"),
        Plan(epochs=4, batch=8, rates={"": 0.01}, augmentation=NONE, precision="fp32", seed=1),
    ),
    build=build,
    split="70/10/20",
)


def make_data(folder: Path, patients: int = PATIENTS) -> Path:
    """A data folder with the synthetic set."""
    write_synthetic(folder / "synthetic", patients, seed=1, size=(256, 256))
    return folder


def setting(data: Path, runs: Path, **changes: object) -> Setting:
    """A setting for these tests."""
    return replace(Setting(data, runs), **changes)  # type: ignore[arg-type]


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same weights."""
    states = first.state_dict(), second.state_dict()
    return all(np.array_equal(states[0][name].cpu(), states[1][name].cpu()) for name in states[0])
