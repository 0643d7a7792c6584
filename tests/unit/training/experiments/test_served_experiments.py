"""The experiments behind the next models: what they draw, what their heads learn from, and that a run of each trains and is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.registry import ZOO
from training.data.synthetic import write_synthetic
from training.data.table import Row
from training.errors import WeightsUnavailable
from training.experiments import cancer, labeler_all_sets
from training.stages.options import Initialisation, RunOptions
from training.stages.run import Run
from training.stages.train import train

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
    from training.stages.samples import Samples

    rows = [replace(ROW, implant=implant) for implant in (None, False, True, True)]
    found = Samples(rows, np.zeros((4, 2, 2), np.uint8), np.array(["train", "train", "train", "test"]), {"cancer": np.zeros(4, np.int64)})
    monkeypatch.setattr(cancer, "gather_images", lambda request: found)
    assert cancer.gather(None).parts.tolist() == ["train", "train", "unused", "test"]  # type: ignore[arg-type]


def test_the_labeler_begins_as_the_published_one_with_a_head_more() -> None:
    graph = ZOO / "mammotriage-labeler" / "1.0.0" / "model.onnx"
    network = labeler_all_sets.build(Initialisation(str(graph)))
    logits, _ = network.eval()(torch.rand(1, 1, 256, 160))
    assert {name: values.shape[1] for name, values in logits.items()} == {"view": 2, "laterality": 2, "density": 4, "mammogram": 2}
    with pytest.raises(WeightsUnavailable):
        labeler_all_sets.build(Initialisation(str(graph.with_name("none.onnx"))))


def test_films_teach_which_densities_are_possible() -> None:
    loss = labeler_all_sets.make_loss(smoothing=0.0)
    logits = {"density": (torch.eye(4) * 30.0)[[1]], "mammogram": torch.tensor([[-30.0, 30.0]])}
    targets = {"density": torch.tensor([-1]), "mammogram": torch.tensor([1])}
    costs = [float(loss(logits, {**targets, "tissue": torch.tensor([tissue])})) for tissue in (-1, 0, 1, 2)]
    assert costs[:3] == pytest.approx([0, 0, 0], abs=1e-4) and costs[3] > 20, "B is fatty or fatty-glandular, never dense"
