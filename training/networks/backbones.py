"""The convolutional part of published networks under one interface: patch classifiers and whole-image networks are built on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from training.errors import WeightsUnavailable
from training.networks.efficientnet_lite import EfficientNetLite0
from training.networks.googlenet import GoogLeNet
from training.networks.imagenet import IMAGENET, MEAN, RANDOM, STD, fill, read_weights

STRIDE = 32
"""Pixels between neighbouring cells of every backbone's feature map."""


class Vgg16(nn.Module):
    """The 13 convolutions of VGG-16 (Simonyan & Zisserman 2015, configuration D), without its fully connected layers: 14.7 M parameters.

    (n, 1, rows, columns) in [0, 1] to (n, 512, rows / 32, columns / 32).
    """

    channels = 512
    mean: Tensor
    std: Tensor

    def __init__(self, weights: str = IMAGENET) -> None:
        super().__init__()
        self.features = torchvision_models.vgg16(weights=None).features
        _add_standardisation(self)
        if published := read_weights("vgg16", weights):
            fill(self, published, but=("mean", "std"))

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.features((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return answer


class ResNet(nn.Module):
    """A residual network (He et al. 2016) without pooling and classifier; attribute names are those of torchvision's weights.

    (n, 1, rows, columns) in [0, 1] to (n, channels, rows / 32, columns / 32).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: str = "resnet50", weights: str = IMAGENET) -> None:
        super().__init__()
        resnet = getattr(torchvision_models, architecture)(weights=None)
        self.channels: int = resnet.fc.in_features
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        _add_standardisation(self)
        if published := read_weights(architecture, weights):
            fill(self, published, but=("mean", "std"))

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std))))
        answer: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return answer


class MobileNetV2(nn.Module):
    """The convolutions of MobileNetV2 (Sandler et al. 2018) at full width: 2.2 M parameters; names are those of torchvision's weights.

    (n, 1, rows, columns) in [0, 1] to (n, 1280, rows / 32, columns / 32).
    """

    channels = 1280
    mean: Tensor
    std: Tensor

    def __init__(self, weights: str = IMAGENET) -> None:
        super().__init__()
        self.features = torchvision_models.mobilenet_v2(weights=None).features
        _add_standardisation(self)
        if published := read_weights("mobilenet_v2", weights):
            fill(self, published, but=("mean", "std"))

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.features((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return answer


def _add_standardisation(backbone: nn.Module) -> None:
    backbone.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
    backbone.register_buffer("std", torch.tensor(STD)[:, None, None])


def _googlenet(weights: str) -> nn.Module:
    if weights == IMAGENET:
        raise WeightsUnavailable(
            "torchvision has no weights of the GoogLeNet that was published (its own has batch norm): "
            "name a file of the BVLC weights with --weights FILE.safetensors, or start at random with --weights random"
        )
    return GoogLeNet(None if weights == RANDOM else Path(weights))


def _efficientnet_lite0(weights: str) -> nn.Module:
    if weights not in (IMAGENET, RANDOM):
        raise WeightsUnavailable(
            f"EfficientNet-Lite0 brings its ImageNet weights as a package: --weights imagenet or random, not {weights!r}"
        )
    return EfficientNetLite0(imagenet=weights == IMAGENET)


BACKBONES: dict[str, Callable[[str], nn.Module]] = {
    "resnet50": lambda weights: ResNet("resnet50", weights),
    "vgg16": Vgg16,
    "resnet34": lambda weights: ResNet("resnet34", weights),
    "resnet18": lambda weights: ResNet("resnet18", weights),
    "googlenet": _googlenet,
    "efficientnet-lite0": _efficientnet_lite0,
    "mobilenet-v2": MobileNetV2,
}
"""Backbones by name; the first two are those of Shen et al. (2.2)."""


def build_backbone(name: str, weights: str = IMAGENET) -> tuple[nn.Module, int]:
    """Make a backbone and say how many channels its feature map has.

    Parameters
    ----------
    name
        One of `BACKBONES`.
    weights
        ``imagenet``, ``random``, or a file of published weights of this very architecture.

    Raises
    ------
    ValueError
        There is no such backbone.
    training.networks.imagenet.WeightsUnavailable
        The weights cannot be had or do not fit.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone named {name!r}; --backbone takes one of {', '.join(BACKBONES)}")
    backbone = BACKBONES[name](weights)
    return backbone, int(backbone.channels)  # type: ignore[arg-type]


def top_layers(name: str) -> tuple[str, ...]:
    """The prefixes of the layers that the second stage of Shen et al. (3.1.2) unfreezes.

    "The top layer number is set to 46 for Resnet50 and 11 for VGG16" counts Keras layers from the end. In VGG-16 that is the convolutions
    of blocks 4 and 5 (with two poolings, the global pooling and the classifier); in ResNet-50 the three units of the last block (32
    layers), the last unit of the block before (10), pooling and classifier. For the other backbones, which are ours, it is about the same
    share of their depth.
    """
    return {
        "resnet50": ("layer3.5", "layer4"),
        "vgg16": tuple(f"features.{index}." for index in (17, 19, 21, 24, 26, 28)),
        "resnet34": ("layer3.5", "layer4"),
        "resnet18": ("layer3.1", "layer4"),
        "googlenet": ("inception4e", "inception5a", "inception5b"),
        "mobilenet-v2": tuple(f"features.{index}." for index in range(14, 19)),
        "efficientnet-lite0": tuple(f"_blocks.{index}." for index in range(11, 16)),
    }[name]
