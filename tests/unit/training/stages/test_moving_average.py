"""The moving average of weights: its arithmetic, what the engine keeps of it, and that a resume changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.bright_squares import PLAN, Tiny, pictures, run
from training.data.augment import NONE
from training.stages.averaging import MovingAverage
from training.stages.checkpoint import LAST, load
from training.stages.dataset import AugmentedDataset
from training.stages.engine import fit
from training.stages.losses import masked_cross_entropy

AVERAGED = replace(PLAN, epochs=4, precision="fp32", average=0.9, augmentation=NONE)


def test_the_start_is_soon_forgotten_and_the_decay_then_holds() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = MovingAverage(network, 0.5)
    nn.init.ones_(network.weight)
    expected = 0.0
    for update in range(1, 20):
        average.update()
        kept = min(0.5, (1 + update) / (10 + update))
        expected = kept * expected + (1 - kept)
    assert float(average.state()["weight"]) == pytest.approx(expected, abs=1e-6) and expected > 0.999


def test_statistics_are_averaged_and_counts_are_copied() -> None:
    network = nn.BatchNorm1d(2)
    average = MovingAverage(network, 0.9)
    network.train()(torch.rand(8, 2) + 5)
    average.update()
    state = average.state()
    assert int(state["num_batches_tracked"]) == 1 and 0 < float(state["running_mean"][0]) <= float(network.running_mean[0])  # type: ignore[index]


def test_the_checkpoint_keeps_the_average_as_the_network_and_a_resume_gives_the_same(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", AVERAGED)
    saved = load(tmp_path / "whole" / LAST)
    assert all(torch.equal(value, saved["network"][name]) for name, value in whole.state_dict().items())
    assert any(not torch.equal(value, saved["trained"][name]) for name, value in saved["network"].items())
    crops, sick = pictures()
    for epochs in (2, 4):  # the schedule is constant, so a run of two epochs is the beginning of one of four
        torch.manual_seed(0)
        plan = replace(AVERAGED, epochs=epochs, schedule="constant")
        parted = fit(Tiny(), AugmentedDataset(crops, {"cancer": sick}, None, plan.seed), masked_cross_entropy(), plan, tmp_path / "parted")
    straight = run(tmp_path / "straight", replace(AVERAGED, schedule="constant"))
    for name, value in straight.state_dict().items():
        assert torch.allclose(value, parted.state_dict()[name], atol=1e-6), name


def test_statistics_can_stay_as_they_are() -> None:
    from training.stages.rates import start_epoch

    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    start_epoch(network, {"": 1.0}, fixed=True)
    assert network.training and not network[1].training
    start_epoch(network, {"": 1.0})
    assert network[1].training
