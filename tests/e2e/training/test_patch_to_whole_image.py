"""System 4 on synthetic mammograms: five-class patches, then the all-convolutional whole-image network made from them, then the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.training.conftest import Quick
from tests.e2e.training.walk import SAME_SCORE, call, largest_difference, score_images, score_patches
from training.data.augment import PATCH_TO_IMAGE
from training.stages.plan import Plan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PATCHES = Plan(epochs=3, batch=32, rates={"backbone": 1e-3, "": 3e-3}, augmentation=PATCH_TO_IMAGE)
WHOLE = Plan(epochs=6, batch=8, rates={"": 1e-3}, augmentation=PATCH_TO_IMAGE)


def test_a_patch_classifier_becomes_a_whole_image_network_that_is_served(all_findings: Path, quick: Quick, tmp_path: Path) -> None:
    assert "synthetic" in call("index", "synthetic", "--data", all_findings)
    patches = quick("patches-efficientnet-lite0-s10", all_findings, PATCHES)
    patches.train("--shape", "48x48")
    classes = patches.evaluate()["heads"]["lesion"]["patch"]["classes"]
    assert len(classes) == 5
    assert all(figures["auc"] >= 0.9 for figures in classes.values()), classes
    assert patches.export(tmp_path / "patches.onnx") < 0.001
    network = patches.serve(tmp_path / "patch-zoo")
    assert largest_difference(score_patches(network, patches.samples(), "lesion"), patches.predictions, "lesion") < SAME_SCORE

    whole = quick("whole-efficientnet-lite0-vgg-256x1-128x1", all_findings, WHOLE)
    whole.train("--shape", "192x128", "--weights", patches.folder)
    report = whole.evaluate()
    assert report["heads"]["cancer"]["levels"]["image"]["auc"] >= 0.9
    assert whole.export(tmp_path / "whole.onnx") < 0.001
    network = whole.serve(tmp_path / "zoo")
    assert largest_difference(score_images(network, whole.samples(), "cancer"), whole.predictions, "cancer") < SAME_SCORE
