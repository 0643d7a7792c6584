"""Benign or malignant, from a patch around a mass: the three networks of Levy & Jain 2016, 4.1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from training.errors import WeightsUnavailable
from training.networks.googlenet import GoogLeNet
from training.networks.imagenet import IMAGENET, MEAN, RANDOM, STD, fill, read_weights

HEADS: dict[str, tuple[str, ...]] = {"mass": ("benign", "malignant")}
"""One softmax over two classes."""

SIDE = 224
"""Rows and columns of the papers' patches. Fully connected layers fix the size of the map below them; smaller patches are for trials."""


class _PatchNetwork(nn.Module):
    """Convolutions, then fully connected layers over the whole map: what the baseline and AlexNet share.

    A patch of another size than `SIDE` has its map resampled to the size that the fully connected layers were made for.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Sequential, cells: int, top: nn.Sequential, head: str) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.features, self.top = features, top
        self.cells, self.head = cells, head

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to logits (n, 2) and the last feature map (n, channels, cells, cells)."""
        features = self.features((pixels.expand(-1, 3, -1, -1) - self.mean) / self.std)
        if features.shape[2:] != (self.cells, self.cells):
            features = nn.functional.interpolate(features, size=(self.cells, self.cells), mode="bilinear")
        return {self.head: self.top(features.flatten(1))}, features

    def maps(self, features: Tensor) -> Tensor:
        """What each cell of the feature map adds to each class's logit, (n, 2, cells, cells).

        A class-activation map needs global pooling, which this network has not. Its fully connected layers with ReLU are linear around
        any one input, though: a logit is the sum of its gradient times the features, plus what the biases add. This is that product,
        summed over the channels and written out as matrix products, so that the stored graph needs no autograd. Dropout counts as off.
        Times the number of cells, so that, as for a class-activation map, the mean is the logit less the biases' part.
        """
        layers = [layer for layer in self.top if isinstance(layer, nn.Linear)]
        flat, passed = features.flatten(1), []
        for layer in layers[:-1]:
            flat = layer(flat).relu()
            passed.append((flat > 0).to(flat.dtype))
        effects = layers[-1].weight.expand(features.shape[0], -1, -1)
        for layer, gate in zip(reversed(layers[:-1]), reversed(passed), strict=True):
            effects = (effects * gate[:, None]) @ layer.weight
        answer: Tensor = (effects.reshape(features.shape[0], -1, *features.shape[1:]) * features[:, None]).sum(dim=2)
        return answer * self.cells**2


class BaselineCnn(_PatchNetwork):
    """The baseline of Levy & Jain 2016, 4.1: three blocks of 3x3 convolution, batch norm, ReLU and max pooling; three linear layers.

    Parameters
    ----------
    heads
        One head and its classes.
    """

    def __init__(self, heads: Mapping[str, tuple[str, ...]] = HEADS) -> None:
        (head, classes), *_ = heads.items()
        blocks: list[nn.Module] = []
        inputs = 3
        for outputs in (32, 32, 64):
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            inputs = outputs
        cells = SIDE // 8
        top = nn.Sequential(
            nn.Linear(inputs * cells * cells, 128), nn.ReLU(inplace=True),
            nn.Linear(128, 64), nn.ReLU(inplace=True),
            nn.Linear(64, len(classes)),
        )  # fmt: skip
        super().__init__(nn.Sequential(*blocks), cells, top, head)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)


class AlexNet(_PatchNetwork):
    """torchvision's AlexNet with two outputs (Levy & Jain 2016, 4.2: convolutions from ImageNet, the three linear layers at random).

    Parameters
    ----------
    weights
        ``imagenet``, ``random``, or a file with torchvision's tensors of alexnet: of its convolutions only.
    heads
        One head and its classes.
    dropout
        Before the first two linear layers.
    """

    def __init__(self, weights: str = RANDOM, heads: Mapping[str, tuple[str, ...]] = HEADS, dropout: float = 0.5) -> None:
        (head, classes), *_ = heads.items()
        alexnet = torchvision_models.alexnet(weights=None, num_classes=len(classes), dropout=dropout)
        published = read_weights("alexnet", weights)
        if published is not None:
            fill(alexnet, published, but=("classifier.",))
        super().__init__(alexnet.features, 6, alexnet.classifier, head)


class MassGoogLeNet(nn.Module):
    """GoogLeNet without its two auxiliary classifiers and with two outputs (Levy & Jain 2016, 4.1 and 4.2).

    Parameters
    ----------
    backbone
        ``googlenet`` as published (local response normalisation), or ``googlenet-bn``, torchvision's with batch norm.
    weights
        ``random``, a file of the published weights for ``googlenet``, ``imagenet`` (torchvision's download) or a file for
        ``googlenet-bn``.
    heads
        One head and its classes.
    dropout
        Before the linear layer.

    Raises
    ------
    training.networks.imagenet.WeightsUnavailable
        ``imagenet`` for ``googlenet``: these weights have no download like torchvision's own; the message names the two alternatives.
    ValueError
        There is no such backbone.
    """

    def __init__(
        self,
        backbone: str = "googlenet",
        weights: str = RANDOM,
        heads: Mapping[str, tuple[str, ...]] = HEADS,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        ((self.head, classes),) = heads.items()
        self.features: nn.Module
        if backbone == "googlenet-bn":
            self.features = _BatchNormGoogLeNet(weights)
        elif backbone != "googlenet":
            raise ValueError(f"no backbone {backbone!r} for this network; --backbone takes googlenet or googlenet-bn")
        elif weights == IMAGENET:
            raise WeightsUnavailable(
                "torchvision has no weights of GoogLeNet as published: name a file with --weights FILE.safetensors, take torchvision's "
                "own variant with --backbone googlenet-bn, or start at random with --weights random"
            )
        else:
            self.features = GoogLeNet(None if weights == RANDOM else Path(weights))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(GoogLeNet.channels, len(classes))

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to logits (n, 2) and the last feature map (n, 1024, rows / 32, columns / 32)."""
        features = self.features(pixels)
        return {self.head: self.output(self.dropout(features.mean(dim=(2, 3))))}, features

    def maps(self, features: Tensor) -> Tensor:
        """Class-activation maps (n, 2, h, w): their mean is the logit less the bias."""
        return nn.functional.conv2d(features, self.output.weight[:, :, None, None])


class _BatchNormGoogLeNet(nn.Module):
    """torchvision's GoogLeNet up to the last feature map; its blocks keep their names, so that rates by name fit both variants."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        googlenet = torchvision_models.googlenet(weights=None, aux_logits=False, init_weights=False)
        published = read_weights("googlenet", weights)
        if published is not None:
            fill(googlenet, published, but=("fc.",))
        for name, module in googlenet.named_children():
            if name not in ("avgpool", "dropout", "fc", "aux1", "aux2"):
                self.add_module(name, module)

    def forward(self, pixels: Tensor) -> Tensor:
        x = (pixels.expand(-1, 3, -1, -1) - 0.5) / 0.5  # the range of the TensorFlow weights that torchvision converted
        for module in self.children():
            x = module(x)
        return x
