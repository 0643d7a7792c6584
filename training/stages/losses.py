"""Losses over heads of which each sample knows some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

Loss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
"""From logits by head (n, classes) and class indices by head (n,), -1 unknown, to one number."""


def masked_cross_entropy(
    weights: dict[str, Sequence[float]] | None = None, smoothing: float = 0.0, shares: Mapping[str, float] | None = None
) -> Loss:
    """Sum over heads of the mean cross-entropy on the samples whose label is known.

    Parameters
    ----------
    weights
        Weight of each class, by head.
    smoothing
        Share of the target that is spread over all classes.
    shares
        What a head's loss counts for, 1 where it is not named: auxiliary heads must not outweigh the one that is served.
    """

    def loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        total = torch.zeros((), device=next(iter(logits.values())).device)
        for name, values in logits.items():
            known = targets[name] >= 0
            if not known.any():
                total = total + 0.0 * values.sum()  # keeps every head in the graph: DDP waits for the gradient of each
                continue
            share = (shares or {}).get(name, 1.0)
            if values.shape[1] == 1:
                weight = torch.tensor(weights[name][1] / weights[name][0], device=values.device) if weights and name in weights else None
                truth = targets[name][known].float() * (1.0 - smoothing) + smoothing / 2
                total = total + share * nn.functional.binary_cross_entropy_with_logits(values[known, 0], truth, pos_weight=weight)
            else:
                weight = torch.tensor(weights[name], device=values.device) if weights and name in weights else None
                entropy = nn.functional.cross_entropy(values[known], targets[name][known], weight=weight, label_smoothing=smoothing)
                total = total + share * entropy
        return total

    return loss


def ordinal(values: Tensor, truth: Tensor) -> Tensor:
    """The mean of `ordinal_distances`."""
    return ordinal_distances(values, truth).mean()


def ordinal_distances(values: Tensor, truth: Tensor) -> Tensor:
    """Squared distance of cumulated probabilities from the true class's (Hou et al. 2016, Eq. 4): two classes off costs more than one.

    Parameters
    ----------
    values
        (n, classes) logits of ordered classes.
    truth
        (n,) class indices.

    Returns
    -------
    (n,) distances, 0 to classes - 1.
    """
    found = torch.softmax(values, dim=1).cumsum(dim=1)
    wanted = nn.functional.one_hot(truth, values.shape[1]).to(values.dtype).cumsum(dim=1)
    return ((found - wanted) ** 2).sum(dim=1)


def among(values: Tensor, allowed: Tensor) -> Tensor:
    """Mean negative logarithm of the probability of several classes together: for labels that say less than the head does.

    Parameters
    ----------
    values
        (n, classes) logits.
    allowed
        (n, classes) booleans: the classes that the label leaves open.
    """
    return -torch.log_softmax(values, dim=1).masked_fill(~allowed, -torch.inf).logsumexp(dim=1).mean()
