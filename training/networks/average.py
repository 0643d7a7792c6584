"""Several networks as one, and one network on several flips of a picture (Shen et al. 2017, "Augmented prediction and model averaging")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.networks.export_wrapper import probabilities, shifted

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""The picture, its mirror, upside down, and both: the axes that are turned round."""

SIDED = ("view", "laterality")
"""Heads whose answer changes with the orientation: for them a flip is another picture, not another look at the same one."""

SMALLEST = 1e-6


class Average(nn.Module):
    """Mean of the probabilities and of the maps of `networks`, each on the picture or on its four flips.

    It answers like any other network (logits by head; `maps` of what it calls features), so that evaluation, parity and export know
    nothing of it: the logits are those whose probabilities are the means.

    Parameters
    ----------
    networks
        With the same heads and the same input.
    flips
        Average over `FLIPS` too; maps are flipped back.

    Raises
    ------
    ValueError
        There is no network.
    """

    def __init__(self, networks: Sequence[nn.Module], flips: bool = False) -> None:
        super().__init__()
        if not networks:
            raise ValueError("an average needs at least one network")
        self.networks = nn.ModuleList(networks)
        self.flips = FLIPS if flips else FLIPS[:1]

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """As the networks it is made of; in place of the features it returns the averaged maps."""
        scores: dict[str, list[Tensor]] = {}
        maps: list[Tensor] = []
        # All flips go through a network as one batch: a graph then holds each layer once, not four times.
        looks = torch.cat([pixels.flip(axes) if axes else pixels for axes in self.flips]) if len(self.flips) > 1 else pixels
        for network in self.networks:
            logits, features = network(looks)
            each = shifted(network.maps(features), list(logits.values()))  # type: ignore[operator]
            for head, values in logits.items():
                scores.setdefault(head, []).append(self._over_flips(probabilities(values)))
            apart = each.reshape(len(self.flips), -1, *each.shape[1:])
            turned = [apart[place].flip(axes) if axes else apart[place] for place, axes in enumerate(self.flips)]
            mean = torch.stack(turned).mean(dim=0)
            maps.append(_like(maps[0] if maps else mean, mean))
        return {head: _logits(torch.stack(values).mean(dim=0)) for head, values in scores.items()}, torch.stack(maps).mean(dim=0)

    def _over_flips(self, values: Tensor) -> Tensor:
        return values.reshape(len(self.flips), -1, values.shape[1]).mean(dim=0)

    def maps(self, features: Tensor) -> Tensor:
        """The averaged maps (n, all classes, h, w), in the first network's grid."""
        return features


def refuse_flips(heads: Sequence[str]) -> None:
    """Raise where a flip changes the answer.

    Raises
    ------
    ValueError
        The orientation decides one of the heads.
    """
    if sided := [head for head in heads if head in SIDED]:
        raise ValueError(f"a flipped picture has another {' and '.join(sided)}: leave out --flips for this experiment")


def _like(first: Tensor, other: Tensor) -> Tensor:
    """Networks of other strides have other grids: resample to the first one's."""
    if first.shape == other.shape or first.dim() != 4:
        return other
    return nn.functional.interpolate(other, size=first.shape[2:], mode="bilinear", align_corners=False)


def _logits(mean: Tensor) -> Tensor:
    if mean.shape[1] == 1:
        return torch.logit(mean.clamp(SMALLEST, 1 - SMALLEST))
    return torch.log(mean.clamp_min(SMALLEST))
