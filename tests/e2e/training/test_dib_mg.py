"""System 3 on synthetic mammograms: exams of four views with one label each, no outline ever seen, and the map that finds the lesion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.training.conftest import Quick
from tests.e2e.training.walk import SAME_SCORE, call
from training.data.augment import DIB_MG
from training.stages.plan import Plan

pytestmark = pytest.mark.timeout(600)

PLAN = Plan(
    epochs=16,
    batch=4,
    rates={"": 4e-3},
    weight_decay=1e-3,
    warm_fraction=0.3,
    augmentation=replace(DIB_MG, horizontal_flip=True, vertical_flip=True),
)


def test_cancer_is_learnt_from_whole_exams_and_the_map_finds_it(cancer_or_normal: Path, quick: Quick, tmp_path: Path) -> None:
    walk = quick("dib-mg", cancer_or_normal, PLAN)
    assert "synthetic" in call("index", "synthetic", "--data", cancer_or_normal)
    walk.train("--shape", "128x128", "--backbone", "8-16-16-32-32-64", "--weights", "random")
    report = walk.evaluate()
    assert report["sample"] == "exam"
    assert report["heads"]["cancer"]["levels"]["exam"]["auc"] >= 0.9
    assert walk.export(tmp_path / "model.onnx") < 0.001
    network = walk.serve(tmp_path / "zoo")
    assert network.manifest.task == "cancer" and SAME_SCORE
