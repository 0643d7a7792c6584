"""Heads on a backbone that stays as it is: one forward pass a picture, then a convex fit of each linear layer. Minutes, not hours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.stages.dataset import Normalise

Objective = Callable[[Tensor], Tensor]
"""From logits (n, classes) to one number, lower is better; convex in the logits."""

ITERATIONS = 300
SMALLEST_DEVIATION = 1e-3
"""Of a feature over the samples; features that hardly vary are not magnified further."""


@torch.no_grad()
def pool_features(network: nn.Module, crops: NDArray[np.uint8], normalise: Normalise, batch: int = 32) -> Tensor:
    """(n, rows, columns) crops to (n, channels): the mean of the last feature map of a network that answers logits and features."""
    network.eval()
    found = []
    for start in range(0, len(crops), batch):
        pixels = np.stack([normalise(crop) for crop in crops[start : start + batch]])
        _, features = network(torch.from_numpy(pixels)[:, None])
        found.append(features.mean(dim=(2, 3)))
    return torch.cat(found)


def fit_linear(head: nn.Linear, features: Tensor, objective: Objective, penalty: float) -> float:
    """Set a linear layer to the minimum of `objective` plus `penalty` times the squared weights, and return that minimum.

    The penalty is on the weights of standardised features, so that it treats all features alike; what is stored takes them as they are.

    Parameters
    ----------
    features
        (n, channels) as `pool_features` gives them.
    """
    mean, deviation = features.mean(dim=0), features.std(dim=0) + SMALLEST_DEVIATION
    standardised = (features - mean) / deviation
    weight = torch.zeros(head.out_features, head.in_features, requires_grad=True)
    bias = torch.zeros(head.out_features, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        cost = objective(standardised @ weight.T + bias) + penalty * (weight**2).sum()
        cost.backward()  # type: ignore[no-untyped-call]
        return cost

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.weight.copy_(weight / deviation)
        head.bias.copy_(bias - (weight / deviation) @ mean)
    return float(closure().detach())
