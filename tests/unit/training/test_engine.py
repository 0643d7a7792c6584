"""The loop on pictures that anyone can tell apart: it must learn them in seconds, and a kill must change nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.augment import Augmentation
from training.export.onnx_graph import export, parity
from training.networks.efficientnet_lite import EfficientNetLite0
from training.networks.labeler import HEADS, Labeler
from training.networks.whole_image import WholeImageNetwork
from training.stages.engine import Crops, Plan, fit, masked_cross_entropy, predict


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, stride=4), nn.ReLU())
        self.output = nn.Linear(8, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = self.features(pixels)
        return {"cancer": self.output(features.mean(dim=(2, 3)))}, features


def pictures() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Breasts of 64x40 pixels; every other one holds a bright, small, round mass somewhere."""
    chance = np.random.default_rng(0)
    crops = chance.integers(60, 110, (64, 64, 40)).astype(np.uint8)
    sick = np.arange(64) % 2
    for index in np.flatnonzero(sick):
        row, column = chance.integers(10, 50), chance.integers(8, 28)
        crops[index, row : row + 10, column : column + 10] = 250
    return crops, sick.astype(np.int64)


PLAN = Plan(epochs=6, batch=8, rates={"": 0.05}, seed=3, augmentation=Augmentation(gamma=0, contrast=0))


def run(folder: Path, plan: Plan = PLAN) -> nn.Module:
    crops, sick = pictures()
    torch.manual_seed(0)
    return fit(Tiny(), Crops(crops, {"cancer": sick}, plan.augmentation, plan.seed), masked_cross_entropy(), plan, folder)


def test_a_network_learns_to_see_a_mass(tmp_path: Path) -> None:
    crops, sick = pictures()
    logits = predict(run(tmp_path), crops)["cancer"][:, 0]
    assert ((logits > 0) == sick).mean() > 0.95


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole").state_dict()

    class Killed(Exception):
        pass

    def kill(epoch: int, _: nn.Module) -> dict[str, float]:
        if epoch == 3:
            raise Killed
        return {}

    crops, sick = pictures()
    torch.manual_seed(0)
    with pytest.raises(Killed):
        fit(
            Tiny(),
            Crops(crops, {"cancer": sick}, PLAN.augmentation, PLAN.seed),
            masked_cross_entropy(),
            PLAN,
            tmp_path / "killed",
            after_epoch=kill,
        )
    resumed = run(tmp_path / "killed").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_loss_that_explodes_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="lower the rates"):
        run(tmp_path, Plan(epochs=2, batch=8, rates={"": float("inf")}))


def test_unknown_labels_do_not_pull_at_the_network() -> None:
    logits = {"view": torch.tensor([[2.0, -2.0], [0.0, 0.0]], requires_grad=True)}
    masked_cross_entropy()(logits, {"view": torch.tensor([0, -1])}).backward()
    gradient = logits["view"].grad
    assert gradient is not None and gradient[0].abs().sum() > 0 and gradient[1].abs().sum() == 0


@pytest.mark.parametrize(
    ("network", "heads", "shape"),
    [(Labeler(), list(HEADS), (64, 40)), (WholeImageNetwork(imagenet=False), ["cancer"], (96, 64))],
    ids=["labeler", "cancer"],
)
def test_the_stored_graph_answers_what_the_network_answers(
    network: nn.Module, heads: list[str], shape: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export(network, heads, shape, path)
    assert b".py" not in path.read_bytes(), "a published graph says nothing about the machine that made it"
    assert parity(network, heads, path, np.random.default_rng(0).random((3, 1, *shape), np.float32)) < 0.01
    shutil.rmtree(tmp_path)


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
