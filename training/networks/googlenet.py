"""GoogLeNet as published (Szegedy et al. 2015, Table 1): local response normalisation, no batch norm, no auxiliary heads.

Levy & Jain 2016, 4.1, remove the two auxiliary classifiers too: they impaired the training on masses.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from training.networks.imagenet import MEAN, STD, fill, read_file

INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
"""Channels of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and pool projection (Szegedy et al. 2015, Table 1)."""

POOL_AFTER = ("inception3b", "inception4e")


class LocalResponse(nn.Module):
    """x / (1 + alpha / size * sum of squares over `size` neighbouring channels) ** 0.75.

    The sum is a 1x1 convolution with a band of ones: torch's own response norm pools over three dimensions, ten times slower on a CPU.
    """

    band: Tensor

    def __init__(self, channels: int, size: int = 5, alpha: float = 1e-4) -> None:
        super().__init__()
        index = torch.arange(channels)
        near = (index[:, None] - index[None]).abs() <= size // 2
        self.register_buffer("band", near.float()[:, :, None, None] * (alpha / size), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        root = (1.0 + nn.functional.conv2d(x.square(), self.band)).rsqrt()
        return x * root * root.sqrt()


class Inception(nn.Module):
    """Four paths side by side: 1x1, 3x3, 5x5 and pooled; attribute names are those of the published weights."""

    def __init__(self, inputs: int, channels: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, five, pool = channels
        self.b1 = nn.Conv2d(inputs, one, 1)
        self.b3r = nn.Conv2d(inputs, three_reduce, 1)
        self.b3 = nn.Conv2d(three_reduce, three, 3, padding=1)
        self.b5r = nn.Conv2d(inputs, five_reduce, 1)
        self.b5 = nn.Conv2d(five_reduce, five, 5, padding=2)
        self.pool = nn.Conv2d(inputs, pool, 1)
        self.outputs = one + three + five + pool

    def forward(self, x: Tensor) -> Tensor:
        pooled = nn.functional.max_pool2d(x, 3, 1, 1)
        paths = (self.b1(x), self.b3(self.b3r(x).relu()), self.b5(self.b5r(x).relu()), self.pool(pooled))
        return torch.cat(paths, dim=1).relu()


class GoogLeNet(nn.Module):
    """(n, 1 or 3, rows, columns) in [0, 1] to (n, 1024, rows / 32, columns / 32).

    Parameters
    ----------
    weights
        A safetensors file with the published weights; None starts at random (Xavier).

    Raises
    ------
    training.networks.imagenet.WeightsUnavailable
        The file is absent, unreadable or of another network.
    """

    channels = 1024
    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2_reduce = nn.Conv2d(64, 64, 1)
        self.conv2 = nn.Conv2d(64, 192, 3, padding=1)
        self.response1, self.response2 = LocalResponse(64), LocalResponse(192)
        inputs = 192
        for name, channels in INCEPTIONS.items():
            block = Inception(inputs, channels)
            self.add_module(name, block)
            inputs = block.outputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.constant_(module.bias, 0.1)
        if weights is not None:
            fill(self, read_file(weights), but=("mean", "std"))

    def stem(self, pixels: Tensor) -> Tensor:
        """Up to the first inception block: (n, 192, rows / 8, columns / 8)."""
        x = self.conv1((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std).relu()
        x = self.response1(nn.functional.max_pool2d(x, 3, 2, ceil_mode=True))
        x = self.conv2(self.conv2_reduce(x).relu()).relu()
        return nn.functional.max_pool2d(self.response2(x), 3, 2, ceil_mode=True)

    def forward(self, pixels: Tensor) -> Tensor:
        stem = (self.conv1, self.conv2_reduce, self.conv2)
        # A saliency picture asks for the gradient of the pixels.
        learns = pixels.requires_grad or any(parameter.requires_grad for layer in stem for parameter in layer.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            x = self.stem(pixels)
        for name in INCEPTIONS:
            x = self.get_submodule(name)(x)
            if name in POOL_AFTER:
                x = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        return x
