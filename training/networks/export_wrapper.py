"""What every network answers once it is trained: probabilities by head, and maps whose mean is the logit."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ExportWrapper(nn.Module):
    """A network with its logits made probabilities: one tensor a head, then the maps.

    A head of one output gives the logistic function, others the softmax. Each map is shifted so that its mean is the logit of its class:
    where the head is a linear layer on pooled features the shift is that layer's bias, so that a map cell reads like a score.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(n, 1, rows, columns), or (n, views, 1, rows, columns) for exams, in [0, 1]."""
        logits, features = self.network(pixels)
        maps = self.network.maps(features)  # type: ignore[operator]
        return (*(probabilities(values) for values in logits.values()), shifted(maps, list(logits.values())))


def probabilities(logits: Tensor) -> Tensor:
    """(n, classes) logits to probabilities; one class is compared with its absence."""
    return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)


def shifted(maps: Tensor, logits: list[Tensor]) -> Tensor:
    """Maps (n, all classes, h, w) moved to have the logits as means; maps of another count (a network's own) are left as they are."""
    wanted = torch.cat(logits, dim=1)
    if maps.dim() != 4 or maps.shape[1] != wanted.shape[1]:
        return maps
    return maps + (wanted - maps.mean(dim=(2, 3)))[:, :, None, None]
