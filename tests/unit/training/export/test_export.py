"""Stored graphs: named outputs, free batch and size, three storages, parity on pictures, nothing about the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from models.preprocessing.recipe import breast_stretch as CANCER_RECIPE
from tests.support.tiny_experiments import CANCER, LABELER, SHAPE, HeadsNetwork
from training.errors import SizeFixed
from training.export.exporting import export_run, spread
from training.export.onnx_graph import export, parity
from training.export.sessions import open_graph, score
from training.networks.average import Average
from training.stages.options import RunOptions
from training.stages.run import Run
from training.stages.samples import Samples


def pictures(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((count, 1, *SHAPE), np.float32)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return HeadsNetwork(LABELER.heads).eval()


@pytest.mark.parametrize(("storage", "largest", "tensor"), [("fp32", 1e-5, 1), ("fp16", 1e-2, 10), ("int8", 0.1, 3)])
def test_a_graph_answers_what_torch_answers(network: nn.Module, storage: str, largest: float, tensor: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(network, list(LABELER.heads), SHAPE, path, storage, pictures=pictures())
    assert parity(network, list(LABELER.heads), path, pictures()) < largest
    graph = onnx.load(path).graph
    assert [value.name for value in graph.output] == ["view", "laterality", "density", "maps"]
    assert tensor in {each.data_type for each in graph.initializer}, f"weights are stored as {storage}"
    assert b".py" not in path.read_bytes(), "a graph says nothing about the machine that made it"
    for count in (1, 5):
        assert open_graph(path).run(["maps"], {"pixels": pictures(count)})[0].shape == (count, 8, 8, 6)


def test_a_graph_takes_other_sizes_where_it_was_asked_to(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(network, list(LABELER.heads), SHAPE, path, dynamic_size=True)
    scores, maps = open_graph(path).run(["view", "maps"], {"pixels": np.zeros((2, 1, 96, 80), np.float32)})
    assert scores.shape == (2, 2) and maps.shape == (2, 8, 12, 10)


def test_a_network_of_one_size_says_so(tmp_path: Path) -> None:
    class Flat(HeadsNetwork):
        def __init__(self) -> None:
            super().__init__(CANCER.heads)
            self.top = nn.Linear(16 * 8 * 6, 1)

        def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            features = self.features(pixels)
            return {"cancer": self.top(features.flatten(1))}, features

    with pytest.raises(SizeFixed, match="64x48 only"):
        export(Flat(), ["cancer"], SHAPE, tmp_path / "model.onnx", dynamic_size=True)
    assert not (tmp_path / "model.onnx").exists()


def test_an_average_with_flips_is_one_graph(tmp_path: Path) -> None:
    torch.manual_seed(2)
    average = Average([HeadsNetwork(CANCER.heads), HeadsNetwork(CANCER.heads)], flips=True)
    path = tmp_path / "model.onnx"
    export(average, ["cancer"], SHAPE, path)
    assert parity(average, ["cancer"], path, pictures()) < 1e-3
    turned = pictures()[:, :, ::-1, ::-1].copy()
    session = open_graph(path)
    plain, flipped = (session.run(["cancer", "maps"], {"pixels": each}) for each in (pictures(), turned))
    assert plain[0] == pytest.approx(flipped[0], abs=1e-5), "all flips of a picture have one score"
    assert plain[1] == pytest.approx(flipped[1][:, :, ::-1, ::-1], abs=1e-3)


def test_an_unknown_storage_and_int8_without_pictures_are_refused(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose fp32, fp16 or int8"):
        export(network, list(LABELER.heads), SHAPE, tmp_path / "m.onnx", "int4")
    with pytest.raises(ValueError, match="int8 needs real pictures"):
        export(network, list(LABELER.heads), SHAPE, tmp_path / "m.onnx", "int8")


def test_a_run_is_exported_with_its_parity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(3)
    trained = HeadsNetwork(CANCER.heads)
    monkeypatch.setattr(Run, "network", lambda run: trained)
    crops = np.random.default_rng(1).integers(0, 255, (40, *SHAPE)).astype(np.uint8)
    samples = Samples([None] * 40, crops, np.array(["train", "test"] * 20), {"cancer": np.zeros(40, np.int64)})  # type: ignore[list-item]
    options = RunOptions(tmp_path, tmp_path)
    done = export_run(Run(CANCER, options), tmp_path / "deep" / "model.onnx", samples=samples, images=8)
    assert done.path.is_file() and (done.storage, done.pictures) == ("fp16", 8) and 0 < done.difference < 1e-2
    found = score(done.path, ["cancer"], crops, np.array([3, 1]), CANCER_RECIPE)
    expected = score(done.path, ["cancer"], crops, np.array([1]), CANCER_RECIPE)
    assert found["cancer"][1] == pytest.approx(expected["cancer"][0])
    with pytest.raises(ValueError, match="another view"):
        export_run(Run(replace(CANCER, heads=LABELER.heads), options), tmp_path / "x.onnx", samples=samples, flips=True)


def test_pictures_for_parity_come_from_all_over_the_table() -> None:
    chosen = spread(np.arange(100) * 2, 5)
    assert chosen.tolist() == [0, 50, 100, 148, 198] and spread(np.arange(3), 32).tolist() == [0, 1, 2]
    assert spread(np.array([], np.int64), 4).size == 0
