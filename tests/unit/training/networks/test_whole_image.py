"""Rows of Tables 1 to 4 of Shen et al. 2017: rates and epochs of their stages, where they start, and that every one of them runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.errors import WeightsUnavailable
from training.experiments import patches as patch_rows
from training.experiments import whole_image as whole_rows
from training.networks.patch_classifier import LESIONS, PatchClassifier
from training.networks.whole_image import WholeImageNetwork
from training.stages.balance import balanced_cross_entropy
from training.stages.options import Initialisation
from training.stages.plan import share_epochs
from training.stages.rates import freeze, make_optimiser, rate_of
from training.stages.two_step import (
    CUTOFFS,
    FEATURES,
    REGION,
    TREES,
    TwoStepNetwork,
    fit_forest,
    least_split,
    major_axis,
    measure_regions,
    region_features,
)

PATCHES, WHOLE = patch_rows.EXPERIMENTS, whole_rows.EXPERIMENTS


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


def trained_rates(network: nn.Module, rates: dict[str, float]) -> dict[str, float]:
    return {name: rate for name, _ in network.named_parameters() if (rate := rate_of(name, rates)) > 0}


@pytest.mark.parametrize(("name", "epochs"), [("patches-resnet50-s10", 50), ("patches-resnet50-s1", 200), ("patches-vgg16-s10", 50)])
def test_three_stages_unfreeze_from_top_to_bottom(name: str, epochs: int) -> None:
    """3.1.2: 1e-3 for the last layer, 3 epochs; 1e-4 with the top layers, 10; 1e-5 for all, to a total of 50 (S1: 200)."""
    experiment = PATCHES[name]
    assert [plan.epochs for plan in experiment.plans] == [3, 10, epochs - 13]
    assert {(plan.optimiser, plan.batch, plan.schedule) for plan in experiment.plans} == {("adam", 32, "constant")}
    with torch.device("meta"):  # names are enough
        network = experiment.build(Initialisation("random"))
    first, second, third = (trained_rates(network, plan.rates) for plan in experiment.plans)
    assert first == {"output.weight": 1e-3, "output.bias": 1e-3}
    assert set(first) < set(second) < set(third) == {parameter for parameter, _ in network.named_parameters()}
    assert set(second.values()) == {1e-4} and set(third.values()) == {1e-5}
    if "vgg16" in name:
        assert {parameter.split(".")[2] for parameter in second if "backbone" in parameter} == {"17", "19", "21", "24", "26", "28"}
    else:
        assert {parameter.split(".")[1] for parameter in second if "backbone" in parameter} == {"layer3", "layer4"}
        assert {parameter.split(".")[2] for parameter in second if "layer3" in parameter} == {"5"}
    for plan in experiment.plans:
        with freeze(network, plan.rates):
            groups = make_optimiser(network, plan).param_groups
        assert {group["lr"] for group in groups} == {max(plan.rates.values())}


def test_random_starts_keep_one_rate() -> None:
    """3.1.2: "For randomly initialized networks a constant learning rate of 1e-3 was used."."""
    for name, epochs in (("patches-resnet50-s1-random", 200), ("patches-resnet50-s10-random", 50)):
        (plan,) = PATCHES[name].plans
        assert (plan.rates, plan.epochs, plan.schedule) == ({"": 1e-3}, epochs, "constant")
    with torch.device("meta"):
        network = PATCHES["patches-resnet50-s10-random"].build(Initialisation())
    assert isinstance(network, PatchClassifier), "no download: it starts at random by itself"


def test_two_stages_train_the_top_and_then_everything() -> None:
    """3.1.2: 1e-4 and weight decay 0.001 for the new layers, 30 epochs; 1e-5 and 0.01 for all, 20; a batch of 2."""
    rows = [experiment for name, experiment in WHOLE.items() if "-s10-" in name or "-s1-" in name]
    assert len(rows) == 1 + 6 + 2 + 2 + 3 + 6 + 3
    for experiment in rows:
        first, second = experiment.plans
        assert (first.epochs, first.weight_decay, second.epochs, second.weight_decay) == (30, 0.001, 20, 0.01)
        assert {(plan.optimiser, plan.batch, plan.schedule) for plan in experiment.plans} == {("adam", 2, "constant")}
        assert first.rates == {"": 0.0, "top": 1e-4, "output": 1e-4} and second.rates == {"": 1e-5}
        assert (experiment.shape, experiment.recipe, experiment.split) == ((1152, 896), "whole-stretch@1", "85/15")
        change = first.augmentation
        assert (change.rotation_degrees, change.shear_radians, change.zoom) == (25, 0.2, 0.2)
        assert change.horizontal_flip and change.vertical_flip and change.brightness == pytest.approx(20 / 255)
    assert [plan.epochs for plan in share_epochs(rows[0].plans, 5)] == [3, 2]


def test_transfer_fine_tunes_all_layers_on_labels_alone() -> None:
    """3.2.2: Adam at 1e-5, 200 epochs, weight decay 0.01; the four best performing models; 70-30 on INbreast."""
    rows = {name: experiment for name, experiment in WHOLE.items() if name.startswith("transfer-")}
    assert set(rows) == {"transfer-resnet-resnet", "transfer-resnet-vgg", "transfer-vgg-vgg", "transfer-vgg-resnet"}
    for experiment in rows.values():
        (plan,) = experiment.plans
        assert (plan.rates, plan.epochs, plan.weight_decay, plan.optimiser) == ({"": 1e-5}, 200, 0.01, "adam")
        assert (experiment.datasets, experiment.split) == (("inbreast",), "70/30")


TOPS = {name.partition("-s10-")[2]: name for name in WHOLE if "-s10-" in name}
"""A row for every top."""


@pytest.mark.parametrize("name", TOPS.values(), ids=list(TOPS))
def test_every_row_scores_an_image_and_shows_where(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a backbone of one layer, so that all tops take seconds; the backbones have their own tests."""
    monkeypatch.setattr("training.networks.whole_image.build_backbone", lambda *_: (nn.Conv2d(1, 6, 32, stride=32), 6))
    network = WHOLE[name].build(Initialisation("random")).eval()
    with torch.no_grad():
        logits, features = network(torch.rand(1, 1, 256, 224))
        maps = network.maps(features)  # type: ignore[operator]
    assert logits["cancer"].shape == (1, 1) and maps.shape[:2] == (1, 1)
    if "fc-" not in name:
        weight = network.output
        assert torch.allclose(maps.mean(dim=(2, 3)) + weight.bias, logits["cancer"], atol=1e-4)  # type: ignore[union-attr]


