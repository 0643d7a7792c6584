"""Losses over heads of which each sample knows some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Loss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
"""From logits by head (n, classes) and class indices by head (n,), -1 unknown, to one number."""


def masked_cross_entropy(weights: dict[str, Sequence[float]] | None = None, smoothing: float = 0.0) -> Loss:
    """Sum over heads of the mean cross-entropy on the samples whose label is known.

    Parameters
    ----------
    weights
        Weight of each class, by head.
    smoothing
        Share of the target that is spread over all classes; of heads with more than one output.
    """

    def loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        total = torch.zeros((), device=next(iter(logits.values())).device)
        for name, values in logits.items():
            known = targets[name] >= 0
            if not known.any():
                total = total + 0.0 * values.sum()  # keeps every head in the graph: DDP waits for the gradient of each
                continue
            if values.shape[1] == 1:
                weight = torch.tensor(weights[name][1] / weights[name][0], device=values.device) if weights and name in weights else None
                total = total + nn.functional.binary_cross_entropy_with_logits(
                    values[known, 0], targets[name][known].float(), pos_weight=weight
                )
            else:
                weight = torch.tensor(weights[name], device=values.device) if weights and name in weights else None
                total = total + nn.functional.cross_entropy(values[known], targets[name][known], weight=weight, label_smoothing=smoothing)
        return total

    return loss
