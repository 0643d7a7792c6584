"""A trained run in seconds: a small network with a map, on a small synthetic set, through the real gathering and training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from training.data.augment import Augmentation
from training.data.synthetic import write_synthetic
from training.stages.experiment import Experiment, Setting, Start, train
from training.stages.plan import Plan

SHAPE = (64, 48)


class TinyNetwork(nn.Module):
    """Two convolutions, global average pooling, one linear layer a head, and its class-activation maps."""

    def __init__(self, heads: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(16, len(classes)) for name, classes in heads.items()})

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.features(pixels)
        return {name: head(features.mean(dim=(2, 3))) for name, head in self.heads.items()}, features

    def maps(self, features: Tensor) -> Tensor:
        return nn.functional.conv2d(features, torch.cat([head.weight for head in self.heads.values()])[:, :, None, None])


def experiment(name: str, task: str, heads: dict[str, tuple[str, ...]]) -> Experiment:
    return Experiment(
        name=name, task=task, paper="nobody", needs="nothing", datasets=("synthetic",), shape=SHAPE, recipe="breast-stretch@1", heads=heads,
        plans=(Plan(epochs=2, batch=8, rates={"": 0.01}, precision="fp32", augmentation=Augmentation()),),
        build=lambda start: TinyNetwork(heads), split="70/10/20",
    )  # fmt: skip


CANCER = experiment("tiny-cancer", "cancer", {"cancer": ("malignant",)})
LABELER = experiment("tiny-labeler", "labeler", {"view": ("CC", "MLO"), "laterality": ("L", "R"), "density": ("A", "B", "C", "D")})


def make_runs(folder: Path) -> Setting:
    """A data set of thirty patients, two runs of the cancer experiment (tags a and b), one of the labeler."""
    write_synthetic(folder / "data" / "synthetic", 30, seed=1, size=(160, 128))
    setting = Setting(folder / "data", folder / "runs", start=Start("random"))
    for tag, seed in (("a", 0), ("b", 1)):
        train(CANCER, replace(setting, tag=tag, seed=seed))
    train(LABELER, replace(setting, tag="a"))
    return setting
