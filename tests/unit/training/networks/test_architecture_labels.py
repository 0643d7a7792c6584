"""The networks of systems 1 and 2 against their papers: layers, parameters, receptive fields, sizes of the maps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import nn

from training.networks.googlenet import INCEPTIONS, GoogLeNet
from training.networks.labeler import HEADS, Labeler
from training.networks.mass_patches import AlexNet, BaselineCnn, MassGoogLeNet


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def layers(module: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(each, kind) for each in module.modules())


def receptive_field(steps: Iterable[tuple[int, int]]) -> int:
    """Pixels of the input that one cell sees, from (kernel, stride) of each step on the way."""
    field, jump = 1, 1
    for kernel, stride in steps:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


def steps(modules: Iterable[nn.Module]) -> list[tuple[int, int]]:
    """(kernel, stride) of the convolutions and pools, in order; shortcuts (named downsample) are not the widest way."""
    found = []
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, stride = module.kernel_size, module.stride
            found.append((kernel if isinstance(kernel, int) else kernel[0], stride if isinstance(stride, int) else stride[0]))
    return found


@pytest.mark.parametrize(
    ("backbone", "convolutions", "shortcuts", "parameters"),
    [
        # He et al. 2016, Table 1: N layers are N - 1 convolutions and the linear one; the published counts less the 1000-class layer
        # and less two of the three colour channels of the first convolution (2 * 64 * 49).
        ("resnet18", 17, 3, 11_176_512 - 6_272),
        ("resnet34", 33, 3, 21_284_672 - 6_272),
        ("resnet50", 49, 4, 23_508_032 - 6_272),
    ],
)
def test_backbones_have_the_layers_and_parameters_of_their_papers(
    backbone: str, convolutions: int, shortcuts: int, parameters: int
) -> None:
    network = Labeler(backbone, heads={"view": HEADS["view"]})
    assert layers(network.features, nn.Conv2d) == convolutions + shortcuts and layers(network, nn.Linear) == 1
    assert count(network.features) == parameters


def test_resnet50_with_four_classes_has_about_24_million_parameters_and_an_8x8_map() -> None:
    network = Labeler("resnet50", heads={"density": HEADS["density"]}).eval()
    assert count(network) == 23_501_760 + 4 * 2048 + 4
    with torch.no_grad():
        logits, features = network(torch.rand(1, 1, 256, 256))
        assert logits["density"].shape == (1, 4) and features.shape == (1, 2048, 8, 8)
        assert network.maps(features).shape == (1, 4, 8, 8)


def test_a_cell_of_resnet50_sees_all_of_a_256_pixel_picture() -> None:
    """7 + 2*2 (pool) + 3*2*4 + 2*4 + 3*2*8 + 2*8 + 5*2*16 + 2*16 + 2*2*32 = 427, stride on the 3x3 convolutions."""
    features = Labeler("resnet50").features
    way = [module for name, module in features.named_modules() if "downsample" not in name]
    assert receptive_field(steps(way)) == 7 + 4 + 24 + 8 + 48 + 16 + 160 + 32 + 128 == 427


def test_the_baseline_counted_by_hand() -> None:
    """Levy & Jain 4.1: blocks of 32, 32, 64 filters; FC 128, 64, 2. Batch norm has two parameters a channel."""
    network = BaselineCnn()
    blocks = [(3 * 9 + 1) * 32 + 64, (32 * 9 + 1) * 32 + 64, (32 * 9 + 1) * 64 + 128]
    linear = [(64 * 28 * 28 + 1) * 128, (128 + 1) * 64, (64 + 1) * 2]
    assert count(network.features) == sum(blocks) == 28_896
    assert count(network.top) == sum(linear) == 6_431_042
    assert [layers(network, kind) for kind in (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.Linear)] == [3, 3, 3, 3]
    assert [type(module) for module in network.features] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d] * 3
    assert receptive_field(steps(network.features)) == 22, "3, pool 4; 8, pool 10; 18, pool 22"


def test_the_baseline_starts_as_glorot_and_bengio_say() -> None:
    torch.manual_seed(0)
    for module in BaselineCnn().modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            field = module.kernel_size[0] ** 2 if isinstance(module, nn.Conv2d) else 1
            bound = (6 / (field * (module.weight.shape[0] + module.weight.shape[1]))) ** 0.5
            assert 0.9 * bound < module.weight.abs().max() <= bound and not module.bias.any()


def test_alexnet_has_five_convolutions_and_its_published_size_with_two_outputs() -> None:
    network = AlexNet()
    assert layers(network, nn.Conv2d) == 5 and layers(network, nn.Linear) == 3
    assert count(network) == 61_100_840 - 4096 * 998 - 998, "the published 61.1 million, two outputs instead of 1000"
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.5, 0.5]
    assert receptive_field(steps(network.features)) == 195


@pytest.mark.parametrize(
    ("network", "convolutions", "parameters"),
    [(MassGoogLeNet(), 57, 5_975_602), (MassGoogLeNet("googlenet-bn"), 57, 5_601_954)],
    ids=["published", "batch-norm"],
)
def test_googlenet_has_about_5_to_7_million_parameters_and_no_auxiliary_heads(
    network: MassGoogLeNet, convolutions: int, parameters: int
) -> None:
    assert layers(network, nn.Conv2d) == convolutions and layers(network, nn.Linear) == 1 and network.dropout.p == 0.2
    assert count(network) == parameters and 5e6 < parameters < 7e6


def test_googlenets_blocks_are_table_1_of_szegedy() -> None:
    """Weights of 3a from its channels by hand; the others against the table's thousands, which stray by up to 8 % from its channels."""
    network = GoogLeNet()
    weights = {name: sum(p.numel() for p in network.get_submodule(name).parameters() if p.ndim > 1) for name in INCEPTIONS}
    assert weights["inception3a"] == 192 * 64 + 192 * 96 + 96 * 128 * 9 + 192 * 16 + 16 * 32 * 25 + 192 * 32
    published = (159, 380, 364, 437, 463, 580, 840, 1072, 1388)
    for name, thousands in zip(INCEPTIONS, published, strict=True):
        assert abs(weights[name] / 1024 - thousands) / thousands < 0.08, name


@pytest.mark.parametrize(("network", "cells"), [(BaselineCnn(), 28), (AlexNet(), 6), (MassGoogLeNet(), 7)])
def test_maps_of_224_pixel_patches(network: Any, cells: int) -> None:
    with torch.no_grad():
        _, features = network.eval()(torch.rand(1, 1, 224, 224))
        assert network.maps(features).shape == (1, 2, cells, cells)
