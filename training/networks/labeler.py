"""Semantic labels from one picture: a ResNet with a head each for view, laterality and density (Yi et al. 2019, "DCNN Development")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

HEADS: dict[str, tuple[str, ...]] = {"view": ("CC", "MLO"), "laterality": ("L", "R"), "density": ("A", "B", "C", "D")}
"""Each head's classes, in the order of its outputs."""


class Labeler(nn.Module):
    """ResNet backbone, global average pooling, one linear layer a head; the same layer laid over the map gives the CAM.

    Parameters
    ----------
    backbone
        ``resnet18``, ``resnet34`` or ``resnet50`` (the paper's).
    weights
        Name of torchvision weights (``DEFAULT``: ImageNet, fetched by torchvision), or None to start at random.
    """

    def __init__(self, backbone: str = "resnet18", weights: str | None = None) -> None:
        super().__init__()
        resnet = getattr(torchvision_models, backbone)(weights=weights)
        first = nn.Conv2d(1, resnet.conv1.out_channels, 7, stride=2, padding=3, bias=False)
        with torch.no_grad():
            first.weight.copy_(resnet.conv1.weight.sum(dim=1, keepdim=True))
        self.features = nn.Sequential(
            first, resnet.bn1, resnet.relu, resnet.maxpool, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        )
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict({name: nn.Linear(resnet.fc.in_features, len(classes)) for name, classes in HEADS.items()})

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Score pictures.

        Parameters
        ----------
        pixels
            (n, 1, rows, columns) in [0, 1].

        Returns
        -------
        Logits by head, each (n, classes), and the last feature map (n, channels, rows / 32, columns / 32).
        """
        features = self.features((pixels - 0.45) / 0.25)
        pooled = self.dropout(features.mean(dim=(2, 3)))
        return {name: head(pooled) for name, head in self.heads.items()}, features

    def maps(self, features: Tensor) -> Tensor:
        """Class-activation maps (n, all classes in the order of `HEADS`, h, w): Zhou et al. as used in Yi et al., Fig. 3."""
        weight = torch.cat([head.weight for head in self.heads.values() if isinstance(head, nn.Linear)])
        return nn.functional.conv2d(features, weight[:, :, None, None])
