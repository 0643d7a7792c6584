"""Samples as the engine takes them, augmented, and the order in which each epoch draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from models.preprocessing.recipe import normalise as breast_stretch_levels
from training.data.augment import Augmentation
from training.stages.samples import Targets

Normalise = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""The intensity half of a recipe: (rows, columns) uint8 to float32 in [0, 1]."""


class AugmentedDataset(Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Cached crops with their targets, augmented afresh each epoch.

    Parameters
    ----------
    pixels
        (n, rows, columns) uint8, or (n, views, rows, columns) for exams.
    targets
        Class indices by head.
    augmentation
        None leaves the pictures as they are.
    seed
        With the epoch and the sample's number it decides every augmentation, whatever worker or device draws it.
    normalise
        The recipe's.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        targets: Targets,
        augmentation: Augmentation | None,
        seed: int = 0,
        normalise: Normalise = breast_stretch_levels,
    ) -> None:
        self.pixels, self.targets, self.augmentation, self.seed, self.epoch = pixels, targets, augmentation, seed, 0
        self.normalise = normalise

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """(1, rows, columns) or (views, 1, rows, columns) float32 in [0, 1], and the targets."""
        picture = self.pixels[index]
        if picture.ndim == 2:
            pixels = self._view(picture, (self.seed, self.epoch, index))
        else:
            pixels = np.stack([self._view(view, (self.seed, self.epoch, index, number)) for number, view in enumerate(picture)])
        return torch.from_numpy(pixels).unsqueeze(-3), {name: torch.tensor(values[index]) for name, values in self.targets.items()}

    def _view(self, picture: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.float32]:
        pixels = self.normalise(picture)
        return self.augmentation(pixels, np.random.default_rng(seed)) if self.augmentation else pixels


class SeededBatches(Sampler[list[int]]):
    """Batches of one epoch: a new order each epoch, the same after a resume, and a slice of each batch for each device.

    Parameters
    ----------
    count
        Samples there are, and draws of an epoch.
    batch
        Over all devices. The rest of an epoch that fills no batch is left out (batch norm dislikes a batch of one).
    weights
        Draws some samples more often than others, with replacement.
    rank, world
        This device's number and how many there are.
    """

    def __init__(
        self, count: int, batch: int, seed: int, weights: NDArray[np.float64] | None = None, rank: int = 0, world: int = 1
    ) -> None:
        self.batch = min(batch, count) // world * world
        if not self.batch:
            raise ValueError(
                f"{count} samples in batches of {batch} cannot be shared by {world} devices: use fewer devices or a larger batch"
            )
        self.count, self.seed, self.weights, self.rank, self.world, self.epoch = count, seed, weights, rank, world, 0

    def __len__(self) -> int:
        return self.count // self.batch

    def __iter__(self) -> Iterator[list[int]]:
        chance = np.random.default_rng((self.seed, self.epoch))
        if self.weights is None:
            order = chance.permutation(self.count)
        else:
            order = chance.choice(self.count, self.count, p=self.weights / self.weights.sum())
        for number in range(len(self)):
            batch = order[number * self.batch : (number + 1) * self.batch]
            yield [int(index) for index in batch[self.rank :: self.world]]
