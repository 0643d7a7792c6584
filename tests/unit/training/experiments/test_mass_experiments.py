"""The twelve rows of Levy & Jain 2016: rates by part, optimisers, epochs, samples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.augment import MASSES, NONE
from training.data.synthetic import write_synthetic
from training.errors import ClassEmpty
from training.experiments.catalogue import find_experiment
from training.experiments.masses import EXPERIMENTS
from training.networks.mass_patches import MassGoogLeNet
from training.stages.options import Initialisation, RunOptions
from training.stages.rates import rate_of
from training.stages.run import Run
from training.stages.samples import Samples

PAPER = {"baseline": ("adam", 35), "alexnet": ("adam", 30), "googlenet": ("sgd", 30)}


def gather(name: str, options: RunOptions) -> Samples:
    return Run(find_experiment(name, ["synthetic"]), options).gather()


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    folder = tmp_path_factory.mktemp("masses")
    write_synthetic(
        folder / "synthetic", patients=24, seed=4, size=(256, 256), findings=(("mass", "malignant"), ("mass", "benign"), ("mass", "benign"))
    )
    return RunOptions(data=folder, runs=folder / "runs", shape=(32, 32))


def test_there_are_twelve_rows_and_each_is_trained_as_the_paper_says() -> None:
    assert sorted(EXPERIMENTS) == sorted(
        f"mass-{network}-{context}-{kind}" for network in PAPER for context in ("small", "large") for kind in ("aug", "noaug")
    )
    for name, experiment in EXPERIMENTS.items():
        _, network, _, kind = name.split("-")
        (plan,) = experiment.plans
        assert (plan.optimiser, plan.epochs) == PAPER[network] and plan.batch == 64
        assert plan.schedule == "constant" and plan.momentum == 0.0 and plan.weight_decay == 0.0, "vanilla SGD; plain Adam"
        assert plan.augmentation == (MASSES if kind == "aug" else NONE)
        assert experiment.shape == (224, 224) and experiment.split == "80/10/10-balanced" and experiment.datasets == ("cbis-ddsm",)


def test_rates_by_part_of_the_network() -> None:
    """4.2: AlexNet 1e-3 with 0.1 for convolutions; GoogLeNet 1e-2 with 0.1 before inception 5a, 1 for 5a and 5b, 10 for the last layer."""
    for backbone in ("googlenet", "googlenet-bn"):
        rates = EXPERIMENTS["mass-googlenet-large-aug"].plans[0].rates
        found: dict[str, set[float]] = {}
        for name, _ in MassGoogLeNet(backbone).named_parameters():
            part = name.split(".")[1] if name.startswith("features.") else name.split(".")[0]
            found.setdefault(part, set()).add(rate_of(name, rates))
        assert {part: values for part, values in found.items() if values != {1e-3}} == {
            "inception5a": {1e-2}, "inception5b": {1e-2}, "output": {0.1},
        }  # fmt: skip
        assert {"conv1", "conv2", "inception3a", "inception4e"} <= set(found), backbone
    alexnet = EXPERIMENTS["mass-alexnet-small-noaug"]
    rates = {name: rate_of(name, alexnet.plans[0].rates) for name, _ in alexnet.build(Initialisation("random")).named_parameters()}
    assert Counter(rates.values()) == {1e-4: 10, 1e-3: 6}
    assert all((rate == 1e-4) == name.startswith("features.") for name, rate in rates.items())
    assert EXPERIMENTS["mass-baseline-large-aug"].plans[0].rates == {"": 1e-3}


def test_training_masses_come_25_times_and_the_others_once(options: RunOptions) -> None:
    plain, copied = (gather(name, options) for name in ("mass-baseline-large-noaug", "mass-baseline-large-aug"))
    one, many = Counter(plain.parts.tolist()), Counter(copied.parts.tolist())
    assert sum(one.values()) == 48, "each mass shows in two views"
    assert many["train"] == 25 * one["train"] and (many["validation"], many["test"]) == (one["validation"], one["test"])
    for samples in (plain, copied):
        for part in ("validation", "test"):
            assert np.bincount(samples.targets["mass"][samples.where(part)]).tolist() == [one[part] // 2] * 2, "balanced"
        assert all(bool(truth) == row.malignant for row, truth in zip(samples.rows, samples.targets["mass"], strict=True))
        parts: dict[str, set[str]] = {}
        for row, part in zip(samples.rows, samples.parts, strict=True):
            parts.setdefault(row.patient, set()).add(str(part))
        assert all(len(found) == 1 for found in parts.values()), "no patient crosses"
    held = {row.image: crop for row, crop, part in zip(plain.rows, plain.crops, plain.parts, strict=True) if part == "test"}
    for row, crop, part in zip(copied.rows, copied.crops, copied.parts, strict=True):
        assert part != "test" or np.array_equal(held[row.image], crop), "both are tested on the same patches"


def test_contexts_differ(options: RunOptions) -> None:
    small, large = (gather(name, options) for name in ("mass-baseline-small-noaug", "mass-baseline-large-noaug"))
    assert small.rows == large.rows and np.array_equal(small.parts, large.parts)
    assert not np.array_equal(small.crops, large.crops)


def test_a_set_without_masses_says_so(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "synthetic", patients=1, seed=1, size=(256, 256), findings=(None,))
    name = "mass-alexnet-large-aug"
    with pytest.raises(ClassEmpty, match="synthetic has no outlined mass of known pathology"):
        gather(name, RunOptions(data=tmp_path, runs=tmp_path))


def test_a_network_can_start_from_another_sets_run(tmp_path: Path) -> None:
    experiment = EXPERIMENTS["mass-baseline-large-aug"]
    torch.manual_seed(2)
    trained = experiment.build(Initialisation("random"))
    torch.save({"network": trained.state_dict()}, tmp_path / "best.pt")
    network = experiment.build(Initialisation(str(tmp_path / "best.pt")))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in trained.state_dict().items())
