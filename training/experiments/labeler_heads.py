"""The published labeler with its backbone as it is and two heads fitted anew on every set: density, and whether it is a mammogram."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.preprocessing.recipe import find_recipe
from training.experiments.labeler_all_sets import ALLOWED, LABELER_ALL_SETS, MAMMOGRAM, SET_WEIGHTS
from training.networks.labeler import Labeler
from training.stages.linear_heads import fit_linear, pool_features
from training.stages.losses import among, ordinal_distances
from training.stages.plan import Plan
from training.stages.samples import Samples

DENSITY_PENALTY, MAMMOGRAM_PENALTY = 1e-3, 4e-4
"""Chosen on the validation part: of 0.001, 0.003, 0.01 for density; of ten times more and less for the other."""

FILM_SHARE = 0.05
"""What the tissue classes of mini-MIAS count for beside the densities of the other sets."""

VARIED_MAMMOGRAMS, VARIED_OTHERS = 0.5, 8
"""Share of the mammograms that are taken a second time, changed; how often each other picture is, because there are few of them."""

OTHERS_WEIGHT = 5.0
"""What one picture of something else counts for, beside one mammogram."""


def vary(crop: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    """A crop as a wrong header or another detector may bring it: turned, mirrored, inverted, far away or near."""
    shape = crop.shape
    if chance.random() < 0.6:
        crop = np.asarray(np.rot90(crop, int(chance.integers(1, 4))))
    if chance.random() < 0.3:
        crop = crop[:, ::-1]
    if chance.random() < 0.2:
        crop = 255 - crop
    size = np.array(crop.shape)
    if chance.random() < 0.25:
        framed = np.zeros((size * 1.6).astype(int), np.uint8)
        top, left = chance.integers(0, np.array(framed.shape) - size + 1)
        framed[top : top + size[0], left : left + size[1]] = crop
        crop = framed
    elif chance.random() < 0.25:
        margin = (size * 0.2).astype(int)
        crop = crop[margin[0] : -margin[0], margin[1] : -margin[1]]
    resized = cv2.resize(np.ascontiguousarray(crop), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def fit_heads(network: Labeler, samples: Samples, recipe: str, seed: int) -> None:
    """Fit the heads for density and for mammograms on the train part; view and side keep what the network began with."""
    normalise, train, chance = find_recipe(recipe).normalise, samples.where("train"), np.random.default_rng(seed)
    targets = {name: torch.from_numpy(values[train]) for name, values in samples.targets.items()}
    features = pool_features(network, samples.crops[train], normalise)
    is_mammogram = targets[MAMMOGRAM] == 1
    copies = np.where(is_mammogram.numpy(), chance.random(len(train)) < VARIED_MAMMOGRAMS, VARIED_OTHERS).astype(int)
    again = np.repeat(np.arange(len(train)), copies)
    varied = pool_features(network, np.stack([vary(samples.crops[train[index]], chance) for index in again]), normalise)
    _fit_mammogram(_head(network, MAMMOGRAM), torch.cat((features, varied)), torch.cat((is_mammogram, is_mammogram[again])))
    _fit_density(_head(network, "density"), features, targets)


def _fit_mammogram(head: nn.Linear, features: Tensor, truth: Tensor) -> None:
    weights = torch.where(truth, 1.0, OTHERS_WEIGHT)
    weights = weights / weights.sum()
    fit_linear(
        head,
        features,
        lambda logits: (nn.functional.cross_entropy(logits, truth.long(), reduction="none") * weights).sum(),
        MAMMOGRAM_PENALTY,
    )


def _fit_density(head: nn.Linear, features: Tensor, targets: dict[str, Tensor]) -> None:
    known, film = targets["density"] >= 0, targets["tissue"] >= 0
    truth, allowed = targets["density"][known], torch.tensor(ALLOWED)[targets["tissue"][film]]
    weights = torch.tensor(list(SET_WEIGHTS.values()))[targets["set"][known]]
    weights = weights / weights.sum()

    def objective(logits: Tensor) -> Tensor:
        costs = nn.functional.cross_entropy(logits[known], truth, reduction="none") + ordinal_distances(logits[known], truth)
        total = (costs * weights).sum()
        return total + FILM_SHARE * among(logits[film], allowed) if film.any() else total

    fit_linear(head, features, objective, DENSITY_PENALTY)


def _head(network: Labeler, name: str) -> nn.Linear:
    head = network.heads[name]
    assert isinstance(head, nn.Linear)
    return head


LABELER_HEADS = replace(
    LABELER_ALL_SETS,
    name="labeler-heads",
    plans=(Plan(epochs=1, batch=32, rates={"": 1.0}, precision="fp32"),),
    fit_override=fit_heads,
)
EXPERIMENTS = {LABELER_HEADS.name: LABELER_HEADS}