def test_a_row_of_the_paper_insists_on_its_patch_classifier() -> None:
    with pytest.raises(ValueError, match="--weights RUNS/patches-vgg16-s10"):
        WHOLE["whole-vgg16-s10-vgg-256x1-128x1"].build(Initialisation())
    with pytest.raises(ValueError, match="whole-resnet50-s10-resnet-512x2"):
        WHOLE["transfer-resnet-resnet"].build(Initialisation())


def write_run(folder: Path, network: nn.Module) -> Path:
    (folder / "stage1").mkdir(parents=True)
    torch.save({"network": network.state_dict()}, folder / "stage1" / "checkpoint.pt")
    return folder


def test_a_whole_image_network_begins_with_the_trunk_of_the_patches(tmp_path: Path) -> None:
    patches = PatchClassifier("efficientnet-lite0", "random")
    run = write_run(tmp_path / "patches", patches)
    for name in ("whole-resnet50-s10-vgg-256x1-128x1", "whole-resnet50-s10-heatmap-resnet-64x2-128x2", "whole-resnet50-s10-fc-5x5-64-32"):
        network = WHOLE[name].build(Initialisation(str(run), "efficientnet-lite0"))
        for part, value in patches.backbone.state_dict().items():
            assert torch.equal(value, network.backbone.state_dict()[part]), part  # type: ignore[union-attr]
        if "heatmap" in name or "fc" in name:
            assert torch.equal(network.heatmap.weight[:, :, 0, 0], patches.output.weight)  # type: ignore[union-attr, index]
    with pytest.raises(WeightsUnavailable, match="do not fit"):
        WHOLE["whole-vgg16-s10-vgg-256x1-128x1"].build(Initialisation(str(run), "googlenet"))


def test_transfer_takes_the_whole_network(tmp_path: Path) -> None:
    before = WHOLE["whole-resnet50-s10-vgg-256x1-128x1"].build(Initialisation("random", "efficientnet-lite0"))
    run = write_run(tmp_path / "whole", before)
    after = WHOLE["transfer-resnet-vgg"].build(Initialisation(str(run / "stage1" / "checkpoint.pt"), "efficientnet-lite0"))
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    with pytest.raises(WeightsUnavailable, match="five classes"):
        stray = write_run(tmp_path / "stray", nn.Linear(2, 2))
        WHOLE["transfer-resnet-vgg"].build(Initialisation(str(stray), "efficientnet-lite0"))


def test_patch_runs_go_on_from_one_another(tmp_path: Path) -> None:
    before = PatchClassifier("efficientnet-lite0", "random")
    after = PATCHES["patches-resnet50-s10-random"].build(Initialisation(str(write_run(tmp_path / "run", before)), "efficientnet-lite0"))
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())


def test_names_of_tensors_that_published_models_rely_on() -> None:
    """Checkpoints of the shipped networks must load: backbone.*, top.*, output.*."""
    for backbone, channels in (("efficientnet-lite0", 320), ("googlenet", 1024)):
        state = WholeImageNetwork(backbone, imagenet=False).state_dict()
        assert {name.partition(".")[0] for name in state} == {"backbone", "top", "output"}
        names = ("top.0.weight", "top.1.weight", "top.3.weight", "top.4.weight", "output.weight")
        shapes = {name: tuple(state[name].shape) for name in names}
        assert shapes == {
            "top.0.weight": (256, channels, 3, 3), "top.1.weight": (256,), "top.3.weight": (128, 256, 3, 3), "top.4.weight": (128,),
            "output.weight": (1, 128),
        }  # fmt: skip


