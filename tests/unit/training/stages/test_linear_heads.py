"""Linear heads on a fixed backbone: the fit is the minimum, and what is stored takes features as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from models.preprocessing.recipe import keep_levels
from tests.support.bright_squares import Tiny, pictures
from training.stages.linear_heads import fit_linear, pool_features


def test_features_are_the_mean_of_the_last_map_whatever_the_batch() -> None:
    crops, _ = pictures()
    network = Tiny()
    features = pool_features(network, crops, keep_levels, batch=7)
    with torch.no_grad():
        _, maps = network(torch.from_numpy(np.stack([keep_levels(crop) for crop in crops]))[:, None])
    assert torch.allclose(features, maps.mean(dim=(2, 3)), atol=1e-6)


def test_a_logistic_regression_is_scikit_learns() -> None:
    chance = np.random.default_rng(0)
    features = chance.normal(3, (0.1, 5.0, 1.0), (300, 3))
    truth = chance.random(300) < 1 / (1 + np.exp(-(features[:, 0] - 3) * 10 - (features[:, 1] - 3) / 3))
    head = nn.Linear(3, 1)
    wanted = torch.from_numpy(truth).float()
    inputs = torch.from_numpy(features).float()
    penalty = 0.01
    cost = fit_linear(head, inputs, lambda logits: nn.functional.binary_cross_entropy_with_logits(logits[:, 0], wanted), penalty)
    standardised = (features - features.mean(axis=0)) / (features.std(axis=0, ddof=1) + 1e-3)
    reference = LogisticRegression(C=1 / (2 * penalty * 300), tol=1e-8, max_iter=1000).fit(standardised, truth)
    with torch.no_grad():
        logits = head(inputs)[:, 0].numpy()
    assert logits == pytest.approx(reference.decision_function(standardised), abs=0.02)
    assert 0 < cost < 0.6932, "better than a constant"
