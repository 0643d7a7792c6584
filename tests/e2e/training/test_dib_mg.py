"""System 3 on synthetic mammograms: exams of four views with one label each, learnt without any outline, served view by view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.preprocessing.picture import Picture
from tests.e2e.training.conftest import Quick
from tests.e2e.training.walk import SAME_SCORE, call
from training.data.augment import DIB_MG
from training.data.index import read_index
from training.data.pictures import read_picture
from training.stages.plan import Plan

pytestmark = pytest.mark.timeout(1200)

FLIPPED = replace(DIB_MG, horizontal_flip=True, vertical_flip=True)
IMAGES = Plan(epochs=8, batch=12, rates={"": 4e-3}, weight_decay=1e-3, warm_fraction=0.3, augmentation=FLIPPED)
EXAMS = Plan(epochs=4, batch=4, rates={"": 1e-3}, weight_decay=1e-3, augmentation=FLIPPED)
SMALL = ("--shape", "96x96", "--backbone", "16-16-32-32-64-64")


def test_exams_are_learnt_and_the_runner_adds_up_to_the_exam(cancer_or_normal: Path, quick: Quick, tmp_path: Path) -> None:
    """At 96 pixels an exam's four averaged maps drown one lesion for hundreds of steps: the network begins with single images."""
    assert "synthetic" in call("index", "synthetic", "--data", cancer_or_normal)
    images = quick("dib-mg-image", cancer_or_normal, IMAGES)
    images.train(*SMALL, "--weights", "random")
    walk = quick("dib-mg", cancer_or_normal, EXAMS)
    walk.train(*SMALL, "--weights", images.folder)
    report = walk.evaluate()
    assert report["sample"] == "exam"
    assert report["heads"]["cancer"]["levels"]["exam"]["auc"] >= 0.9
    assert walk.export(tmp_path / "model.onnx") < 0.001

    network = walk.serve(tmp_path / "zoo")
    rows = read_index(cancer_or_normal, ["synthetic"])
    for case, score in zip(walk.predictions.cases, walk.predictions.scores["cancer"][:, 0], strict=True):
        views = [row for row in rows if row.exam == case.exam]
        assert len(views) == 4
        served = [float(network.run(Picture(read_picture(row), False, "png")).scores["cancer"][0]) for row in views]
        # The exam's score is the logistic function of the mean over its views' logits (Kim et al. 2018, two-stage average pooling).
        exam = 1 / (1 + np.exp(-np.mean([np.log(each / (1 - each)) for each in served])))
        assert abs(exam - score) < SAME_SCORE
