"""A loss in which every class that a batch holds counts the same (Shen et al. 2017, 3.1.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.stages.losses import Loss


def balanced_cross_entropy() -> Loss:
    """Cross-entropy with "the sample weights adjusted within each batch to keep the five classes balanced"."""

    def loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        total = torch.zeros((), device=next(iter(logits.values())).device)
        for name, values in logits.items():
            known = targets[name] >= 0
            if not known.any():
                total = total + 0.0 * values.sum()
                continue
            classes = targets[name][known]
            counts = torch.bincount(classes, minlength=values.shape[1]).to(values.dtype)
            weights = 1.0 / counts[classes]
            total = total + (nn.functional.cross_entropy(values[known], classes, reduction="none") * weights).sum() / weights.sum()
        return total

    return loss
