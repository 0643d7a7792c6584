"""The four runs of Yi et al. 2019: what the paper fixes, and that the two laterality runs can be compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from models.preprocessing.recipe import find_recipe
from training.data.phantom import Side, View, draw_view
from training.data.synthetic import write_synthetic
from training.data.synthetic_patients import imagine_patients
from training.data.table import Row
from training.errors import ClassEmpty, WeightsUnavailable
from training.experiments.catalogue import find_experiment
from training.experiments.labels import DENSITY, EXPERIMENTS, LATERALITY, LATERALITY_FLIPS, VIEW
from training.networks.labeler import Labeler
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest
from training.stages.options import Initialisation, RunOptions
from training.stages.run import Run
from training.stages.samples import Samples
from training.stages.train import initialise

RESNET18 = Initialisation("random", "resnet18")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    folder = tmp_path_factory.mktemp("labels")
    write_synthetic(folder / "synthetic", patients=10, seed=3, size=(256, 256))
    return RunOptions(data=folder, runs=folder / "runs", shape=(64, 64))


def on_synthetic(experiment: Experiment) -> Experiment:
    return find_experiment(experiment.name, ["synthetic"])


def gather(experiment: Experiment, options: RunOptions) -> Samples:
    return Run(on_synthetic(experiment), options).gather()


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_training_is_as_the_paper_says(experiment: Experiment) -> None:
    (plan,) = experiment.plans
    assert (plan.epochs, plan.optimiser, plan.rates, plan.momentum, plan.weight_decay) == (49, "sgd", {"": 1e-3}, 0.9, 1e-5)
    assert plan.schedule == "constant" and plan.clip == 0.0
    assert experiment.shape == (256, 256) and experiment.split == "70/10/20"
    assert plan.augmentation.rotation_degrees > 0 and plan.augmentation.crop > 0
    network = experiment.build(Initialisation("random"))
    assert isinstance(network, Labeler) and network.dropout.p == 0.0, "the paper replaces the last layer and adds nothing"
    assert sum(isinstance(module, torch.nn.Conv2d) for module in network.modules()) == 53, "ResNet-50"
    assert list(network.heads) == list(experiment.heads) == [experiment.task]


def test_only_laterality_stops_to_flip_and_has_its_markers_removed() -> None:
    flips = {name: experiment.plans[0].augmentation.horizontal_flip for name, experiment in EXPERIMENTS.items()}
    assert flips == {"labels-view": True, "labels-laterality": False, "labels-laterality-flips": True, "labels-density": True}
    assert [e.recipe for e in (VIEW, LATERALITY, LATERALITY_FLIPS, DENSITY)] == [
        "whole-stretch@1", "whole-unmarked@1", "whole-unmarked@1", "whole-stretch@1",
    ]  # fmt: skip
    assert not any(e.plans[0].augmentation.vertical_flip for e in EXPERIMENTS.values())


def test_both_laterality_runs_see_the_same_samples_in_the_same_parts(options: RunOptions) -> None:
    one, other = (gather(experiment, options) for experiment in (LATERALITY, LATERALITY_FLIPS))
    assert one.rows == other.rows and np.array_equal(one.parts, other.parts) and np.array_equal(one.crops, other.crops)
    assert len(one.rows) == 40 and {"train", "validation", "test"} == set(one.parts)
    assert one.targets["laterality"].tolist() == [("L", "R").index(str(row.laterality)) for row in one.rows]


def test_only_images_with_the_label_are_samples(options: RunOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(request: SampleRequest) -> list[Row]:
        return [replace(row, density=None) if index % 2 else row for index, row in enumerate(original(request))]

    original = SampleRequest.read_rows
    monkeypatch.setattr(SampleRequest, "read_rows", read)
    samples = gather(DENSITY, options)
    assert len(samples.rows) == 20 and (samples.targets["density"] >= 0).all()
    monkeypatch.setattr(SampleRequest, "read_rows", lambda request: [row for row in read(request) if row.density is None])
    with pytest.raises(ClassEmpty, match="no image of synthetic has a density"):
        gather(DENSITY, options)


def test_markers_go_and_the_breast_stays_untouched() -> None:
    """On drawn films the letter is known to be there, and the same film without it shows what is breast."""
    size, seen = (640, 512), 0
    for patient in imagine_patients(4, seed=5):
        if patient.machine.inverted:
            continue
        for side, view in product(get_args(Side), get_args(View)):
            marked, plain = (
                np.rint(255 * draw_view(patient.breast(side), view, patient.machine, size, marker).levels).astype(np.uint8)
                for marker in (True, False)
            )
            letter, tissue = np.abs(marked.astype(int) - plain) > 60, plain > 25
            assert letter.any() and tissue.mean() > 0.1
            cleaned = find_recipe(LATERALITY.recipe).crop(marked, size)[0]
            assert not cleaned[letter].any(), "the letter is gone"
            kept = cleaned > 0
            assert np.array_equal(cleaned[kept], marked[kept]), "what stays is as it was"
            # Where the skin runs into the picture's corner, a sliver is thinner than anything that the mask takes for breast.
            assert (tissue & ~kept).sum() < 0.003 * tissue.sum()
            seen += 1
    assert seen >= 8


def test_a_learning_curve_takes_fewer_training_patients_and_the_same_test(options: RunOptions) -> None:
    whole, few = (gather(VIEW, replace(options, patients=patients)) for patients in (None, 3))
    trained = {row.patient for row, part in zip(few.rows, few.parts, strict=True) if part == "train"}
    assert len(trained) == 3 and np.array_equal(few.where("test"), whole.where("test")) and few.where("test").size == 8


def test_a_label_can_start_from_another_labels_run(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = VIEW.build(RESNET18)
    path = tmp_path / "best.pt"
    torch.save({"network": trained.state_dict()}, path)
    network = initialise(DENSITY, Initialisation(str(path), "resnet18"))
    assert torch.equal(network.state_dict()["features.4.0.conv1.weight"], trained.state_dict()["features.4.0.conv1.weight"])
    assert network.get_parameter("heads.density.weight").shape == (4, 512)
    with pytest.raises(WeightsUnavailable, match="same architecture"):
        initialise(DENSITY, Initialisation(str(path), "resnet34"))


def test_backbones_are_chosen_by_name() -> None:
    assert sum(p.numel() for p in VIEW.build(Initialisation("random", "resnet34")).parameters()) == 21_284_672 - 6_272 + 2 * 512 + 2
    with pytest.raises(ValueError, match="--backbone takes one of"):
        VIEW.build(Initialisation("random", "vgg16"))
