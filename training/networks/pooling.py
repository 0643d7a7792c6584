"""From a feature map to one vector: the plain mean, or a generalised mean in which the strongest cells count more."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MeanPool(nn.Module):
    """(n, channels, h, w) to (n, channels): the mean over all cells."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3))


class GemPool(nn.Module):
    """(n, channels, h, w) to (n, channels): the generalised mean (Radenovic et al. 2018, 3.2) with a trained exponent.

    Exponent 1 is the mean, infinity the maximum: a small lesion in a large map is not averaged away. Features must not be negative.
    """

    def __init__(self, exponent: float = 3.0) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor(exponent))

    def forward(self, features: Tensor) -> Tensor:
        # In float32: cubes of small features vanish in bfloat16's eight bits, and their mean with them.
        with torch.autocast(features.device.type, enabled=False):
            exponent = self.exponent.clamp(1.0, 8.0)
            return features.float().clamp(min=1e-4).pow(exponent).mean(dim=(2, 3)).pow(1.0 / exponent)
