"""The labeler's heads, maps and starts."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models as torchvision_models

from training.errors import WeightsUnavailable
from training.networks.imagenet import read_weights
from training.networks.labeler import HEADS, Labeler


@pytest.fixture(scope="module")
def resnet18() -> torch.nn.Module:
    torch.manual_seed(5)
    return torchvision_models.resnet18(weights=None)


def test_heads_are_chosen_and_their_maps_come_in_the_same_order() -> None:
    torch.manual_seed(0)
    network = Labeler(heads={"density": HEADS["density"], "view": HEADS["view"]}).eval()
    with torch.no_grad():
        logits, features = network(torch.rand(2, 1, 96, 64))
        means = network.maps(features).mean(dim=(2, 3))
    assert {head: tuple(values.shape) for head, values in logits.items()} == {"density": (2, 4), "view": (2, 2)}
    biases = torch.cat([network.get_parameter(f"heads.{head}.bias") for head in ("density", "view")])
    assert torch.allclose(means + biases, torch.cat([logits["density"], logits["view"]], dim=1), atol=1e-4), "a CAM's mean is its logit"


def test_the_served_network_keeps_the_names_of_its_tensors() -> None:
    """Checkpoints of earlier versions load: three heads, ResNet-18, the first convolution in grey."""
    names = Labeler().state_dict()
    assert [name for name in names if name.startswith("heads.")] == [
        f"heads.{head}.{part}" for head in ("view", "laterality", "density") for part in ("weight", "bias")
    ]
    assert names["features.0.weight"].shape == (64, 1, 7, 7) and names["features.7.1.conv2.weight"].shape == (512, 512, 3, 3)
    assert len(names) == 126, "as many as the published 1.0.0 was trained with"


def test_dropout_is_the_papers_where_an_experiment_says_so() -> None:
    assert Labeler().dropout.p == 0.2 and Labeler(dropout=0.0).dropout.p == 0.0


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_file_fills_the_backbone_and_grey_answers_as_repeated_colour_did(
    resnet18: torch.nn.Module, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"resnet18{suffix}"
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in resnet18.state_dict().items()}
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    network = Labeler(weights=str(path)).eval()
    picture = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        coloured: Any = resnet18.eval()
        x = ((picture - 0.45) / 0.25).expand(-1, 3, -1, -1)
        x = coloured.maxpool(coloured.relu(coloured.bn1(coloured.conv1(x))))
        expected = coloured.layer4(coloured.layer3(coloured.layer2(coloured.layer1(x))))
        assert torch.allclose(network(picture)[1], expected, atol=0.02), "half precision in the file, float32 in the network"
    assert all(value.dtype == torch.float32 for value in network.parameters())


def test_weights_of_another_network_are_refused(resnet18: torch.nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(resnet18.state_dict(), path)
    with pytest.raises(WeightsUnavailable, match="name a file of the same architecture"):
        Labeler("resnet34", weights=str(path))
    torch.save({"epoch": 3}, path)
    with pytest.raises(WeightsUnavailable, match="save a network's state_dict"):
        Labeler(weights=str(path))
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsUnavailable, match=r"safetensors or a torch file"):
        Labeler(weights=str(path))
    with pytest.raises(WeightsUnavailable, match="imagenet, random, or"):
        Labeler(weights=str(tmp_path / "absent.safetensors"))
    with pytest.raises(ValueError, match="--backbone takes one of resnet18, resnet34, resnet50"):
        Labeler("resnet101")


def test_without_a_download_the_message_names_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(WeightsUnavailable, match=r"resnet50.*--weights FILE.safetensors.*--weights random"):
        read_weights("resnet50", "imagenet")


def test_imagenet_is_torchvisions_own_download(monkeypatch: pytest.MonkeyPatch, resnet18: torch.nn.Module) -> None:
    asked = []

    def serve(url: str, **_: Any) -> dict[str, torch.Tensor]:
        asked.append(url)
        return resnet18.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", serve)
    network = Labeler("resnet18", weights="imagenet")
    assert asked == ["https://download.pytorch.org/models/resnet18-f37072fd.pth"]
    assert torch.equal(network.get_parameter("features.4.0.conv1.weight"), resnet18.get_parameter("layer1.0.conv1.weight"))


def test_googlenet_serves_the_three_heads_on_pixels_that_it_standardises_itself() -> None:
    torch.manual_seed(0)
    network = Labeler("googlenet").eval()
    with torch.no_grad():
        logits, features = network(picture := torch.rand(2, 1, 96, 64))
        assert torch.equal(features, network.features(picture)) and features.shape == (2, 1024, 3, 2)
        assert network.maps(features).shape == (2, 8, 3, 2) and list(logits) == list(HEADS)
