"""System 2 on synthetic mammograms: benign and malignant masses, from an index to the service's runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.training.conftest import Quick
from tests.e2e.training.walk import SAME_SCORE, call, largest_difference, score_patches
from training.data.augment import MASSES
from training.stages.plan import Plan

pytestmark = pytest.mark.timeout(1200)

PLAN = Plan(epochs=2, batch=32, rates={"": 1e-3}, optimiser="adam", weight_decay=0.0, augmentation=MASSES)


def test_masses_are_distinguished_and_the_graph_is_served(masses_only: Path, quick: Quick, tmp_path: Path) -> None:
    walk = quick("mass-baseline-large-aug", masses_only, PLAN)
    assert "synthetic" in call("index", "synthetic", "--data", masses_only)
    walk.train("--shape", "48x48", "--weights", "random")
    report = walk.evaluate()
    assert report["sample"] == "patch"
    assert report["heads"]["mass"]["levels"]["patch"]["auc"] >= 0.9
    assert walk.export(tmp_path / "model.onnx") < 0.001

    network = walk.serve(tmp_path / "zoo")
    assert network.manifest.task == "mass-patch"
    served = score_patches(network, walk.samples(), "mass")
    assert largest_difference(served, walk.predictions, "mass") < SAME_SCORE
    assert list(walk.folder.rglob("*.png")), "the report has its plots"
