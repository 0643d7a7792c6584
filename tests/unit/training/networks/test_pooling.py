"""Pooling and auxiliary heads of whole-image networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.networks.pooling import GemPool, MeanPool
from training.networks.whole_image import WholeImageNetwork


def test_a_generalised_mean_lies_between_mean_and_maximum() -> None:
    features = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    mean, peak = MeanPool()(features), features.amax(dim=(2, 3))
    assert torch.allclose(GemPool(1.0)(features), mean, atol=1e-4)
    pooled = GemPool(3.0)(features)
    assert (pooled > mean).all() and (pooled < peak).all()
    assert pooled.detach().numpy() == pytest.approx(((features**3).mean(dim=(2, 3)) ** (1 / 3)).numpy(), abs=1e-4)


def test_the_exponent_learns_and_keeps_full_precision_under_autocast() -> None:
    pool = GemPool()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pool(torch.rand(2, 3, 5, 4).bfloat16())
    assert pooled.dtype == torch.float32
    pooled.sum().backward()
    assert pool.exponent.grad is not None and torch.isfinite(pool.exponent.grad)


def test_auxiliary_heads_answer_in_training_only() -> None:
    network = WholeImageNetwork("mobilenet-v2", imagenet=False, top=(), pooling="gem", auxiliary={"density": 4, "invasive": 1})
    pixels = torch.rand(2, 1, 64, 64)
    logits, features = network.train()(pixels)
    assert {name: tuple(values.shape) for name, values in logits.items()} == {"cancer": (2, 1), "density": (2, 4), "invasive": (2, 1)}
    assert tuple(features.shape) == (2, 1280, 2, 2) == tuple(network.backbone(pixels).shape)
    logits, features = network.eval()(pixels)
    assert list(logits) == ["cancer"] and tuple(network.maps(features).shape) == (2, 1, 2, 2)


def test_the_plain_network_keeps_the_names_of_its_tensors() -> None:
    """Checkpoints of networks without the new parts are read as before."""
    names = {name.partition(".")[0] for name in WholeImageNetwork("mobilenet-v2", imagenet=False).state_dict()}
    assert names == {"backbone", "top", "output"}
    assert isinstance(WholeImageNetwork("mobilenet-v2", imagenet=False).pool, nn.Module)
