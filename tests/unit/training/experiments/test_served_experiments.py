"""The experiments behind the next models: what they draw, what their heads learn from, and that a run of each trains and is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.preprocessing.recipe import find_recipe
from models.registry import Registry
from training.data.synthetic import write_synthetic
from training.data.table import Row
from training.errors import WeightsUnavailable
from training.experiments import cancer, labeler_all_sets, labeler_heads
from training.stages.linear_heads import pool_features
from training.stages.options import Initialisation, RunOptions
from training.stages.run import Run
from training.stages.samples import Samples
from training.stages.train import train

GRAPH = Registry().find("labeler").path
ROW = Row("rsna-bcd-640", "p", "e", "i", Path("i"), "CC", "L", "L", None, "negative", "49", None)


def test_neither_machine_nor_set_tells_the_class() -> None:
    cancers, machines = np.array([1, 0, 0, 0, 1, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    weights = cancer.weight_within_machines({"cancer": cancers, "stratum": machines})
    for machine, share in ((0, 0.5), (1, 0.5), (2, 0.0)):
        own = machines == machine
        assert weights[own & (cancers == 1)].sum() / weights[own].sum() == pytest.approx(share)
    rare = np.zeros(100, np.int64)
    rare[0] = 1
    weights = cancer.weight_within_machines({"cancer": rare, "stratum": np.zeros(100, np.int64)})
    assert weights[0] == 2.0, "one cancer in a hundred is drawn twice, not fifty times"


def test_auxiliary_labels_are_what_the_set_says() -> None:
    assert set(cancer.auxiliary_targets(ROW).values()) == {-1}
    known = replace(ROW, birads=0, invasive=True, density="C", age=61.0)
    assert cancer.auxiliary_targets(known) == {"invasive": 1, "recalled": 1, "density": 2, "age": 2}
    assert cancer.auxiliary_targets(replace(known, birads=2))["recalled"] == 0
    assert cancer.auxiliary_targets(replace(known, birads=3))["recalled"] == -1


def test_a_cancer_run_trains_on_auxiliary_heads_and_serves_one(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "synthetic", 12, seed=1, size=(96, 64))
    plan = replace(cancer.CANCER_MOBILENET.plans[0], epochs=1, batch=4, precision="fp32")
    experiment = replace(cancer.CANCER_MOBILENET, datasets=("synthetic",), split="70/10/20", shape=(64, 32), plans=(plan,))
    run = Run(experiment, RunOptions(tmp_path, tmp_path / "runs", weights="random"))
    train(run)
    logits, _ = run.network()(torch.rand(1, 1, 64, 32))
    assert list(logits) == ["cancer"]


def test_pictures_with_implants_do_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [replace(ROW, implant=implant) for implant in (None, False, True, True)]
    found = Samples(rows, np.zeros((4, 2, 2), np.uint8), np.array(["train", "train", "train", "test"]), {"cancer": np.zeros(4, np.int64)})
    monkeypatch.setattr(cancer, "gather_images", lambda request: found)
    assert cancer.gather(None).parts.tolist() == ["train", "train", "unused", "test"]  # type: ignore[arg-type]


def test_the_labeler_begins_as_the_published_one_with_a_head_more() -> None:
    network = labeler_all_sets.build(Initialisation(str(GRAPH)))
    logits, _ = network.eval()(torch.rand(1, 1, 256, 160))
    assert {name: values.shape[1] for name, values in logits.items()} == {"view": 2, "laterality": 2, "density": 4, "mammogram": 2}
    with pytest.raises(WeightsUnavailable):
        labeler_all_sets.build(Initialisation(str(GRAPH.with_name("none.onnx"))))


def test_films_teach_which_densities_are_possible() -> None:
    loss = labeler_all_sets.make_loss(smoothing=0.0)
    logits = {"density": (torch.eye(4) * 30.0)[[1]], "mammogram": torch.tensor([[-30.0, 30.0]])}
    targets = {"density": torch.tensor([-1]), "mammogram": torch.tensor([1])}
    costs = [float(loss(logits, {**targets, "tissue": torch.tensor([tissue])})) for tissue in (-1, 0, 1, 2)]
    assert costs[:3] == pytest.approx([0, 0, 0], abs=1e-4) and costs[3] > 20, "B is fatty or fatty-glandular, never dense"


def test_heads_are_fitted_and_view_and_side_stay() -> None:
    """Mammograms are bright on the left, other pictures all over; dense breasts are brighter than fatty ones."""
    network = labeler_all_sets.build(Initialisation(str(GRAPH)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chance = np.random.default_rng(0)
    crops = chance.integers(0, 30, (24, 256, 160)).astype(np.uint8)
    density = np.arange(24) % 4
    mammogram = np.arange(24) % 3 > 0
    for index in range(24):
        crops[index, 40:200, : 90 if mammogram[index] else 160] += np.uint8(50 * (1 + density[index]))
    targets = {
        "mammogram": mammogram.astype(np.int64),
        "density": np.where(mammogram, density, -1),
        "tissue": np.full(24, -1),
        "set": np.zeros(24, np.int64),
    }
    samples = Samples([ROW] * 24, crops, np.array(["train"] * 24), targets)
    labeler_heads.fit_heads(network, samples, "breast-stretch@1", seed=0)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"heads.{head}.{kind}" for head in ("density", "mammogram") for kind in ("weight", "bias")}
    features = pool_features(network, crops, find_recipe("breast-stretch@1").normalise)
    assert ((network.heads["mammogram"](features).argmax(dim=1) == 1).numpy() == mammogram).all()


def test_a_varied_crop_keeps_its_shape_and_the_seed_decides() -> None:
    crop = np.arange(64 * 40, dtype=np.uint8).reshape(64, 40)
    first = [labeler_heads.vary(crop, np.random.default_rng(seed)) for seed in range(20)]
    again = [labeler_heads.vary(crop, np.random.default_rng(seed)) for seed in range(20)]
    assert all(each.shape == crop.shape and np.array_equal(each, other) for each, other in zip(first, again, strict=True))
    assert sum(not np.array_equal(each, crop) for each in first) > 12