def test_every_class_of_a_batch_counts_the_same() -> None:
    """3.1.2: "The sample weights were adjusted within each batch to keep the five classes balanced."."""
    logits = torch.zeros(6, 5, requires_grad=True)
    targets = torch.tensor([0, 0, 0, 4, -1, 2])
    value = balanced_cross_entropy()({"lesion": logits}, {"lesion": targets})
    assert float(value.detach()) == pytest.approx(np.log(5))
    value.backward()
    assert logits.grad is not None
    pulls = [-float(logits.grad[targets == label, label].sum()) / 0.8 for label in (0, 2, 4)]
    assert pulls == pytest.approx([1 / 3] * 3) and not logits.grad[4].any()
    nothing = balanced_cross_entropy()({"lesion": logits}, {"lesion": torch.full((6,), -1)})
    assert float(nothing.detach()) == 0.0


def test_regions_are_measured_at_every_cutoff() -> None:
    """3.1.4: cutoffs of 0.3, 0.5, 0.7 and 0.9; area, major axis length and mean intensity."""
    assert CUTOFFS == (0.3, 0.5, 0.7, 0.9) and 4 * 4 * len(REGION) == FEATURES
    heatmap = np.zeros((5, 10, 12), np.float32)
    heatmap[0] = 1
    malignant_mass = LESIONS.index("malignant-mass")
    heatmap[malignant_mass, 2, 1:9], heatmap[malignant_mass, 8, 10] = 0.8, 0.4
    found = region_features(heatmap).reshape(len(CUTOFFS), 4, len(REGION))
    assert not found[:, :3].any(), "no other class has a region"
    assert found[0, 3].tolist() == pytest.approx([2, 8, found[0, 3, 2], 0.8, 0.8])
    assert found[2, 3].tolist() == pytest.approx([1, 8, found[2, 3, 2], 0.8, 0.8]) and not found[3].any()
    assert found[0, 3, 2] == pytest.approx(4 * np.sqrt(64 / 12), rel=1e-6), "of a bar of eight cells"
    single = np.zeros((3, 3), np.bool_)
    single[1, 1] = True
    assert major_axis(single) == pytest.approx(4 / np.sqrt(12))


def test_the_forest_in_tensors_is_the_forest() -> None:
    chance = np.random.default_rng(0)
    values, truth = chance.random((120, FEATURES)), np.arange(120) % 2
    values[:, 7] += truth
    forest = fit_forest(values, truth, seed=1)
    assert isinstance(forest, RandomForestClassifier) and (forest.n_estimators, forest.max_depth) == (TREES, 9) == (500, 9)
    assert forest.min_samples_split == 19, "300 of the paper's 1,903 images, as a share of 120"
    assert least_split(1903) == 300
    network = TwoStepNetwork(PatchClassifier("efficientnet-lite0", "random"))
    network.set_forest(forest)
    fresh = chance.random((50, FEATURES))
    again = TwoStepNetwork(PatchClassifier("efficientnet-lite0", "random"))
    again.load_state_dict(network.state_dict())
    assert np.allclose(again.vote(torch.from_numpy(fresh)).numpy(), forest.predict_proba(fresh)[:, 1], atol=1e-12)


def test_two_steps_score_an_image_like_any_network() -> None:
    patches = PatchClassifier("efficientnet-lite0", "random").eval()
    network = TwoStepNetwork(patches).eval()
    crops = np.random.default_rng(0).integers(0, 255, (4, 288, 256)).astype(np.uint8)
    values = measure_regions(patches, list(crops), find_recipe("whole-stretch@1"))
    network.set_forest(fit_forest(np.random.default_rng(0).random((40, FEATURES)), np.arange(40) % 2, seed=0))
    with torch.no_grad():
        logits, heatmap = network(torch.from_numpy(crops)[:, None].float() / 255)
    assert values.shape == (4, FEATURES) and heatmap.shape == (4, 5, 3, 2) and network.maps(heatmap).shape == (4, 1, 3, 2)
    expected = network.vote(torch.from_numpy(values)).clamp(1e-4, 1 - 1e-4)
    assert torch.allclose(torch.sigmoid(logits["cancer"][:, 0]).double(), expected, atol=1e-5)


def test_experiments_answer_to_their_names() -> None:
    for name, experiment in (PATCHES | WHOLE).items():
        assert experiment.name == name and experiment.needs and experiment.paper.startswith("Shen et al. 2017")
    assert replace(WHOLE["whole-vgg16-vgg-256x1-128x1"], datasets=("synthetic",)).heads == {"cancer": ("malignant",)}
