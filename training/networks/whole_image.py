"""Cancer from a whole image: a patch classifier made all-convolutional, with every top of Shen et al. 2017 (2.2, Tables 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from training.errors import WeightsUnavailable
from training.networks.backbones import STRIDE, build_backbone
from training.networks.imagenet import IMAGENET, RANDOM, fill
from training.networks.patch_classifier import LESIONS, PATCH, slide
from training.networks.pooling import GemPool, MeanPool
from training.networks.tops import Block, FcTop, FullyConnected, VggBlock, build_blocks

MALIGNANT = tuple(index for index, name in enumerate(LESIONS) if name.startswith("malignant"))


class WholeImageNetwork(nn.Module):
    """A backbone, optionally the heatmap of its patch classifier, a top, global average pooling, one output.

    The paper's output is a softmax over two classes; one logistic output is the same function with half of the weights. Blocks given as
    `depths` keep the map's size (the paper halves it twice): at 512x320 pixels the map has 16x10 cells, and it is what readers see.

    Parameters
    ----------
    backbone
        One of `training.networks.backbones.BACKBONES`.
    imagenet
        Initialisation from ImageNet weights where `weights` names no file.
    depths
        Two 3x3 convolutions of these depths (256 and 128 were best in Tables 2 and 3); not used where `top` is given.
    weights
        A file of published weights of the backbone.
    top
        Blocks, or the pooling and FC layers on a heatmap.
    heatmap
        Insert the patch classifier's outputs between backbone and top, through a ReLU (the paper's default) or a softmax. A `FcTop` always
        has one.
    patch
        Side in pixels of the patches of the classifier whose heatmap it is.
    dropout
        Before the output.
    pooling
        From the last map to a vector: ``mean``, or ``gem`` (`training.networks.pooling.GemPool`).
    auxiliary
        Further heads and their outputs, that learn beside the cancer's on the same vector and answer in training mode only.
    """

    def __init__(
        self,
        backbone: str = "efficientnet-lite0",
        imagenet: bool = True,
        depths: tuple[int, int] = (256, 128),
        weights: Path | str | None = None,
        *,
        top: tuple[Block, ...] | FcTop | None = None,
        heatmap: Literal["relu", "softmax"] | None = None,
        patch: int = PATCH,
        dropout: float = 0.3,
        pooling: Literal["mean", "gem"] = "mean",
        auxiliary: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        start = str(weights) if weights is not None else IMAGENET if imagenet else RANDOM
        self.backbone, channels = build_backbone(backbone, start)
        top = top if top is not None else tuple(VggBlock(depth, pool=False) for depth in depths)
        self.activation = heatmap or ("relu" if isinstance(top, FcTop) else None)
        self.window = max(patch // STRIDE, 1)
        if self.activation:
            self.heatmap = nn.Conv2d(channels, len(LESIONS), 1)
            channels = len(LESIONS)
        self.top: nn.Module
        if isinstance(top, FcTop):
            self.top = FullyConnected(top, channels)
            outputs = self.top.outputs
        else:
            self.top, outputs = build_blocks(top, channels)
        self.spatial = not isinstance(top, FcTop)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(outputs, 1)
        self.pool = GemPool() if pooling == "gem" else MeanPool()
        self.auxiliary = nn.ModuleDict({name: nn.Linear(outputs, count) for name, count in (auxiliary or {}).items()})

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to a logit (n, 1) and the map that `maps` explains it with.

        That is the last feature map, or the heatmap's five logits (n, 5, h, w) where FC layers leave no map behind.
        """
        x = self.backbone(pixels)
        heat = None
        if self.activation:
            heat = self.heatmap(slide(x, self.window))
            x = torch.relu(heat) if self.activation == "relu" else torch.softmax(heat, dim=1)
        features = self.top(x)
        if self.spatial:
            pooled = self.dropout(self.pool(features))
            logits = {"cancer": self.output(pooled)}
            if self.training:
                logits |= {name: head(pooled) for name, head in self.auxiliary.items()}
            return logits, features
        assert heat is not None
        return {"cancer": self.output(self.dropout(features))}, heat

    def maps(self, features: Tensor) -> Tensor:
        """(n, 1, h, w): the class-activation map, its mean the logit less the bias; for FC tops the heatmap's log-odds of malignancy."""
        if self.spatial:
            return nn.functional.conv2d(features, self.output.weight[:, :, None, None])
        rest = [index for index in range(len(LESIONS)) if index not in MALIGNANT]
        return features[:, list(MALIGNANT)].logsumexp(dim=1, keepdim=True) - features[:, rest].logsumexp(dim=1, keepdim=True)

    def load_patch_classifier(self, weights: dict[str, Tensor]) -> None:
        """Take the backbone of a trained `PatchClassifier`, and its last layer as the heatmap where there is one (Shen et al., 2.1).

        Parameters
        ----------
        weights
            Its state dict.

        Raises
        ------
        WeightsUnavailable
            They are not those of a patch classifier on this backbone.
        """
        if "output.weight" not in weights or weights["output.weight"].shape[0] != len(LESIONS):
            raise WeightsUnavailable(
                "the weights are not those of a patch classifier with five classes: --weights takes a run of a patches-... experiment here"
            )
        backbone = {name.removeprefix("backbone."): value for name, value in weights.items() if name.startswith("backbone.")}
        fill(self.backbone, backbone)
        if self.activation:
            fill(self.heatmap, {"weight": weights["output.weight"][:, :, None, None], "bias": weights["output.bias"]})
