"""Cancer from a whole image: convolutions from the pixels to the score (Shen et al. 2017, 2.2 and Fig. 1, heatmap removed)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from training.networks.efficientnet_lite import EfficientNetLite0
from training.networks.googlenet import GoogLeNet


class WholeImageNetwork(nn.Module):
    """A feature extractor, two 3x3 convolution blocks (Table 3: 256x1 and 128x1 were best), global average pooling, one output.

    The blocks keep the map's size (the paper halves it twice): at 512x320 pixels the map has 16x10 cells, and it is what readers see.

    Parameters
    ----------
    backbone
        ``efficientnet-lite0`` or ``vgg16`` (the paper's; 20 times the arithmetic).
    imagenet
        Start from ImageNet weights.
    """

    def __init__(
        self, backbone: str = "efficientnet-lite0", imagenet: bool = True, depths: tuple[int, int] = (256, 128), weights: Path | None = None
    ) -> None:
        super().__init__()
        self.backbone: nn.Module
        if backbone == "googlenet":
            self.backbone = GoogLeNet(weights)
            self.backbone.freeze_stem()
            channels = GoogLeNet.channels
        elif backbone == "vgg16":
            self.backbone = _Vgg16(imagenet)
            channels = 512
        else:
            self.backbone = EfficientNetLite0(imagenet)
            channels = EfficientNetLite0.channels
        self.top = nn.Sequential(
            nn.Conv2d(channels, depths[0], 3, padding=1, bias=False), nn.BatchNorm2d(depths[0]), nn.ReLU(inplace=True),
            nn.Conv2d(depths[0], depths[1], 3, padding=1, bias=False), nn.BatchNorm2d(depths[1]), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(depths[1], 1)

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to a logit (n, 1) and the last feature map (n, depths[1], rows / 32, columns / 32)."""
        features = self.top(self.backbone(pixels))
        return {"cancer": self.output(self.dropout(features.mean(dim=(2, 3))))}, features

    def maps(self, features: Tensor) -> Tensor:
        """Class-activation map (n, 1, h, w): its mean is the logit less the bias."""
        return nn.functional.conv2d(features, self.output.weight[:, :, None, None])


class _Vgg16(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, imagenet: bool) -> None:
        super().__init__()
        self.features = torchvision_models.vgg16(weights="DEFAULT" if imagenet else None).features
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406))[:, None, None])
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225))[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.features((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return answer
