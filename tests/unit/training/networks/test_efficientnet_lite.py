from __future__ import annotations

import torch

from training.networks.efficientnet_lite import EfficientNetLite0
from training.networks.whole_image import WholeImageNetwork


def test_the_mean_of_the_map_is_the_logit() -> None:
    network = WholeImageNetwork(imagenet=False).eval()
    with torch.no_grad():
        logits, features = network(torch.rand(2, 1, 96, 64))
        mean = network.maps(features).mean(dim=(2, 3)) + network.output.bias
    assert torch.allclose(mean, logits["cancer"], atol=1e-4)


def test_imagenet_weights_fill_every_tensor_of_the_features() -> None:
    """A key that is missing would raise; what the loaded network answers on a constant differs from a random start."""
    torch.manual_seed(0)
    with torch.no_grad():
        trained, fresh = (EfficientNetLite0(imagenet=flag).eval()(torch.full((1, 1, 64, 64), 0.5)) for flag in (True, False))
    assert trained.shape == fresh.shape == (1, 320, 2, 2) and trained.std() > 10 * fresh.std()
