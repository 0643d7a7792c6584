"""Pictures with and without a bright square, and the smallest network that can distinguish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.augment import Augmentation
from training.stages.dataset import AugmentedDataset
from training.stages.engine import fit
from training.stages.losses import masked_cross_entropy
from training.stages.plan import Plan


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, stride=4), nn.ReLU())
        self.output = nn.Linear(8, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = self.features(pixels)
        return {"cancer": self.output(features.mean(dim=(2, 3)))}, features


def pictures() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Breasts of 64x40 pixels; every other one holds a bright, small, square mass somewhere."""
    chance = np.random.default_rng(0)
    crops = chance.integers(60, 110, (64, 64, 40)).astype(np.uint8)
    sick = np.arange(64) % 2
    for index in np.flatnonzero(sick):
        row, column = chance.integers(10, 50), chance.integers(8, 28)
        crops[index, row : row + 10, column : column + 10] = 250
    return crops, sick.astype(np.int64)


PLAN = Plan(epochs=6, batch=8, rates={"": 0.05}, seed=3, augmentation=Augmentation(gamma=0, contrast=0))


def run(folder: Path, plan: Plan = PLAN) -> nn.Module:
    """Train the smallest network on these pictures."""
    crops, sick = pictures()
    torch.manual_seed(0)
    return fit(Tiny(), AugmentedDataset(crops, {"cancer": sick}, plan.augmentation, plan.seed), masked_cross_entropy(), plan, folder)
