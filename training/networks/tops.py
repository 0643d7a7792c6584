"""The top of a whole-image network: Resnet and VGG blocks, or FC layers on a heatmap (Shen et al., 2.2).

The paper calls these newly added layers "top layers"; others call them the head of a network, and
the pretrained layers below them its backbone. A "head" in this code is one output of a network, with its classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class VggBlock:
    """N x K: K 3x3 convolutions of depth N, each with batch norm and ReLU, then 2x2 max pooling.

    Without `pool` the map keeps its size, which gives readers a finer map (ours, not the paper's).
    """

    depth: int
    convolutions: int = 1
    pool: bool = True


@dataclass(frozen=True)
class ResnetBlock:
    """[L - M - N] x K: K bottleneck units of 1x1, 3x3 and 1x1 convolutions; the first halves the map by a stride of 2."""

    depths: tuple[int, int, int]
    units: int = 1


Block = VggBlock | ResnetBlock


@dataclass(frozen=True)
class FcTop:
    """Heatmap, max pooling, two fully connected layers, and a shortcut from the pooled heatmap to the output.

    Parameters
    ----------
    pool
        Side of the max pooling; 1 for none.
    units
        Of the two fully connected layers.
    grid
        Rows, columns of the heatmap that the layers are made for: 30 x 22 at 1152 x 896 pixels. Another heatmap is resampled to it after
        pooling, so that the size of the image stays an option.
    shortcut
        Lay the pooled heatmap beside the last layer's units.
    """

    pool: int
    units: tuple[int, int]
    grid: tuple[int, int] = (30, 22)
    shortcut: bool = True


class Bottleneck(nn.Module):
    """A unit of a Resnet block (He et al. 2016, Fig. 5 right): three convolutions with batch norm and a shortcut between the two ends."""

    def __init__(self, inputs: int, depths: tuple[int, int, int], stride: int) -> None:
        super().__init__()
        first, second, third = depths
        self.body = nn.Sequential(
            nn.Conv2d(inputs, first, 1, stride=stride, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU(inplace=True),
            nn.Conv2d(second, third, 1, bias=False), nn.BatchNorm2d(third),
        )  # fmt: skip
        fits = stride == 1 and inputs == third
        projection = (nn.Conv2d(inputs, third, 1, stride=stride, bias=False), nn.BatchNorm2d(third))
        self.shortcut = nn.Identity() if fits else nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def build_blocks(blocks: tuple[Block, ...], inputs: int) -> tuple[nn.Sequential, int]:
    """Stack blocks on a map of `inputs` channels; returns the layers and the channels of their map."""
    layers: list[nn.Module] = []
    for block in blocks:
        if isinstance(block, VggBlock):
            for _ in range(block.convolutions):
                layers += [nn.Conv2d(inputs, block.depth, 3, padding=1, bias=False), nn.BatchNorm2d(block.depth), nn.ReLU(inplace=True)]
                inputs = block.depth
            if block.pool:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))  # a map of one cell stays one
        else:
            for unit in range(block.units):
                layers.append(Bottleneck(inputs, block.depths, stride=2 if unit == 0 else 1))
                inputs = block.depths[-1]
    return nn.Sequential(*layers), inputs


class FullyConnected(nn.Module):
    """The layers of a `FcTop` for a heatmap of `classes` channels: (n, classes, h, w) to (n, outputs)."""

    def __init__(self, top: FcTop, classes: int) -> None:
        super().__init__()
        self.pool, self.grid = top.pool, (top.grid[0] // top.pool, top.grid[1] // top.pool)
        flat = classes * self.grid[0] * self.grid[1]
        first, second = top.units
        self.layers = nn.Sequential(
            nn.Linear(flat, first), nn.BatchNorm1d(first), nn.ReLU(inplace=True),
            nn.Linear(first, second), nn.BatchNorm1d(second), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.shortcut = top.shortcut
        self.outputs = second + (flat if top.shortcut else 0)

    def forward(self, heatmap: Tensor) -> Tensor:
        height, width = min(self.pool, heatmap.shape[2]), min(self.pool, heatmap.shape[3])
        pooled = nn.functional.max_pool2d(heatmap, (height, width))
        if tuple(pooled.shape[2:]) != self.grid:
            pooled = nn.functional.interpolate(pooled, size=self.grid)
        flat = pooled.flatten(1)
        units: Tensor = self.layers(flat)
        return torch.cat((units, flat), dim=1) if self.shortcut else units
