"""The exponential moving average of a network's weights (Polyak & Juditsky 1992), kept beside the weights that are trained."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """The average of a network's parameters and of its batch-norm statistics.

    Parameters
    ----------
    network
        Whose average it is; the average starts from its weights.
    decay
        Share of the old average that each `update` keeps, less in the first updates so that the start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay, self.updates = network, decay, 0
        self.average = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network's weights as they are now."""
        self.updates += 1
        kept = min(self.decay, (1 + self.updates) / (10 + self.updates))
        own, new = self.average.state_dict(), self.network.state_dict()
        moved = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_([own[name] for name in moved], [new[name] for name in moved], 1 - kept)
        for name in own.keys() - set(moved):
            own[name].copy_(new[name])

    def state(self) -> dict[str, Tensor]:
        """The averaged network's state."""
        return self.average.state_dict()

    def load(self, state: dict[str, Tensor], updates: int) -> None:
        """Go on from what `state` gave after `updates` updates."""
        self.average.load_state_dict(state)
        self.updates = updates
