"""Five classes of patches, and the same classifier slid over a whole image as a heatmap (Shen et al. 2017, 2.1 and 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.backbones import STRIDE, build_backbone
from training.networks.imagenet import IMAGENET

LESIONS = ("background", "benign-calcification", "malignant-calcification", "benign-mass", "malignant-mass")
"""Classes of a patch in the order of the outputs (Shen et al., 3.1.1)."""

PATCH = 224
"""Side of the paper's patches in pixels."""


class PatchClassifier(nn.Module):
    """A backbone, global average pooling, one linear layer ("to be consistent with the Resnet50, we replace the two FC layers", 2.2).

    Parameters
    ----------
    backbone
        One of `training.networks.backbones.BACKBONES`, or another backbone with an attribute `channels` and a stride of 32.
    weights
        ``imagenet``, ``random``, or a file of published weights of the backbone.
    patch
        Side of the patches in pixels: the heatmap averages over as many cells as a patch has.
    """

    def __init__(self, backbone: str | nn.Module = "resnet50", weights: str = IMAGENET, patch: int = PATCH) -> None:
        super().__init__()
        self.backbone: nn.Module
        if isinstance(backbone, nn.Module):
            self.backbone, channels = backbone, int(backbone.channels)  # type: ignore[arg-type]
        else:
            self.backbone, channels = build_backbone(backbone, weights)
        self.window = max(patch // STRIDE, 1)
        self.output = nn.Linear(channels, len(LESIONS))

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to logits (n, 5) and the feature map (n, channels, rows / 32, columns / 32)."""
        features = self.backbone(pixels)
        return {"lesion": self.output(features.mean(dim=(2, 3)))}, features

    def maps(self, features: Tensor) -> Tensor:
        """Class-activation maps (n, 5, h, w): their mean is the logit less the bias."""
        return nn.functional.conv2d(features, self.output.weight[:, :, None, None])

    def heatmap(self, pixels: Tensor) -> Tensor:
        """The classifier slid over whole images at a stride of 32: probabilities (n, 5, h, w), 30 x 22 for 1152 x 896 pixels."""
        averaged = slide(self.backbone(pixels), self.window)
        return torch.softmax(nn.functional.conv2d(averaged, self.output.weight[:, :, None, None], self.output.bias), dim=1)


def slide(features: Tensor, window: int) -> Tensor:
    """Average over every `window` x `window` cells, where a patch classifier averages over all of its own."""
    size = (min(window, features.shape[2]), min(window, features.shape[3]))
    return nn.functional.avg_pool2d(features, size, stride=1)
