"""A network filled from a published graph answers as the graph does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from models.registry import Registry
from training.errors import WeightsUnavailable
from training.networks.export_wrapper import ExportWrapper
from training.networks.graph_weights import fill_from_graph
from training.networks.labeler import HEADS, Labeler

GRAPH = Registry().find("labeler").path


def test_the_labeler_of_the_zoo_comes_back_as_a_network() -> None:
    network = Labeler("resnet18")
    fill_from_graph(network, GRAPH)
    pixels = np.random.default_rng(0).random((2, 1, 256, 160), np.float32)
    with torch.no_grad():
        ours = [values.numpy() for values in ExportWrapper(network.eval())(torch.from_numpy(pixels))][: len(HEADS)]
    theirs = onnxruntime.InferenceSession(str(GRAPH), providers=["CPUExecutionProvider"]).run(list(HEADS), {"pixels": pixels})
    for name, our, their in zip(HEADS, ours, theirs, strict=True):
        assert np.abs(our - their).max() < 1e-4, name


def test_a_new_head_stays_as_it_begins() -> None:
    network = Labeler("resnet18", heads={**HEADS, "implant": ("no", "yes")})
    begun = network.get_parameter("heads.implant.weight").detach().clone()
    fill_from_graph(network, GRAPH, may_lack=("heads.implant.", "heads.view."))
    assert torch.equal(network.get_parameter("heads.implant.weight"), begun)
    assert network.get_parameter("heads.view.weight").abs().max() > 0.05, "what the graph has is taken"
    with pytest.raises(WeightsUnavailable, match=r"no tensor heads\.implant"):
        fill_from_graph(network, GRAPH)


@pytest.mark.parametrize("network", [Labeler("resnet34"), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))], ids=["deeper", "other"])
def test_another_architecture_is_refused(network: nn.Module) -> None:
    with pytest.raises(WeightsUnavailable, match="another architecture"):
        fill_from_graph(network, GRAPH)


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsUnavailable, match="no ONNX graph"):
        fill_from_graph(Labeler("resnet18"), tmp_path / "model.onnx")
