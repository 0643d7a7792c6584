"""Semantic labels from one picture: a feature extractor with a linear layer a label (Yi et al. 2019, "DCNN Development and Testing")."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from training.networks.backbones import build_backbone
from training.networks.imagenet import RANDOM, fill, read_weights

HEADS: dict[str, tuple[str, ...]] = {"view": ("CC", "MLO"), "laterality": ("L", "R"), "density": ("A", "B", "C", "D")}
"""Each label's classes, in the order of its outputs. The paper trains a network for each; the one that we serve has all three heads."""

BACKBONES = ("resnet18", "resnet34", "resnet50", "googlenet", "mobilenet-v2")


class Labeler(nn.Module):
    """ResNet or GoogLeNet backbone, global average pooling, one linear layer a head; the same layer laid over the map gives the CAM.

    Parameters
    ----------
    backbone
        One of `BACKBONES`; ``resnet50`` is the paper's.
    weights
        ``imagenet`` (torchvision's download), ``random``, or a local file with torchvision's tensors of this backbone.
    heads
        Classes by head; the outputs and maps come in this order.
    dropout
        Share of the pooled features left out in training; 0 in the paper.

    Raises
    ------
    ValueError
        There is no such backbone.
    training.networks.imagenet.WeightsUnavailable
        The weights cannot be had or do not fit.
    """

    def __init__(
        self,
        backbone: str = "resnet18",
        weights: str = RANDOM,
        heads: Mapping[str, tuple[str, ...]] = HEADS,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"no backbone {backbone!r} for the labeler; --backbone takes one of {', '.join(BACKBONES)}")
        self.features: nn.Module
        self.standardised = backbone in ("googlenet", "mobilenet-v2")  # which do it themselves, as their published weights ask
        if self.standardised:
            self.features, channels = build_backbone(backbone, weights)
        else:
            self.features, channels = _resnet(backbone, weights)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(channels, len(classes)) for name, classes in heads.items()})

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
        features = self.features(pixels if self.standardised else (pixels - 0.45) / 0.25)
        pooled = self.dropout(features.mean(dim=(2, 3)))
        return {name: head(pooled) for name, head in self.heads.items()}, features

    def maps(self, features: Tensor) -> Tensor:
        """Class-activation maps (n, all classes in the order of the heads, h, w): Zhou et al. as used in Yi et al., Figs. 1 to 3."""
        weight = torch.cat([head.weight for head in self.heads.values() if isinstance(head, nn.Linear)])
        return nn.functional.conv2d(features, weight[:, :, None, None])


def _resnet(architecture: str, weights: str) -> tuple[nn.Module, int]:
    resnet = getattr(torchvision_models, architecture)(weights=None)
    published = read_weights(architecture, weights)
    if published is not None:
        fill(resnet, published, but=("fc.",))
    # Grey repeated to three channels meets the sum of the three kernels: one channel does the same with a third of the work.
    first = nn.Conv2d(1, resnet.conv1.out_channels, 7, stride=2, padding=3, bias=False)
    with torch.no_grad():
        first.weight.copy_(resnet.conv1.weight.sum(dim=1, keepdim=True))
    layers = (first, resnet.bn1, resnet.relu, resnet.maxpool, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
    return nn.Sequential(*layers), resnet.fc.in_features
