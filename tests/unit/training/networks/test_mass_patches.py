"""What the patch networks answer, where they look, and how they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models as torchvision_models

from training.errors import WeightsUnavailable
from training.export.onnx_graph import export, parity
from training.networks.googlenet import GoogLeNet
from training.networks.mass_patches import AlexNet, BaselineCnn, MassGoogLeNet
from training.stages.rates import freeze

NETWORKS = {"baseline": BaselineCnn, "alexnet": AlexNet, "googlenet": MassGoogLeNet}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[request.param]().eval()


def test_grey_patches_of_any_size_give_two_logits(network: Any) -> None:
    with torch.no_grad():
        for side in (224, 96):
            logits, features = network(torch.rand(2, 1, side, side))
            assert list(logits) == ["mass"] and logits["mass"].shape == (2, 2)
            assert network.maps(features).shape[:2] == (2, 2)


def test_a_map_without_global_pooling_is_the_gradient_times_the_features() -> None:
    torch.manual_seed(1)
    for made in (BaselineCnn(), AlexNet()):
        network = made.eval()
        with torch.no_grad():
            features = network(torch.rand(2, 1, 64, 64))[1]
        features.requires_grad_(True)
        logits = network.top(features.flatten(1))
        for index in range(2):
            (gradient,) = torch.autograd.grad(logits[:, index].sum(), features, retain_graph=True)
            expected = (gradient * features).sum(dim=1)
            cells = features.shape[2] * features.shape[3]
            assert torch.allclose(network.maps(features)[:, index] / cells, expected, atol=1e-5) and expected.abs().max() > 0


def test_without_biases_the_mean_of_the_map_is_the_logit() -> None:
    torch.manual_seed(2)
    network = BaselineCnn().eval()  # Xavier: its biases start at 0
    with torch.no_grad():
        logits, features = network(torch.rand(3, 1, 224, 224))
        assert torch.allclose(network.maps(features).mean(dim=(2, 3)), logits["mass"], atol=1e-4)


@pytest.mark.parametrize("name", ["baseline", "googlenet"])
def test_the_stored_graph_answers_what_the_network_answers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = NETWORKS[name]().eval()
    export(network, ["mass"], (96, 96), tmp_path / "model.onnx")
    assert parity(network, ["mass"], tmp_path / "model.onnx", np.random.default_rng(0).random((3, 1, 96, 96), np.float32)) < 0.01


def test_alexnet_takes_convolutions_and_leaves_the_linear_layers_at_random(tmp_path: Path) -> None:
    torch.manual_seed(4)
    published = torchvision_models.alexnet(weights=None)
    convolutions = {name: value for name, value in published.state_dict().items() if name.startswith("features.")}
    path = tmp_path / "alexnet.safetensors"
    save_file(convolutions, path)
    network = AlexNet(weights=str(path))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in convolutions.items())
    assert not torch.equal(network.get_parameter("top.1.weight"), published.get_parameter("classifier.1.weight"))


def test_published_googlenet_fills_every_convolution(data_folder: Path) -> None:
    path = data_folder.parent / "weights" / "googlenet-bvlc-imagenet.fp16.safetensors"
    if not path.is_file():
        pytest.skip(f"no published GoogLeNet weights at {path}")
    torch.manual_seed(0)
    fresh, filled = (network.features.state_dict() for network in (MassGoogLeNet(), MassGoogLeNet(weights=str(path))))
    assert all(not torch.equal(fresh[name], filled[name]) for name in fresh if name not in ("mean", "std"))


def test_googlenet_says_how_to_start_where_torchvision_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"--weights FILE.safetensors.*--backbone googlenet-bn.*--weights random"):
        MassGoogLeNet(weights="imagenet")
    with pytest.raises(ValueError, match="--backbone takes googlenet or googlenet-bn"):
        MassGoogLeNet("vgg16")
    path = tmp_path / "half.safetensors"
    save_file({name: value for name, value in GoogLeNet().state_dict().items() if name.startswith("conv")}, path)
    with pytest.raises(WeightsUnavailable, match="inception3a"):
        MassGoogLeNet(weights=str(path))


def test_a_frozen_stem_still_hands_the_gradient_to_the_pixels() -> None:
    network = GoogLeNet().eval()
    pixels = torch.rand(1, 1, 64, 64, requires_grad=True)
    with freeze(network, {"": 1.0, "conv1": 0.0, "conv2": 0.0}):
        (gradient,) = torch.autograd.grad(network(pixels).sum(), pixels)
        assert not network.stem(pixels.detach()).requires_grad
    assert gradient.abs().max() > 0
