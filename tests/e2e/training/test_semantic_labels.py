"""System 1 on synthetic mammograms: view and laterality, from an index to the service's runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.training.conftest import Quick
from tests.e2e.training.walk import SAME_SCORE, call, largest_difference, score_images
from training.data.augment import LABELS_KEEPING_SIDES
from training.data.splits import read_split
from training.stages.plan import Plan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PLAN = Plan(epochs=4, batch=8, rates={"": 2e-3}, weight_decay=2e-2, augmentation=LABELS_KEEPING_SIDES)
SMALL = ("--shape", "96x96", "--weights", "random", "--backbone", "resnet18")


@pytest.mark.parametrize("label", ["view", "laterality"])
def test_a_label_is_learnt_measured_exported_and_served(label: str, all_findings: Path, quick: Quick, tmp_path: Path) -> None:
    walk = quick(f"labels-{label}", all_findings, PLAN)
    assert "synthetic" in call("index", "synthetic", "--data", all_findings)
    split = tmp_path / "split.csv"
    call("split", split, "--data", all_findings, "--datasets", "synthetic", "--rule", "70/10/20")
    assert set(read_split(split).values()) == {"train", "validation", "test"}

    walk.train(*SMALL, "--split", split)
    report = walk.evaluate()
    assert report["counts"]["test"]["patients"] == list(read_split(split).values()).count("test")
    assert report["heads"][label]["levels"]["image"]["auc"] >= 0.9
    assert walk.export(tmp_path / "model.onnx") < 0.001

    network = walk.serve(tmp_path / "zoo")
    served = score_images(network, walk.samples(), label)
    assert largest_difference(served, walk.predictions, label) < SAME_SCORE
